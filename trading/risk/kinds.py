"""The broker's rules of which kinds of orders exist: types, times in force, fractions, exits."""

from typing import Final

from trading.risk.facts import Facts
from trading.risk.shape import (
    CENTS,
    PRICES,
    SUB_DOLLAR_TICK,
    Refusal,
    Rule,
    is_fractional,
    is_multiple,
    size_field,
)
from trading.states import OrderClass, OrderType, TimeInForce
from trading.tickets import Ticket

_WORKING: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})
# Stops wait, so that they take no part in auctions and cannot be for now or never.
_TIMES_OF: Final = {
    OrderType.MARKET: frozenset(TimeInForce),
    OrderType.LIMIT: frozenset(TimeInForce),
    OrderType.STOP: _WORKING,
    OrderType.STOP_LIMIT: _WORKING,
    OrderType.TRAILING_STOP: _WORKING,
}
_TYPES_FOR_DOLLARS: Final = frozenset({OrderType.MARKET, OrderType.LIMIT})


def _ticks(ticket: Ticket, _facts: Facts) -> Refusal | None:
    for field in PRICES:
        price = getattr(ticket, field)
        if price is None:
            continue
        if not is_multiple(price, CENTS if price >= 1 else SUB_DOLLAR_TICK):
            detail = "Prices of one dollar and more have 2 decimals, lower ones 4."
            return "sub_penny", field, detail
    return None


def _fractions(ticket: Ticket, facts: Facts) -> Refusal | None:
    if not is_fractional(ticket):
        return None
    field = size_field(ticket)
    if facts.instrument is not None and not facts.instrument.is_fractionable:
        return "not_fractionable", field, f"{ticket.symbol} is traded in whole shares only."
    if ticket.time_in_force != TimeInForce.DAY:
        detail = "Orders for dollars or fractions of shares are good for the day only."
        return "fraction_needs_day", "time_in_force", detail
    if ticket.notional is not None and ticket.order_type not in _TYPES_FOR_DOLLARS:
        return "fraction_type", "order_type", "An order for dollars is a market or limit order."
    if ticket.order_type == OrderType.TRAILING_STOP:
        return "fraction_type", "order_type", "A trailing stop is for whole shares."
    return None


def _times(ticket: Ticket, _facts: Facts) -> Refusal | None:
    if ticket.time_in_force in _TIMES_OF[ticket.order_type]:
        return None
    kind = ticket.order_type.label.lower()
    detail = f"A {kind} order cannot be {ticket.time_in_force.label.upper()}."
    return "time_in_force_unfit", "time_in_force", detail


def _hours(ticket: Ticket, _facts: Facts) -> Refusal | None:
    is_fit = (
        ticket.order_type == OrderType.LIMIT
        and ticket.time_in_force in _WORKING
        and ticket.order_class == OrderClass.SIMPLE
    )
    if not ticket.extended_hours or is_fit:
        return None
    detail = "Outside the session only simple limit orders trade, DAY or GTC."
    return "extended_hours_unfit", "extended_hours", detail


def _class(ticket: Ticket, _facts: Facts) -> Refusal | None:
    if ticket.order_class == OrderClass.SIMPLE:
        return None
    if ticket.is_buy == (ticket.order_class == OrderClass.OCO):
        detail = "A BRACKET or OTO begins with a purchase, an OCO sells what is held."
        return "class_side", "side", detail
    if is_fractional(ticket):
        return "class_whole_shares", size_field(ticket), "Orders with exits are for whole shares."
    if ticket.time_in_force not in _WORKING:
        return "class_time_in_force", "time_in_force", "Orders with exits are DAY or GTC."
    if ticket.order_type == OrderType.TRAILING_STOP:
        return "class_type", "order_type", "A trailing stop has no exits."
    return None


def _exits_order(ticket: Ticket, _facts: Facts) -> Refusal | None:
    profit, loss = ticket.take_profit_price, ticket.stop_loss_price
    if profit is None or loss is None or profit > loss:
        return None
    detail = "The take-profit price must be above the stop-loss price."
    return "exits_crossed", "take_profit_price", detail


def _replacement(ticket: Ticket, facts: Facts) -> Refusal | None:
    if facts.replaced is None:
        return None
    if facts.replaced.notional is not None or ticket.notional is not None:
        detail = "An order for dollars cannot be changed; cancel it and place a new one."
        return "replace_notional", "notional_amount", detail
    if is_fractional(ticket):
        detail = "An order can be changed to whole shares only."
        return "replace_whole_shares", "units", detail
    return None


KIND: Final[tuple[Rule, ...]] = (
    _ticks,
    _fractions,
    _times,
    _hours,
    _class,
    _exits_order,
    _replacement,
)
