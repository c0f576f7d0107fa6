"""Fills that the exchange takes back or changes, and what is left of them in the books."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.answers import Refusal, as_bool, as_decimal, decimal_text
from sandbox.broker import activities, bookings, figures, matching, settlement
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import ZERO, Activity, Order, stamp

_BAD, _IMPOSSIBLE = 40010000, 42210000


def bust(broker: Broker, order_id: str, body: Any) -> Order:
    """
    Take one fill of an order back: `{"execution_id"}`, without it the latest one.

    A filled order is canceled then; with `"works_on": true` the broker tries to fill it again.

    :raises Refusal: there is no such fill, or the shares are no longer there.
    """
    order, line = _found(broker, order_id, body)
    _check(broker, order, line, change=-line.signed_qty)
    take_back(broker, order, line, broker.now(), works_on=as_bool(body.get("works_on", False)))
    return order


def correct(broker: Broker, order_id: str, body: Any) -> Order:
    """
    Change a fill: `{"execution_id", "price", "qty"}`, each of which may be left out.

    :raises Refusal: there is no such fill, a number makes no sense, or the shares are gone.
    """
    order, line = _found(broker, order_id, body)
    qty = _number(body, "qty", line.qty or ZERO)
    price = _number(body, "price", line.price or ZERO)
    rest = order.remaining_qty
    if rest is not None and qty > (line.qty or ZERO) + rest:
        raise Refusal(422, _IMPOSSIBLE, "qty must not be more than was ordered")
    sign = 1 if order.is_buy else -1
    _check(broker, order, line, change=sign * qty - line.signed_qty)
    amend(broker, order, line, broker.now(), qty=qty, price=price)
    return order


def take_back(
    broker: Broker, order: Order, line: Activity, at: datetime, *, works_on: bool = False
) -> str:
    """Take a fill back in order, position, cash and book; give the ULID of the event."""
    order.filled_qty -= line.qty or ZERO
    order.filled_value -= (line.qty or ZERO) * (line.price or ZERO)
    _restate(order, at, works_on=works_on)
    told = {"execution_type": "trade_bust"}
    new = replace(_replacement(order, line, at), status="canceled", details=told)
    _rewrite(broker, order, line, new)
    broker.world.effects.record(VENDOR, "trade.busted", line.execution_id or "", **_what(order))
    return _tell(broker, order, "trade_bust", line, new, reason="TRADE_BUST")


def amend(
    broker: Broker, order: Order, line: Activity, at: datetime, *, qty: Decimal, price: Decimal
) -> tuple[Activity, str]:
    """Put a changed fill in the place of one; give its line, and the ULID of the event."""
    order.filled_qty += qty - (line.qty or ZERO)
    order.filled_value += qty * price - (line.qty or ZERO) * (line.price or ZERO)
    _restate(order, at)
    cash = figures.cents(qty * price)
    new = replace(
        _replacement(order, line, at),
        status="correct",
        details={"execution_type": "trade_correct"},
        executed_at=line.executed_at or line.at,
        qty=qty,
        price=price,
        cash=-cash if order.is_buy else cash,
    )
    _rewrite(broker, order, line, new)
    broker.world.effects.record(VENDOR, "trade.corrected", line.execution_id or "", **_what(order))
    return new, _tell(broker, order, "trade_correct", line, new)


def recount(broker: Broker, account_id: str, symbol: str) -> None:
    """Work a position out anew from the lines that stand, in the order they happened."""
    qty = cost = ZERO
    for line in sorted(
        _lines(broker, account_id, symbol), key=lambda line: line.executed_at or line.at
    ):
        moved = line.signed_qty
        if line.moves_shares:
            cost += line.cost
        elif moved > 0:
            cost += moved * (line.price or ZERO)
        elif qty:
            cost += moved * (cost / qty)
        qty += moved
        cost = cost if qty else ZERO
    position = broker.books.position(account_id, symbol)
    position.qty, position.cost = qty, cost
    broker.books.save(position)


def _lines(broker: Broker, account_id: str, symbol: str) -> Iterable[Activity]:
    lines = broker.books.activities.get(account_id, [])
    return (line for line in lines if line.symbol == symbol and line.signed_qty)


def _found(broker: Broker, order_id: str, body: Any) -> tuple[Order, Activity]:
    if not isinstance(body, dict):
        raise Refusal(400, _BAD, "request body format is invalid")
    for orders in broker.books.orders.values():
        if order := orders.get(order_id):
            return order, _fill_of(broker, order, body.get("execution_id"))
    raise Refusal(404, 40410000, f"order not found for {order_id}")


def _fill_of(broker: Broker, order: Order, execution_id: object) -> Activity:
    fills = [
        line
        for line in broker.books.activities.get(order.account_id, [])
        if line.order_id == order.id and line.is_fill and line.status != "canceled"
    ]
    if execution_id is not None:
        fills = [line for line in fills if line.execution_id == execution_id]
    if not fills:
        raise Refusal(404, 40410000, "the order has no such execution that stands")
    return fills[-1]


def _check(broker: Broker, order: Order, line: Activity, *, change: Decimal) -> None:
    """Refuse what this broker's books could not bear: short positions, and shares long split."""
    if broker.books.position(order.account_id, order.symbol).qty + change < 0:
        raise Refusal(422, _IMPOSSIBLE, "the shares of this execution have been sold since")
    later = _lines(broker, order.account_id, order.symbol)
    if any(each.moves_shares and each.at >= line.at for each in later):
        raise Refusal(422, _IMPOSSIBLE, "a corporate action has changed these shares since")


def _restate(order: Order, at: datetime, *, works_on: bool = False) -> None:
    """Give the order the status that its fills now leave it."""
    order.updated_at = at
    is_partly_filled = bool(order.filled_qty)
    if is_partly_filled and order.remaining_qty == ZERO:
        order.status, order.filled_at = "filled", order.filled_at or at
    elif order.status == "filled":
        order.filled_at = None
        order.status = "partially_filled" if is_partly_filled else "new"
        if not works_on:
            order.status, order.canceled_at = "canceled", at
    elif order.status == "partially_filled" and not is_partly_filled:
        order.status = "new"


def _replacement(order: Order, line: Activity, at: datetime) -> Activity:
    execution_id = str(uuid.uuid4())
    return replace(
        line,
        id=activities.new_id(at, execution_id),
        at=at,
        executed_at=None,
        previous_id=line.id,
        execution_id=execution_id,
        cum_qty=order.filled_qty,
        leaves_qty=order.remaining_qty,
        order_status=order.status,
    )


def _rewrite(broker: Broker, order: Order, old: Activity, new: Activity) -> None:
    broker.books.save(order)
    change = new.moved - old.moved
    bookings.strike(broker, broker.books.accounts[order.account_id], old)
    activities.book(broker, new)
    if change < 0:
        # Cash that is taken back must not count as settled; what comes back was there before.
        settlement.note(broker, order.account_id, change, new.at)
    recount(broker, order.account_id, order.symbol)


def _tell(
    broker: Broker, order: Order, event: str, old: Activity, new: Activity, **more: Any
) -> str:
    held = broker.books.position(order.account_id, order.symbol).qty
    matching.announce(
        broker,
        order,
        event,
        new.at,
        timestamp=stamp(new.executed_at or new.at),
        execution_id=new.execution_id,
        previous_execution_id=old.execution_id,
        price=decimal_text(new.price),
        qty=decimal_text(new.qty),
        position_qty=decimal_text(held),
        **more,
    )
    return broker.hub.history("trades")[-1].ulid


def _what(order: Order) -> dict[str, Any]:
    return {
        "client_key": order.client_order_id,
        "account_id": order.account_id,
        "qty": order.filled_qty,
        "symbol": order.symbol,
    }


def _number(body: dict[str, Any], name: str, default: Decimal) -> Decimal:
    number = as_decimal(body.get(name, default))
    if number is None or number <= 0 or number != figures.shares(number):
        raise Refusal(400, _BAD, f"{name} must be a positive number with at most nine places")
    return number
