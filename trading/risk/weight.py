"""Rules that weigh an order against the market and the account."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading.risk.facts import Facts
from trading.risk.shape import Refusal, size_field
from trading.tickets import Ticket

SMALLEST_BUY = Decimal(1)


@dataclass(frozen=True)
class Case:
    ticket: Ticket
    facts: Facts
    price: Decimal
    value: Decimal


def _collar(case: Case) -> Refusal | None:
    if case.ticket.limit_price is None or case.facts.quote is None:
        return None
    market = case.facts.quote.price_for(is_buy=case.ticket.is_buy)
    reach = market * case.facts.limits.collar
    is_wild = case.price > market + reach if case.ticket.is_buy else case.price < market - reach
    if not is_wild:
        return None
    detail = "The limit price is far beyond the market; check it for a typing error."
    return "price_collar", "limit_price", detail


def _smallest(case: Case) -> Refusal | None:
    if not case.ticket.is_buy or case.value >= SMALLEST_BUY:
        return None
    return "below_minimum", size_field(case.ticket), "The smallest purchase is $1."


def _largest(case: Case) -> Refusal | None:
    largest = case.facts.limits.max_notional
    if case.value <= largest:
        return None
    return "above_maximum", size_field(case.ticket), f"The largest order is ${largest}."


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


WITH_PRICE: tuple[Callable[[Case], Refusal | None], ...] = (
    _collar,
    _smallest,
    _largest,
    _buying_power,
    _position,
)


# These depend on holdings that may have changed at the broker since we last read them.
HOLDINGS_RULES = frozenset({"insufficient_buying_power", "insufficient_quantity"})
