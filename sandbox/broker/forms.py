"""The sections of an account application: what each holds, and what must fit together."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sandbox.answers import Refusal
from sandbox.broker import fields, tax_ids
from sandbox.broker.core import NEW_YORK
from sandbox.broker.fields import Section
from sandbox.broker.records import Account

_ACCOUNT_TYPES = frozenset({"trading", "custodial", "donor_advised", "ira"})
_IRA_TYPES = frozenset({"traditional", "roth"})
_ASSETS = frozenset({"us_equity", "us_option", "crypto"})
_FUNDING = frozenset(
    {"employment_income", "investments", "inheritance", "business_income", "savings", "family"}
)
_VISAS = frozenset(
    {
        "B1", "B2", "DACA", "E1", "E2", "E3", "F1", "G4", "H1B", "J1", "L1", "OTHER", "O1", "TN1",
    }
)  # fmt: skip
_VISAS_OF_VISITORS = frozenset({"B1", "B2"})
_EMPLOYMENT = frozenset({"UNEMPLOYED", "EMPLOYED", "STUDENT", "RETIRED"})
_AGREEMENTS = frozenset(
    {
        "margin_agreement", "account_agreement", "customer_agreement", "crypto_agreement",
        "options_agreement", "custodial_customer_agreement",
    }
)  # fmt: skip
# Signed when the application names none; the newest one as far as this broker is concerned.
_REVISION = "16.2021.05"
_RANGES = ("annual_income", "liquid_net_worth", "total_net_worth")
_CHANGEABLE = ("contact", "identity", "disclosures", "trusted_contact")
_EARLIEST_BIRTH_YEAR = 1900
_ADULT_YEARS = 18


def _employment(name: str, value: Any) -> Any:
    """Take either case, and keep the one that the vendor's own client can read."""
    return fields.one_of(_EMPLOYMENT)(name, value.upper() if isinstance(value, str) else value)


def _any_address(name: str, value: Any) -> Any:
    check = fields.address_lines if isinstance(value, list) else fields.latin
    return check(name, value)


_COMPANY = (
    "company_name", "company_street_address", "company_city", "company_country",
    "company_compliance_email",
)  # fmt: skip
_NEEDED_BY_CONTEXT = {
    "CONTROLLED_FIRM": _COMPANY,
    "AFFILIATE_FIRM": _COMPANY,
    "IMMEDIATE_FAMILY_EXPOSED": ("given_name", "family_name"),
}
_CONTEXT = Section(
    {
        "context_type": fields.one_of(_NEEDED_BY_CONTEXT),
        "company_name": fields.text,
        "company_street_address": fields.text,
        "company_city": fields.text,
        "company_state": fields.text,
        "company_country": fields.country,
        "company_compliance_email": fields.email,
        "given_name": fields.text,
        "family_name": fields.text,
    },
    required=("context_type",),
)


def _context(name: str, value: Any) -> dict[str, Any]:
    kept = _CONTEXT.read(name, value)
    needed = _NEEDED_BY_CONTEXT[kept["context_type"]]
    if kept.get("company_country") == "USA":
        needed = (*needed, "company_state")
    for field in needed:
        if field not in kept:
            fields.refuse(f"{name}.{field}", "is required")
    return kept


_CONTACT = Section(
    {
        "email_address": fields.email,
        "phone_number": fields.phone,
        "street_address": fields.address_lines,
        "unit": fields.latin,
        "city": fields.latin,
        "state": fields.latin,
        "postal_code": fields.latin,
        "country": fields.country,
    },
    required=("email_address", "phone_number", "street_address", "city"),
)
_UPDATABLE_IDENTITY = {
    "given_name": fields.latin,
    "middle_name": fields.latin,
    "family_name": fields.latin,
    "visa_type": fields.one_of(_VISAS),
    "visa_expiration_date": fields.day,
    "date_of_departure_from_usa": fields.day,
    "permanent_resident": fields.boolean,
    "funding_source": fields.list_of(fields.one_of(_FUNDING)),
    **{f"{name}_{end}": fields.amount for name in _RANGES for end in ("min", "max")},
}
_FIXED_IDENTITY = {
    "date_of_birth": fields.day,
    "tax_id_type": fields.one_of(tax_ids.TYPES),
    "country_of_citizenship": fields.country,
    "country_of_birth": fields.country,
    "country_of_tax_residence": fields.country,
}
# The number that names a person is checked on its own and never kept.
_IDENTITY = Section(
    _UPDATABLE_IDENTITY | _FIXED_IDENTITY,
    required=(
        "given_name",
        "family_name",
        "date_of_birth",
        "tax_id_type",
        "country_of_tax_residence",
    ),
)
_DISCLOSURES = Section(
    {
        "is_control_person": fields.boolean,
        "is_affiliated_exchange_or_finra": fields.boolean,
        "is_politically_exposed": fields.boolean,
        "immediate_family_exposed": fields.boolean,
        "employment_status": _employment,
        "employer_name": fields.text,
        "employer_address": fields.text,
        "employment_position": fields.text,
        "context": fields.list_of(_context),
    },
    required=(
        "is_control_person",
        "is_affiliated_exchange_or_finra",
        "is_politically_exposed",
        "immediate_family_exposed",
    ),
)
_AGREEMENT = Section(
    {
        "agreement": fields.one_of(_AGREEMENTS),
        "signed_at": fields.moment,
        "ip_address": fields.address_of_network,
        "revision": fields.text,
    },
    required=("agreement", "signed_at", "ip_address"),
)
_TRUSTED_CONTACT = Section(
    {
        "given_name": fields.latin,
        "family_name": fields.latin,
        "email_address": fields.email,
        "phone_number": fields.phone,
        "street_address": _any_address,
        "city": fields.latin,
        "state": fields.latin,
        "postal_code": fields.latin,
        "country": fields.country,
    },
    required=("given_name", "family_name"),
)
_WAYS_TO_REACH = ("email_address", "phone_number", "street_address")
_MINOR = Section(
    {
        "given_name": fields.latin,
        "family_name": fields.latin,
        "email": fields.email,
        "state": fields.latin,
    }
    | _FIXED_IDENTITY,
    required=(
        "given_name",
        "family_name",
        "email",
        "date_of_birth",
        "tax_id_type",
        "country_of_citizenship",
        "country_of_birth",
        "country_of_tax_residence",
        "state",
    ),
)


def read(body: Any, at: datetime) -> dict[str, Any]:
    """
    Check a whole application but its documents, and give what an account keeps of it.

    :raises Refusal: something is missing or wrong.
    """
    if not isinstance(body, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    contact = _CONTACT.read("contact", body.get("contact"))
    identity = _identity(body.get("identity"), at)
    _check_state(contact, identity)
    account_type = fields.one_of(_ACCOUNT_TYPES)(
        "account_type", body.get("account_type") or "trading"
    )
    enabled_assets = body.get("enabled_assets") or ["us_equity"]
    return {
        "contact": contact,
        "identity": identity,
        "disclosures": _DISCLOSURES.read("disclosures", body.get("disclosures")),
        "agreements": _agreements(body.get("agreements")),
        "trusted_contact": _trusted_contact(body.get("trusted_contact")),
        "account_type": account_type,
        "account_sub_type": _sub_type(body, account_type),
        "minor_identity": _minor(body, account_type, at),
        "enabled_assets": fields.list_of(fields.one_of(_ASSETS))("enabled_assets", enabled_assets),
    }


def changed(account: Account, body: Any, at: datetime) -> dict[str, Any]:
    """
    Check a change of some fields, and give the sections as they are with it.

    A field set to null or to an empty text is taken away, if it may be.

    :raises Refusal: a field is wrong, must stay, or cannot be changed.
    """
    if not isinstance(body, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    merged = {
        name: _merged(account, body, name) for name in _CHANGEABLE if body.get(name) is not None
    }
    for field in body.get("identity") or ():
        if field not in _UPDATABLE_IDENTITY:
            fields.refuse(f"identity.{field}", "cannot be updated")
    kept: dict[str, Any] = {name: _section(name, given, at) for name, given in merged.items()}
    _check_state(kept.get("contact", account.contact), kept.get("identity", account.identity))
    return kept


def _section(name: str, given: dict[str, Any], at: datetime) -> dict[str, Any] | None:
    match name:
        case "contact":
            return _CONTACT.read(name, given)
        case "identity":
            return _checked_identity(_IDENTITY.read(name, given), at)
        case "disclosures":
            return _DISCLOSURES.read(name, given)
        case _:
            return _trusted_contact(given)


def _merged(account: Account, body: dict[str, Any], name: str) -> dict[str, Any]:
    changes: Any = body[name]
    if not isinstance(changes, dict):
        fields.refuse(name, "must be an object")
    return {**(getattr(account, name) or {}), **changes}


def _identity(given: Any, at: datetime) -> dict[str, Any]:
    identity = _IDENTITY.read("identity", given)
    if fields.is_absent(given.get("tax_id")):
        fields.refuse("identity.tax_id", "is required")
    tax_ids.check("identity.tax_id", identity["tax_id_type"], given["tax_id"])
    return _checked_identity(identity, at)


def _checked_identity(identity: dict[str, Any], at: datetime) -> dict[str, Any]:
    if _age("identity.date_of_birth", identity, at) < _ADULT_YEARS:
        fields.refuse("identity.date_of_birth", f"is of a person younger than {_ADULT_YEARS}")
    _check_visa(identity)
    for name in _RANGES:
        low, high = identity.get(f"{name}_min"), identity.get(f"{name}_max")
        if low is not None and high is not None and Decimal(low) > Decimal(high):
            fields.refuse(f"identity.{name}_min", f"must not exceed {name}_max")
    return identity


def _age(name: str, identity: dict[str, Any], at: datetime) -> int:
    born, today = date.fromisoformat(identity["date_of_birth"]), at.astimezone(NEW_YORK).date()
    if born.year < _EARLIEST_BIRTH_YEAR:
        fields.refuse(name, "is too long ago")
    if born > today:
        fields.refuse(name, "is in the future")
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _check_visa(identity: dict[str, Any]) -> None:
    visa = identity.get("visa_type")
    if visa is None:
        return
    if identity.get("permanent_resident"):
        fields.refuse("identity.visa_type", "must be left out for a permanent resident")
    if "visa_expiration_date" not in identity:
        fields.refuse("identity.visa_expiration_date", "is required")
    if visa in _VISAS_OF_VISITORS and "date_of_departure_from_usa" not in identity:
        fields.refuse("identity.date_of_departure_from_usa", "is required")


def _check_state(contact: dict[str, Any], identity: dict[str, Any]) -> None:
    homes = {contact.get("country"), identity.get("country_of_tax_residence")}
    if "USA" in homes and "state" not in contact:
        fields.refuse("contact.state", "is required")


def _agreements(given: Any) -> list[dict[str, Any]]:
    if fields.is_absent(given):
        fields.refuse("agreements", "is required")
    signed: list[dict[str, Any]] = fields.list_of(_AGREEMENT.read)("agreements", given)
    return [{"revision": _REVISION} | each for each in signed]


def _trusted_contact(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    kept = _TRUSTED_CONTACT.read("trusted_contact", given)
    if not any(way in kept for way in _WAYS_TO_REACH):
        fields.refuse("trusted_contact", f"must have one of {', '.join(_WAYS_TO_REACH)}")
    return kept


def _sub_type(body: dict[str, Any], account_type: str) -> str | None:
    given = body.get("account_sub_type")
    if account_type != "ira":
        if given is not None:
            fields.refuse("account_sub_type", "is for ira accounts only")
        return None
    return str(fields.one_of(_IRA_TYPES)("account_sub_type", given))


def _minor(body: dict[str, Any], account_type: str, at: datetime) -> dict[str, Any] | None:
    given: Any = body.get("minor_identity")
    if account_type != "custodial":
        if given is not None:
            fields.refuse("minor_identity", "is for custodial accounts only")
        return None
    kept = _MINOR.read("minor_identity", given)
    if fields.is_absent(given.get("tax_id")):
        fields.refuse("minor_identity.tax_id", "is required")
    tax_ids.check("minor_identity.tax_id", kept["tax_id_type"], given["tax_id"])
    if _age("minor_identity.date_of_birth", kept, at) >= _ADULT_YEARS:
        fields.refuse("minor_identity.date_of_birth", "is not of a minor")
    return kept
