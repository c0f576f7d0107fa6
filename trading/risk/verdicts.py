"""What the rules say of an order, and on which grounds."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.risk.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """
    The first rule that says no, or none; `field` is named as POST /api/trade names it.

    `warnings` are sentences for whoever decides; they stop nothing.
    """

    rule: str = ""
    field: str = ""
    detail: str = ""
    price: Decimal | None = None
    value: Decimal | None = None
    quote_as_of: datetime | None = None
    warnings: tuple[str, ...] = ()
    facts: Facts | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def is_allowed(self) -> bool:
        return not self.rule

    def as_json(self) -> dict[str, Any]:
        """Write it down with the exact text of every number."""
        return {
            "allowed": self.is_allowed,
            "rule": self.rule,
            "field": self.field,
            "detail": self.detail,
            "price": _text(self.price),
            "value": _text(self.value),
            "quote_as_of": _text(self.quote_as_of),
            "warnings": list(self.warnings),
            "facts": None if self.facts is None else _inputs(self.facts),
        }


def _inputs(facts: Facts) -> dict[str, Any]:
    limits = _texts(facts.limits, _LIMITS)
    return {
        **_texts(facts, _PLAIN),
        "source": str(facts.source),
        "instrument": _texts(facts.instrument, _TRAITS),
        "quote": _texts(facts.quote, _QUOTE),
        "session": _texts(facts.session, _SESSION),
        "used": _texts(facts.used, _USED),
        "limits": {
            name: {"value": value, "from": facts.limits.origins.get(name, "")}
            for name, value in limits.items()
        },
        "rivals": [rival.order_id for rival in facts.rivals],
    }


_PLAIN = (
    "account_status",
    "is_account_active",
    "is_account_frozen",
    "is_account_closing",
    "halt_reason",
    "restriction",
    "spendable",
    "sellable",
    "position",
    "equity",
    "at",
)
_TRAITS = ("is_tradable", "is_fractionable", "is_halted")
_QUOTE = ("bid", "ask", "last", "previous_close", "as_of")
_SESSION = ("is_open", "is_extended", "closed_at")
_USED = ("open_orders", "day_orders", "day_notional", "opening_value", "twins")
_LIMITS = (
    "max_notional",
    "max_quantity",
    "daily_notional",
    "daily_orders",
    "open_orders",
    "collar",
    "concentration",
    "quote_seconds",
)


def _texts(part: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Write down a part of the facts; of one that is not known, nothing."""
    return {} if part is None else {name: _text(getattr(part, name)) for name in names}


def _text(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime) else value
