"""A person in full, laid out for the one page that shows it; and masked, for all others."""

from collections.abc import Mapping
from typing import Any

from accounts.models import BrokerageAccount, Person
from core.crypto import Unsealable

_HIDDEN = "•"


def sections_of(person: Person) -> list[tuple[str, list[tuple[str, str]]]]:
    """List what is kept of a person: sections with their fields, in words."""
    sections = {
        "Contact": person.contact,
        "Identity": person.identity,
        "Trusted contact": person.trusted_contact or {},
    }
    return [(title, _fields(values)) for title, values in sections.items() if values]


def _fields(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name.replace("_", " ").capitalize(), _text(value))
        for name, value in values.items()
        if value not in (None, "", [], {})
    ]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(each) for each in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_text(each)}" for name, each in value.items())
    return str(value)


def masked_name(account: BrokerageAccount) -> str:
    """Show the initials of a customer, and nothing when what we kept is erased."""
    try:
        identity = account.person().identity
    except Unsealable:
        return ""
    names = (str(identity.get(part) or "") for part in ("given_name", "family_name"))
    return " ".join(f"{name[:1]}***" for name in names if name)


def masked_tax_id(account: BrokerageAccount) -> str:
    """Show the end of a tax id, in the shape of its kind."""
    if not account.tax_id_last4:
        return ""
    hidden = f"{_HIDDEN * 3}-{_HIDDEN * 2}-" if account.tax_id_type == "USA_SSN" else _HIDDEN * 5
    return f"{hidden}{account.tax_id_last4}"
