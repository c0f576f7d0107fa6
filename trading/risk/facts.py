"""What the rules weigh, and what they say."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What operations have set."""

    max_notional: Decimal
    quote_seconds: int
    # How far through the market a limit price may reach before it looks like a typing error.
    collar: Decimal


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What matters of an instrument."""

    is_tradable: bool
    is_fractionable: bool


@dataclass(frozen=True, kw_only=True)
class MarketQuote:
    """The market as far as we know it, and since when."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    as_of: datetime

    def price_for(self, *, is_buy: bool) -> Decimal:
        """Return what a market order would pay or get; the last trade where a side is empty."""
        side = self.ask if is_buy else self.bid
        return side if side > 0 else self.last

    def is_stale(self, *, limits: Limits, at: datetime) -> bool:
        """Say whether it is too old to act on."""
        return (at - self.as_of).total_seconds() > limits.quote_seconds


@dataclass(frozen=True, kw_only=True)
class Facts:
    """
    Everything a verdict depends on, read under the account's lock.

    `spendable` and `sellable` already leave out what undecided and open orders may still take;
    nothing stands for "not known", which a proposal may be made with and an order may not.
    """

    account_status: str
    is_account_active: bool
    is_account_frozen: bool
    instrument: Traits | None
    quote: MarketQuote | None
    spendable: Decimal | None
    sellable: Decimal | None
    limits: Limits
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the rules say; `field` is named as POST /api/trade names it."""

    rule: str = ""
    field: str = ""
    detail: str = ""
    price: Decimal | None = None
    value: Decimal | None = None
    quote_as_of: datetime | None = None

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
            "price": None if self.price is None else format(self.price, "f"),
            "value": None if self.value is None else format(self.value, "f"),
            "quote_as_of": self.quote_as_of.isoformat() if self.quote_as_of else None,
        }
