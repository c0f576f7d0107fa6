"""JSON without surprises: strict when reading, exact when writing."""

import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import simplejson
from django.utils.functional import Promise

from core.money import Money, Price, Quantity

MAX_DEPTH = 32
_MAX_DIGITS = 40
_MAX_EXPONENT = 30
# An unclosed string runs to the end of the text, so that the scan stays linear.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")


class NotStrictJson(ValueError):
    """The text is not JSON as we accept it; the message says why and quotes no value."""


def loads(
    data: bytes | str, *, max_depth: int = MAX_DEPTH, max_structure: int | None = None
) -> Any:
    """
    Read JSON, with numbers that have a fraction or an exponent as `Decimal`.

    :param max_structure: how many characters may stand outside of texts. A text takes the memory
        it has; three characters of structure may become an object a hundred times as large.
    :raises NotStrictJson: bad UTF-8, too deep, a key named twice, NaN or infinity, an absurd
        number, a lone surrogate or a NUL character.
    """
    text = _decoded(data)
    structure = _STRING.sub("", text)
    if max_structure is not None and len(structure) > max_structure:
        raise NotStrictJson("The body has too many parts.")
    _refuse_depth(structure, max_depth)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise NotStrictJson(
            f"The body is not JSON: line {error.lineno}, column {error.colno}."
        ) from None
    refuse_characters(value)
    return value


def dumps(value: Any) -> str:
    """Write JSON with the exact text of every Decimal; money types become strings."""
    return simplejson.dumps(
        value,
        default=_plain,
        use_decimal=False,
        allow_nan=False,
        ensure_ascii=False,
        namedtuple_as_object=False,
        separators=(",", ":"),
    )


def _decoded(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrictJson("The body is not valid UTF-8.") from None


def _refuse_depth(structure: str, max_depth: int) -> None:
    """Count brackets before parsing: the parser recurses and would run out of stack."""
    depth = 0
    for bracket in _BRACKET.finditer(structure):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > max_depth:
            raise NotStrictJson(f"The body is nested deeper than {max_depth} levels.")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotStrictJson(f"The key {_quotable(key)} appears twice.")
        found[key] = value
    return found


def _quotable(key: str) -> str:
    return f"“{key}”" if key.isascii() and key.isprintable() and len(key) <= 64 else "(unreadable)"  # noqa: PLR2004


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if (
        len(number.as_tuple().digits) > _MAX_DIGITS
        or not isinstance(exponent, int)
        or abs(exponent) > _MAX_EXPONENT
    ):
        raise NotStrictJson("A number has too many digits or too large an exponent.")
    return number


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise NotStrictJson("A number has too many digits.")
    return int(text)


def _refuse_constant(_: str) -> None:
    raise NotStrictJson("NaN and Infinity are not JSON numbers.")


def refuse_characters(value: Any) -> None:
    """
    Let only texts pass that the database can hold.

    :raises NotStrictJson: somewhere in it is a NUL character or half of a surrogate pair.
    """
    if isinstance(value, str):
        if _FORBIDDEN.search(value):
            raise NotStrictJson("A text has a NUL character or half of a surrogate pair.")
    elif isinstance(value, list):
        for item in value:
            refuse_characters(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            refuse_characters(key)
            refuse_characters(item)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("A number that is not finite cannot be written as JSON.")
        return simplejson.RawJSON(format(value, "f"))
    if isinstance(value, Money | Price | Quantity | UUID | Promise):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON.")
