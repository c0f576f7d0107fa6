"""
Trying the rules in their order.

Whose they are: the broker's, which it would refuse by itself and which we check before it hears of
the order, or ours.

| rules                                                             | whose      | where    |
| ----------------------------------------------------------------- | ---------- | -------- |
| symbol_malformed, size_*, too_many_decimals, *_unwanted,          | broker     | shape    |
| *_missing, *_not_positive, *_ambiguous, oco_needs_limit           |            |          |
| lots_*                                                            | ours       | shape    |
| account_not_active, symbol_unknown, symbol_not_tradable           | broker     | standing |
| account_frozen, account_closing, trading_halted, symbol_halted,   | ours       | standing |
| symbol_restricted, coins_not_traded, contracts_not_traded         |            |          |
| sub_penny, not_fractionable, fraction_needs_day, fraction_type,   | broker     | kinds    |
| time_in_force_unfit, extended_hours_unfit, class_* (but for       |            |          |
| class_side), exits_crossed, replace_*                             |            |          |
| class_side: nobody sells short here                               | ours       | kinds    |
| market_closed, duplicate_order, open_orders, daily_orders         | ours       | standing |
| price_stale                                                       | ours       | judging  |
| take_profit_too_low, stop_loss_too_high                           | broker     | weight   |
| price_collar, above_maximum, above_max_quantity, daily_notional,  | ours       | weight   |
| concentration                                                     |            |          |
| below_minimum, wash_trade, insufficient_buying_power,             | broker     | weight   |
| insufficient_quantity                                             |            |          |

There is no rule of pattern day trading: the regulator has ended it.
"""

from decimal import Decimal
from typing import Any, Final

from core.errors import Invalid
from core.money import Price, Quantity
from trading.risk.cautions import cautions
from trading.risk.facts import Facts, MarketQuote
from trading.risk.kinds import KIND
from trading.risk.refusals import PriceStale
from trading.risk.shape import FORM, SHAPE_RULES, Refusal
from trading.risk.standing import PLACE, TURN
from trading.risk.verdicts import Verdict
from trading.risk.weight import WITH_PRICE, Case
from trading.states import OrderClass, OrderType
from trading.tickets import Ticket

STALE: Final = "price_stale"
_BEFORE_PRICE: Final = (*FORM, *PLACE, *KIND, *TURN)
_NANO: Final = Decimal("1e-9")
_HUNDRED: Final = Decimal(100)


def judge(ticket: Ticket, facts: Facts) -> Verdict:
    """Try the rules in order and return the first that says no, or a verdict that allows."""
    for rule in _BEFORE_PRICE:
        refusal = rule(ticket, facts)
        if refusal:
            return _refused(refusal, facts=facts)
    quote = facts.quote
    if quote is None or quote.is_stale(
        ticket, limits=facts.limits, at=facts.at, session=facts.session
    ):
        return Verdict(rule=STALE, field="ticker", detail=PriceStale.detail, facts=facts)
    case = _weigh(ticket, facts, quote)
    known: dict[str, Any] = {
        "price": case.price,
        "value": case.value,
        "quote_as_of": quote.as_of,
        "warnings": cautions(case, quote),
        "facts": facts,
    }
    for check in WITH_PRICE:
        refusal = check(case)
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


def _weigh(ticket: Ticket, facts: Facts, quote: MarketQuote) -> Case:
    market = quote.price_for(is_buy=ticket.is_buy)
    price = _price_of(ticket, market)
    value = ticket.notional
    if value is None:
        assert ticket.quantity is not None  # noqa: S101 - the size rule came first
        value = (Quantity(ticket.quantity) * Price(price)).to_nine_places()
    return Case(ticket, facts, market=market, price=price, value=value)


def _price_of(ticket: Ticket, market: Decimal) -> Decimal:
    """Say at which price an order would be filled, as far as it says so itself."""
    if ticket.order_class == OrderClass.OCO and ticket.take_profit_price is not None:
        return ticket.take_profit_price
    if ticket.limit_price is not None:
        return ticket.limit_price
    if ticket.stop_price is not None:
        # One that the market has passed already is filled where the market is.
        return (max if ticket.is_buy else min)(ticket.stop_price, market)
    if ticket.order_type == OrderType.TRAILING_STOP:
        return _trailed(ticket, market)
    return market


def _trailed(ticket: Ticket, market: Decimal) -> Decimal:
    """Say where a trailing stop begins; one that would begin below zero is worth the market."""
    trail = ticket.trail_price or market * (ticket.trail_percent or Decimal(0)) / _HUNDRED
    stop = market + trail if ticket.is_buy else market - trail
    return stop.quantize(_NANO) if stop >= _NANO else market
