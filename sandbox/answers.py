"""Reading requests and writing answers, the same way for every pretend vendor."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


class Refusal(Exception):
    """A clear no, in the vendor's own words."""

    def __init__(self, status: int, code: int, message: str, **extra: object) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.body: dict[str, object] = {"code": code, "message": message} | extra
        super().__init__(message)


def json_answer(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON; a Decimal becomes a string, as money does at these vendors."""
    text = json.dumps(body, default=_plain, separators=(",", ":"))
    return Response(text, status, headers=headers, media_type="application/json")


async def read_json(request: Request) -> Any:
    """
    Read the body; its numbers become Decimals, so that no digit is lost on the way.

    :raises Refusal: it is not JSON.
    """
    body = await request.body()
    if not body:
        return {}
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError as error:
        raise Refusal(400, 40010000, "request body format is invalid") from error


def as_decimal(value: object) -> Decimal | None:
    """Read a number that came as text or as a number; None when it is neither."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """
    Read a count from a query.

    :raises Refusal: it is not one.
    """
    text = query.get(name, str(default))
    if not text.isdigit():
        raise Refusal(422, 40010001, f"invalid {name}")
    return int(text)


def as_bool(value: object) -> bool:
    """Read true, True, 1: clients in Python write the capital letter."""
    return str(value).lower() in {"true", "1"}


def decimal_text(value: Decimal | None) -> str | None:
    """Write a number without exponent and without idle zeros."""
    if value is None:
        return None
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value) or "0"
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
