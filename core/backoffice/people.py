"""Names for credentials, which rows and the audit trail know by their ids only."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.auth.principals import Kind
from core.backoffice import columns

_WORDS: Final = {Kind.CUSTOMER: "customer", Kind.SERVICE: "key", Kind.STAFF: "staff"}
_OURSELVES: Final = "Clera"


def names_of(principals: Iterable[str]) -> dict[str, SafeString | str]:
    """Put a name to each credential; however many there are, it takes one query."""
    wanted = set(principals)
    members = _members(
        whose for kind, _, whose in (name.partition(":") for name in wanted) if kind == "staff"
    )
    return {name: _name_of(name, members) for name in wanted}


def attach_names(rows: Collection[Any], column: str) -> None:
    """Give each row the name of the credential in that column, as `row.who`."""
    names = names_of(getattr(row, column) for row in rows)
    for row in rows:
        row.who = names[getattr(row, column)]


def _members(ids: Iterable[str]) -> dict[str, str]:
    wanted = [int(pk) for pk in ids if pk.isdecimal()]
    if not wanted:
        return {}
    return {
        str(pk): name
        for pk, name in User.objects.filter(pk__in=wanted).values_list("pk", "username")
    }


def _name_of(principal: str, members: dict[str, str]) -> SafeString | str:
    word, _, whose = principal.partition(":")
    kind = next((kind for kind in Kind if kind.value.lower() == word), None)
    if kind is None:
        return principal or columns.NOTHING
    if kind is Kind.SYSTEM:
        return _OURSELVES
    if kind is Kind.STAFF and whose in members:
        return format_html('<span title="{}">{}</span>', principal, members[whose])
    return format_html(
        '<span class="whitespace-nowrap">{} {}</span>', _WORDS[kind], columns.short(whose)
    )
