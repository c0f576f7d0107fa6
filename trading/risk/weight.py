"""Rules that weigh an order against the market and the account."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trading.risk.facts import Facts, Rival
from trading.risk.shape import CENTS, Refusal, size_field
from trading.states import OrderClass, OrderType
from trading.tickets import Ticket

SMALLEST_BUY: Final = Decimal(1)


@dataclass(frozen=True)
class Case:
    """An order, what is known, what a market order would get, and what this one is worth."""

    ticket: Ticket
    facts: Facts
    market: Decimal
    price: Decimal
    value: Decimal

    @property
    def shares(self) -> Decimal:
        """How many shares it is about; of an order for dollars, by its price."""
        quantity = self.ticket.quantity
        return self.value / self.price if quantity is None else quantity

    @property
    def part_after(self) -> Decimal | None:
        """How much of the account the symbol will be, open purchases counted; it may be unknown."""
        if self.facts.equity is None:
            return None
        held = self.facts.position * self.market
        worth = self.facts.equity + held
        if worth <= 0:
            return None
        return (held + self.facts.used.opening_value + self.value) / worth


Check = Callable[[Case], Refusal | None]


def _exits(case: Case) -> Refusal | None:
    """Demand that exits lie a cent at least on either side of what the order is made at."""
    ticket = case.ticket
    base = case.market if ticket.order_class == OrderClass.OCO else case.price
    profit, loss = ticket.take_profit_price, ticket.stop_loss_price
    if profit is not None and profit < base + CENTS:
        detail = "The take-profit price must be above the price of the order."
        return "take_profit_too_low", "take_profit_price", detail
    if loss is not None and loss > base - CENTS:
        detail = "The stop-loss price must be below the price of the order."
        return "stop_loss_too_high", "stop_loss_price", detail
    return None


def _collar(case: Case) -> Refusal | None:
    for field, is_wild in (
        ("limit_price", _is_limit_wild(case)),
        ("stop_price", _is_stop_wild(case)),
        ("trail_price", _is_trail_wild(case)),
    ):
        if is_wild:
            name = field.replace("_", " ")
            detail = f"The {name} is far beyond the market; check it for a typing error."
            return "price_collar", field, detail
    return None


def _is_limit_wild(case: Case) -> bool:
    """Measure from the market, or from the stop behind which the limit waits."""
    limit, stop = case.ticket.limit_price, case.ticket.stop_price
    if limit is None:
        return False
    collar = case.facts.limits.collar
    if case.ticket.is_buy:
        start = case.market if stop is None else max(case.market, stop)
        return limit > start + start * collar
    start = case.market if stop is None else min(case.market, stop)
    return limit < start - start * collar


def _is_stop_wild(case: Case) -> bool:
    """Say so where it would be triggered at once; a stop may wait as far off as it likes."""
    stop, market = case.ticket.stop_price, case.market
    if stop is None:
        return False
    reach = market * case.facts.limits.collar
    return stop < market - reach if case.ticket.is_buy else stop > market + reach


def _is_trail_wild(case: Case) -> bool:
    trail = case.ticket.trail_price
    return trail is not None and not case.ticket.is_buy and trail >= case.market


def _smallest(case: Case) -> Refusal | None:
    if not case.ticket.is_buy or case.value >= SMALLEST_BUY:
        return None
    return "below_minimum", size_field(case.ticket), "The smallest purchase is $1."


def _largest(case: Case) -> Refusal | None:
    limits, field = case.facts.limits, size_field(case.ticket)
    if not case.facts.is_capped:
        return None
    if case.value > limits.max_notional:
        return "above_maximum", field, f"The largest order is ${limits.max_notional:f}."
    if case.shares > limits.max_quantity:
        detail = f"The largest order is {limits.max_quantity:f} shares."
        return "above_max_quantity", field, detail
    if case.facts.used.day_notional + case.value > limits.daily_notional:
        detail = f"The account may trade ${limits.daily_notional:f} a day; this would be more."
        return "daily_notional", field, detail
    return None


def _wash(case: Case) -> Refusal | None:
    if not any(_could_meet(case.ticket, rival) for rival in case.facts.rivals):
        return None
    detail = "An open order of the account for the other side could trade with this one."
    return "wash_trade", "side", detail


def _could_meet(ticket: Ticket, rival: Rival) -> bool:
    """Compare the two prices; exits, orders that have some, and trailing stops are exempt."""
    is_complex = ticket.order_class != OrderClass.SIMPLE or rival.order_class != OrderClass.SIMPLE
    if is_complex or rival.is_exit:
        return False
    if OrderType.TRAILING_STOP in {ticket.order_type, rival.order_type}:
        return False
    if ticket.limit_price is None or rival.limit_price is None:
        return True
    if ticket.is_buy:
        return ticket.limit_price >= rival.limit_price
    return rival.limit_price >= ticket.limit_price


def _buying_power(case: Case) -> Refusal | None:
    spendable = case.facts.spendable
    if not case.ticket.is_buy or spendable is None or case.value <= spendable:
        return None
    detail = "The order costs more than the account can spend, open orders counted."
    return "insufficient_buying_power", size_field(case.ticket), detail


def _position(case: Case) -> Refusal | None:
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
    return "insufficient_quantity", size_field(ticket), detail


def _concentration(case: Case) -> Refusal | None:
    most, part = case.facts.limits.concentration, case.part_after
    if not case.ticket.is_buy or part is None or most >= 1 or part <= most:
        return None
    detail = f"With it {case.ticket.symbol} would be more than {most:.0%} of the account."
    return "concentration", size_field(case.ticket), detail


WITH_PRICE: Final[tuple[Check, ...]] = (
    _exits,
    _collar,
    _smallest,
    _largest,
    _wash,
    _buying_power,
    _position,
    _concentration,
)

# These depend on holdings that may have changed at the broker since we last read them.
HOLDINGS_RULES: Final = frozenset(
    {"insufficient_buying_power", "insufficient_quantity", "concentration"}
)
