"""Fills in the arguments of an offered tool from its JSON schema and what a sentence says."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.understanding import Request

Schema = dict[str, Any]

_FREE_TEXT = {
    "query", "question", "message", "text", "topic", "prompt", "instruction", "instructions",
    "request", "task", "input", "search", "reason", "rationale", "note", "summary", "content",
    "thesis", "explanation",
}  # fmt: skip
_SYMBOL = {"symbol", "symbols", "ticker", "tickers", "instrument", "instruments", "asset", "stock"}
_SIDE = {"side", "action", "direction"}
_DOLLARS = {"notional", "amount", "dollars", "usd", "cash"}
_SHARES = {"quantity", "qty", "shares", "units"}
_LIMIT_PRICE = {"limit", "price"}
_NUMBERS = {"number", "integer"}


@dataclass(frozen=True, slots=True)
class Tool:
    """One function that the client offers."""

    name: str
    description: str
    parameters: Schema

    @property
    def properties(self) -> dict[str, Schema]:
        """The schemas of its arguments, with references followed."""
        found = self.parameters.get("properties", {})
        return {name: self._resolved(schema) for name, schema in found.items()}

    @property
    def required(self) -> set[str]:
        """The arguments it cannot do without."""
        return set(self.parameters.get("required", ()))

    @property
    def has_symbol(self) -> bool:
        """Say whether it is about particular instruments."""
        return any(parts_of(name) & _SYMBOL for name in self.properties)

    @property
    def can_trade(self) -> bool:
        """Say whether its arguments are those of an order."""
        names: set[str] = set().union(*map(parts_of, self.properties), set())
        return self.has_symbol and bool(names & (_SIDE | _DOLLARS | _SHARES))

    def _resolved(self, schema: Schema) -> Schema:
        for _ in range(5):
            reference = schema.get("$ref")
            if reference is None and len(schema.get("allOf", ())) == 1:
                schema = schema | schema["allOf"][0]
                schema.pop("allOf")
                continue
            if reference is None:
                break
            target = self.parameters.get("$defs", {}).get(reference.rsplit("/", 1)[-1], {})
            schema = target | {k: v for k, v in schema.items() if k != "$ref"}
        return schema


def parts_of(name: str) -> set[str]:
    """Split `limit_price` or `limitPrice` into its words."""
    return set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower()))


def fill(tool: Tool, request: Request) -> tuple[dict[str, Any], list[str]]:
    """Give the arguments found, and the names of required ones that are missing."""
    found: dict[str, Any] = {}
    missing: list[str] = []
    for name, schema in tool.properties.items():
        value = _value(name, schema, request, is_required=name in tool.required)
        if value is not None:
            found[name] = value
        elif name in tool.required:
            missing.append(name)
    return found, missing


def _value(name: str, schema: Schema, request: Request, *, is_required: bool) -> Any:
    parts = parts_of(name)
    choices = _choices(schema)
    if parts & _SYMBOL:
        return _symbols(schema, request)
    if parts & _SIDE and request.side is not None and not _is_about_else(choices):
        return _chosen(choices, (request.side,)) if choices else request.side
    if parts >= _LIMIT_PRICE or parts & (_SHARES | _DOLLARS):
        return _number(schema, _amount(parts, request))
    if choices:
        return _choice(choices, request, is_required=is_required)
    return _anything(parts, schema, request) if is_required else None


def _is_about_else(choices: list[Any]) -> bool:
    """Notice an `action` that does not mean buying or selling."""
    return bool(choices) and _chosen(choices, ("buy", "sell")) is None


def _amount(parts: set[str], request: Request) -> Decimal | None:
    if parts >= _LIMIT_PRICE:
        return request.limit_price
    return request.shares if parts & _SHARES else request.dollars


def _symbols(schema: Schema, request: Request) -> Any:
    if not request.symbols:
        return None
    return request.symbols if "array" in _types(schema) else request.symbols[0]


def _choice(choices: list[Any], request: Request, *, is_required: bool) -> Any:
    hints: list[str] = [request.intent.value, *request.words]
    if request.limit_price is not None:
        hints.insert(0, "limit")
    found = _chosen(choices, tuple(hints))
    if found is not None or not is_required:
        return found
    usual = _chosen(choices, ("market", "none", "other", "general"))
    return choices[0] if usual is None else usual


def _chosen(choices: list[Any], hints: tuple[str, ...]) -> Any:
    for hint in hints:
        for choice in choices:
            if hint in re.findall(r"[a-z]+", str(choice).lower()):
                return choice
    return None


def _anything(parts: set[str], schema: Schema, request: Request) -> Any:
    """Find a value for a required argument that no rule above knows."""
    types = _types(schema)
    if "string" in types and (parts & _FREE_TEXT or not types & _NUMBERS):
        return request.text
    if types & _NUMBERS:
        return _number(schema, request.shares or request.dollars)
    if "boolean" in types:
        return False
    if "array" in types:
        return []
    return None


def _number(schema: Schema, value: Decimal | None) -> Any:
    """Write a number the way the schema wants it; text keeps every digit, so it comes first."""
    types = _types(schema)
    if value is None or "string" in types or not types:
        return None if value is None else format(value, "f")
    if "integer" in types and "number" not in types:
        return int(value)
    return int(value) if value == value.to_integral_value() else float(value)


def _types(schema: Schema) -> set[str]:
    given = schema.get("type")
    types = {given} if isinstance(given, str) else set(given or ())
    for option in schema.get("anyOf", []) + schema.get("oneOf", []):
        types |= _types(option)
    return types


def _choices(schema: Schema) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    found = list(schema.get("enum", ()))
    for option in schema.get("anyOf", ()):
        found += _choices(option)
    return found
