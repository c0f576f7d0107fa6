"""Trying the rules in their order."""

from decimal import Decimal
from typing import Any

from core.errors import Invalid
from core.money import Price, Quantity
from trading.risk.facts import Facts, MarketQuote, Verdict
from trading.risk.refusals import PriceStale
from trading.risk.shape import BEFORE_PRICE, SHAPE_RULES, Refusal
from trading.risk.weight import WITH_PRICE, Case
from trading.tickets import Ticket

STALE = "price_stale"


def judge(ticket: Ticket, facts: Facts) -> Verdict:
    """Try the rules in order and return the first that says no, or a verdict that allows."""
    for rule in BEFORE_PRICE:
        refusal = rule(ticket, facts)
        if refusal:
            return _refused(refusal)
    quote = facts.quote
    if quote is None or quote.is_stale(limits=facts.limits, at=facts.at):
        return Verdict(rule=STALE, field="ticker", detail=PriceStale.detail)
    price = _price_of(ticket, quote)
    value = _value_of(ticket, price)
    known: dict[str, Any] = {"price": price, "value": value, "quote_as_of": quote.as_of}
    for check in WITH_PRICE:
        refusal = check(Case(ticket, facts, price, value))
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


def _refused(refusal: Refusal, **known: Any) -> Verdict:
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
