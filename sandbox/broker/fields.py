"""Checks of single fields of an application; a wrong one is refused by its dotted name."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_address
from typing import Any, NoReturn

from sandbox.answers import Refusal, as_decimal, decimal_text

# Takes a field's dotted name and its value; gives the value as it is kept, or refuses it.
Check = Callable[[str, Any], Any]

_LATIN = re.compile(r"[\x20-\x7e]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"\+?[0-9 ().-]+")
_PHONE_DIGITS = range(7, 16)
_COUNTRY = re.compile(r"[A-Z]{3}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_LINES = 3


def refuse(name: str, why: str) -> NoReturn:
    """Say which field is wrong, and how."""
    raise Refusal(422, 40010001, f"{name} {why}")


def is_absent(value: object) -> bool:
    """Say whether a field counts as not given."""
    return value is None or value in ("", [])


def text(name: str, value: Any) -> str:
    """Take any text."""
    if not isinstance(value, str) or not value.strip():
        refuse(name, "must be a string")
    return value


def latin(name: str, value: Any) -> str:
    """Take a text in latin characters: reports to authorities can hold no others."""
    if not _LATIN.fullmatch(text(name, value)):
        refuse(name, "must be in latin characters")
    return str(value)


def address_lines(name: str, value: Any) -> list[str]:
    """Take the one to three lines of a street address."""
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_LINES:
        refuse(name, f"must be an array of 1 to {_MOST_LINES} strings")
    lines = [latin(name, line) for line in value]
    if "".join(lines).replace(" ", "").isdigit():
        refuse(name, "must not consist of digits only")
    return lines


def email(name: str, value: Any) -> str:
    """Take an e-mail address."""
    if not _EMAIL.fullmatch(latin(name, value).strip()):
        refuse(name, "is not valid")
    return str(value)


def phone(name: str, value: Any) -> str:
    """Take a number that can be dialled."""
    digits = sum(map(str.isdigit, text(name, value)))
    if not _PHONE.fullmatch(value) or digits not in _PHONE_DIGITS:
        refuse(name, "is not valid")
    return str(value)


def country(name: str, value: Any) -> str:
    """Take a country's three letters."""
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        refuse(name, "must be an ISO 3166-1 alpha-3 country code")
    return value


def day(name: str, value: Any) -> str:
    """Take a date such as 2026-01-31."""
    try:
        date.fromisoformat(value if _DAY.fullmatch(value) else "")
    except (TypeError, ValueError):
        refuse(name, "is not a date")
    return str(value)


def moment(name: str, value: Any) -> str:
    """Take a time with its time zone."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        refuse(name, "is not a timestamp")
    if at.tzinfo is None:
        refuse(name, "is not a timestamp")
    return str(value)


def address_of_network(name: str, value: Any) -> str:
    """Take an IP address."""
    try:
        ip_address(value if isinstance(value, str) else "")
    except ValueError:
        refuse(name, "is not an IP address")
    return str(value)


def boolean(name: str, value: Any) -> bool:
    """Take a yes or a no, not something that looks like one."""
    if not isinstance(value, bool):
        refuse(name, "must be a boolean")
    return value


def amount(name: str, value: Any) -> str:
    """Take a sum of money that is not negative, as text or as a number."""
    number = as_decimal(value)
    if number is None or number < 0:
        refuse(name, "must be a number of at least 0")
    return decimal_text(number) or "0"


def one_of(choices: Collection[str]) -> Check:
    """Make the check for one of several words."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            refuse(name, f"must be one of {', '.join(sorted(choices))}")
        return value

    return check


def list_of(check: Check) -> Check:
    """Make the check for a list with something in it."""

    def check_all(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            refuse(name, "must be an array with at least one entry")
        return [check(f"{name}[{place}]", entry) for place, entry in enumerate(value)]

    return check_all


@dataclass(frozen=True, slots=True)
class Section:
    """A JSON object of known fields; what is not known is not kept."""

    checks: Mapping[str, Check]
    required: tuple[str, ...] = ()

    def read(self, name: str, given: Any) -> dict[str, Any]:
        """
        Check every field and give what is kept.

        :raises Refusal: a field is missing or wrong.
        """
        if is_absent(given):
            refuse(name, "is required")
        if not isinstance(given, dict):
            refuse(name, "must be an object")
        for field in self.required:
            if is_absent(given.get(field)):
                refuse(f"{name}.{field}", "is required")
        return {
            field: check(f"{name}.{field}", given[field])
            for field, check in self.checks.items()
            if not is_absent(given.get(field))
        }
