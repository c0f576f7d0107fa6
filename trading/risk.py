"""The rules an order must obey before the broker hears of it; a pure function of the facts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.errors import CleraError, Invalid, RuleBroken
from core.money import Price, Quantity
from trading.states import OrderType, TimeInForce
from trading.tickets import Ticket

CENTS = Decimal("0.01")
SUB_DOLLAR_TICK = Decimal("0.0001")
SMALLEST_QUANTITY = Decimal("1e-9")
SMALLEST_BUY = Decimal(1)
TOO_LARGE = Decimal(10) ** 12
STALE = "price_stale"


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


class RiskRefused(RuleBroken):
    """A rule says no. The refused order is kept."""

    code = "risk_refused"

    def __init__(self, *, rule: str, field: str, detail: str, order_id: str | None = None) -> None:
        extra = {"rule": rule} | ({"order_id": order_id} if order_id else {})
        super().__init__(detail, field_errors={field: [detail]}, extra=extra)


class PriceStale(CleraError):
    code = "price_stale"
    status = 409
    detail = "There is no fresh price for this symbol right now; try again in a moment."


@dataclass(frozen=True)
class _Case:
    ticket: Ticket
    facts: Facts
    price: Decimal
    value: Decimal


_Refusal = tuple[str, str, str]  # rule, field, detail


def judge(ticket: Ticket, facts: Facts) -> Verdict:
    """Try the rules in order and return the first that says no, or a verdict that allows."""
    for rule in _BEFORE_PRICE:
        refusal = rule(ticket, facts)
        if refusal:
            return _refused(refusal)
    quote = facts.quote
    if quote is None or quote.is_stale(limits=facts.limits, at=facts.at):
        return Verdict(rule=STALE, field="ticker", detail=PriceStale.detail)
    price = _price_of(ticket, quote)
    value = _value_of(ticket, price)
    known: dict[str, Any] = {"price": price, "value": value, "quote_as_of": quote.as_of}
    for check in _WITH_PRICE:
        refusal = check(_Case(ticket, facts, price, value))
        if refusal:
            return _refused(refusal, **known)
    return Verdict(**known)


def require_sense(verdict: Verdict, *, symbol: str) -> None:
    """
    Let pass what is an order at all, allowed or not.

    :raises Invalid: the ticket makes no sense in itself.
    :raises PriceStale: there is no fresh price to judge it by.
    """
    if verdict.rule in SHAPE_RULES:
        raise Invalid(verdict.detail, field_errors={verdict.field: [verdict.detail]})
    if verdict.rule == STALE:
        raise PriceStale(extra={"symbol": symbol})


def _refused(refusal: _Refusal, **known: Any) -> Verdict:
    rule, field, detail = refusal
    return Verdict(rule=rule, field=field, detail=detail, **known)


def _price_of(ticket: Ticket, quote: MarketQuote) -> Decimal:
    if ticket.limit_price is not None:
        return ticket.limit_price
    return quote.price_for(is_buy=ticket.is_buy)


def _value_of(ticket: Ticket, price: Decimal) -> Decimal:
    if ticket.notional is not None:
        return ticket.notional
    assert ticket.quantity is not None  # noqa: S101 - the size rule came first
    return (Quantity(ticket.quantity) * Price(price)).to_nine_places()


def _is_multiple(amount: Decimal, step: Decimal) -> bool:
    return amount % step == 0


def _size_field(ticket: Ticket) -> str:
    return "notional_amount" if ticket.notional is not None else "units"


# Rules that need no price.


def _account(_ticket: Ticket, facts: Facts) -> _Refusal | None:
    if facts.is_account_active:
        return None
    if facts.is_account_frozen:
        return "account_frozen", "account_id", "Orders are stopped for now; ask support."
    detail = f"The account is {facts.account_status or 'not open yet'}; only ACTIVE ones trade."
    return "account_not_active", "account_id", detail


def _instrument(ticket: Ticket, facts: Facts) -> _Refusal | None:
    if facts.instrument is None:
        return "symbol_unknown", "ticker", f"{ticket.symbol} is not a symbol we know."
    if not facts.instrument.is_tradable:
        return "symbol_not_tradable", "ticker", f"{ticket.symbol} cannot be traded here."
    return None


def _size(ticket: Ticket, _facts: Facts) -> _Refusal | None:
    if (ticket.quantity is None) == (ticket.notional is None):
        return "size_ambiguous", "units", "Give either units or notional_amount, not both."
    size = ticket.notional if ticket.notional is not None else ticket.quantity
    assert size is not None  # noqa: S101 - one of the two is given
    field = _size_field(ticket)
    if not size.is_finite() or size <= 0:
        return "size_not_positive", field, "The size must be more than zero."
    if size >= TOO_LARGE:
        return "size_absurd", field, "The size has too many digits."
    step = CENTS if ticket.notional is not None else SMALLEST_QUANTITY
    if not _is_multiple(size, step):
        places = 2 if ticket.notional is not None else 9
        return "too_many_decimals", field, f"Use at most {places} decimal places."
    return None


def _fractions(ticket: Ticket, facts: Facts) -> _Refusal | None:
    is_fractional = ticket.notional is not None or ticket.quantity != int(ticket.quantity or 0)
    if not is_fractional:
        return None
    assert facts.instrument is not None  # noqa: S101 - its rule came first
    field = _size_field(ticket)
    if not facts.instrument.is_fractionable:
        return "not_fractionable", field, f"{ticket.symbol} is traded in whole shares only."
    if ticket.time_in_force != TimeInForce.DAY:
        detail = "Orders for dollars or fractions of shares are good for the day only."
        return "fraction_needs_day", "time_in_force", detail
    return None


def _limit_price(ticket: Ticket, _facts: Facts) -> _Refusal | None:
    price = ticket.limit_price
    if ticket.order_type == OrderType.MARKET:
        if price is None:
            return None
        return "limit_price_unwanted", "limit_price", "A market order has no limit price."
    if price is None:
        return "limit_price_missing", "limit_price", "A limit order needs a limit price."
    if not price.is_finite() or not 0 < price < TOO_LARGE:
        return "limit_price_not_positive", "limit_price", "The price must be more than zero."
    tick = CENTS if price >= 1 else SUB_DOLLAR_TICK
    if not _is_multiple(price, tick):
        detail = "Prices of one dollar and more have 2 decimals, lower ones 4."
        return "sub_penny", "limit_price", detail
    return None


_BEFORE_PRICE: tuple[Callable[[Ticket, Facts], _Refusal | None], ...] = (
    _account,
    _instrument,
    _size,
    _limit_price,
    _fractions,
)


# Rules that weigh the order against the market and the account.


def _collar(case: _Case) -> _Refusal | None:
    if case.ticket.limit_price is None or case.facts.quote is None:
        return None
    market = case.facts.quote.price_for(is_buy=case.ticket.is_buy)
    reach = market * case.facts.limits.collar
    is_wild = case.price > market + reach if case.ticket.is_buy else case.price < market - reach
    if not is_wild:
        return None
    detail = "The limit price is far beyond the market; check it for a typing error."
    return "price_collar", "limit_price", detail


def _smallest(case: _Case) -> _Refusal | None:
    if not case.ticket.is_buy or case.value >= SMALLEST_BUY:
        return None
    return "below_minimum", _size_field(case.ticket), "The smallest purchase is $1."


def _largest(case: _Case) -> _Refusal | None:
    largest = case.facts.limits.max_notional
    if case.value <= largest:
        return None
    return "above_maximum", _size_field(case.ticket), f"The largest order is ${largest}."


def _buying_power(case: _Case) -> _Refusal | None:
    spendable = case.facts.spendable
    if not case.ticket.is_buy or spendable is None or case.value <= spendable:
        return None
    detail = "The order costs more than the account can spend, open orders counted."
    return "insufficient_buying_power", _size_field(case.ticket), detail


def _position(case: _Case) -> _Refusal | None:
    sellable = case.facts.sellable
    if case.ticket.is_buy or sellable is None:
        return None
    ticket = case.ticket
    if ticket.quantity is not None:
        is_enough = ticket.quantity <= sellable
    else:
        is_enough = case.value <= sellable * case.price
    if is_enough:
        return None
    detail = "The account does not hold that much free to sell, open orders counted."
    return "insufficient_quantity", _size_field(ticket), detail


_WITH_PRICE: tuple[Callable[[_Case], _Refusal | None], ...] = (
    _collar,
    _smallest,
    _largest,
    _buying_power,
    _position,
)

# A request that breaks one of these is not an order at all; nothing is kept of it.
SHAPE_RULES = frozenset(
    {
        "size_ambiguous",
        "size_not_positive",
        "size_absurd",
        "too_many_decimals",
        "limit_price_unwanted",
        "limit_price_missing",
        "limit_price_not_positive",
    }
)
# These depend on holdings that may have changed at the broker since we last read them.
HOLDINGS_RULES = frozenset({"insufficient_buying_power", "insufficient_quantity"})
