"""Putting a changed order in the place of a working one."""

from dataclasses import replace as changed
from typing import Any

from starlette.requests import Request

from sandbox.answers import Refusal, read_json
from sandbox.broker import hours, matching, moves, orders, tickets
from sandbox.broker.core import Broker
from sandbox.broker.records import Order
from sandbox.broker.tickets import Ticket
from sandbox.broker.views import nested_json

_REPLACEABLE = frozenset({"new", "partially_filled", "held"})
_CHANGEABLE = ("time_in_force", "limit_price", "stop_price", "trail")
# Of orders that came with others.
_FIXED = ("qty", "time_in_force", "trail")


async def replace(broker: Broker, request: Request) -> Any:
    """
    Take a changed order for an open one.

    The answer says that the broker will try. Until it has, the old order may still fill; then, or
    if the exchange says no, the new order ends and the old one stays what it is.
    """
    old = orders.find(broker, request)
    account = broker.active_account(old.account_id)
    body = await read_json(request)
    _check(old, body)
    ticket = _changed_ticket(broker, old, body)
    hours.check(broker, ticket)
    orders.check_client_order_id(broker, account, ticket.client_order_id)
    left = ticket.qty - old.filled_qty if ticket.qty is not None else None
    if left is not None and left <= 0:
        raise Refusal(422, 42210000, "qty must be greater than the quantity already filled")
    ticket = changed(ticket, qty=left, order_class=old.order_class)
    if old.status != "held":  # what is held takes nothing yet
        tickets.check_against_account(broker, account, ticket, released=old)
    new = orders.place(broker, account, ticket, replaces=old)
    _begin(broker, old, new)
    return nested_json(broker, new)


def _check(old: Order, body: Any) -> None:
    if not isinstance(body, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    if old.notional is not None:
        raise Refusal(422, 42210000, "notional orders cannot be replaced")
    if old.status not in _REPLACEABLE:
        raise Refusal(422, 42210000, f'order is not replaceable in "{old.status}" state')
    if old.order_class and any(body.get(name) is not None for name in _FIXED):
        raise Refusal(
            422,
            42210000,
            f"only limit_price and stop_price of {old.order_class} orders can be replaced",
        )
    qty = tickets.number(body, "qty")
    if qty is None:
        return
    if qty != qty.to_integral_value():
        raise Refusal(422, 40010001, "qty must be an integer")
    if old.qty is not None and old.qty != old.qty.to_integral_value():
        raise Refusal(422, 42210000, "qty of fractional orders cannot be replaced")


def _changed_ticket(broker: Broker, old: Order, body: dict[str, Any]) -> Ticket:
    trail = "trail_price" if old.trail_price is not None else "trail_percent"
    values: dict[str, Any] = {
        "symbol": old.symbol,
        "side": old.side,
        "type": old.type,
        "time_in_force": old.time_in_force,
        "qty": old.qty,
        "limit_price": old.limit_price,
        "stop_price": old.stop_price,
        "trail_price": old.trail_price,
        "trail_percent": old.trail_percent,
        "extended_hours": old.extended_hours,
        "client_order_id": body.get("client_order_id"),
    }
    for name in ("qty", *_CHANGEABLE):
        if body.get(name) is not None:
            values[trail if name == "trail" else name] = body[name]
    return tickets.read(broker, values)


def _begin(broker: Broker, old: Order, new: Order) -> None:
    now = broker.now()
    subject = f"{old.account_id} {old.client_order_id} {new.client_order_id}"
    if broker.mishap("order_replace_rejected", subject=subject):
        old.refuses = "replace"
    is_held = old.status == "held"
    old.resumes_as, old.replaced_by = old.status, new.id
    moves.move(broker, old, "pending_replace", now)
    if is_held:  # the exchange does not know it yet, so nothing can come between
        moves.finish_replace(broker, old, now)
    else:
        broker.later(
            now,
            matching.REPLACED_AFTER_SECONDS,
            lambda at: moves.finish_replace(broker, old, at),
        )
