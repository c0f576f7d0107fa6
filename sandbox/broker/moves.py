"""How orders change: one status after another, and what one order's end does to its group."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.broker import views
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import ZERO, Order, stamp


def announce(broker: Broker, order: Order, event: str, at: datetime, **extra: Any) -> None:
    """Tell the trade stream what happened to an order."""
    broker.hub.publish(
        "trades",
        order.account_id,
        at,
        {
            "account_id": order.account_id,
            "event": event,
            "order": views.order_json(order),
            "timestamp": extra.pop("timestamp", stamp(at)),
        }
        | extra,
    )


def move(
    broker: Broker,
    order: Order,
    status: str,
    at: datetime,
    event: str = "",
    *,
    is_alone: bool = False,
) -> None:
    """
    Give an order another status; `event` tells it to the stream.

    If that ends the order, its group follows, unless it is to end alone.
    """
    order.status, order.updated_at = status, at
    broker.books.save(order)
    if event:
        announce(broker, order, event, at)
    if not order.is_open and not is_alone:
        follow(broker, order, at)


def cancel_now(broker: Broker, order: Order, at: datetime) -> None:
    """Cancel what is still open of an order."""
    if not order.is_open:
        return
    order.canceled_at = at
    record(broker, "order.canceled", order)
    move(broker, order, "canceled", at, "canceled")


def expire(broker: Broker, order: Order, at: datetime) -> None:
    """End what is still open of an order because its time is over."""
    if order.is_open:
        order.expired_at = at
        move(broker, order, "expired", at, "expired")


def record(
    broker: Broker, kind: str, order: Order, *, client_key: str = "", **figures: Decimal | None
) -> None:
    """Write an effect of an order into the log."""
    broker.world.effects.record(
        VENDOR,
        kind,
        order.id,
        client_key=client_key or order.client_order_id,
        account_id=order.account_id,
        symbol=order.symbol,
        **figures,
    )


# Groups: an entry with its exits (bracket, oto), or two exits of which one cancels the other


def follow(broker: Broker, order: Order, at: datetime) -> None:
    """Let a group do what the end of one of its orders asks for."""
    if not order.order_class or order.status == "replaced":
        return
    if order.is_entry and order.status == "filled":
        release(broker, order, at)
        return
    for other in _others(broker, order):
        is_over = other.expires_at is not None and other.expires_at <= at
        if order.status == "expired" and is_over:
            expire(broker, other, at)
        else:
            cancel_now(broker, other, at)


def release(broker: Broker, order: Order, at: datetime) -> None:
    """Let the legs of an order work from now on."""
    for leg in broker.books.legs_of(order):
        if leg.status == "held":
            move(broker, leg, "new", at, "new")


def shrink(broker: Broker, order: Order, qty: Decimal, at: datetime) -> None:
    """Take from the other exits of a group what one of them has sold."""
    if not order.order_class or order.is_entry:
        return
    for other in _others(broker, order):
        other.qty, other.updated_at = (other.qty or ZERO) - qty, at
        broker.books.save(other)
        announce(broker, other, "restated", at)


def _others(broker: Broker, order: Order) -> list[Order]:
    orders = broker.books.orders[order.account_id]
    head = orders[order.parent_id] if order.parent_id else order
    members = [head, *broker.books.legs_of(head)]
    return [each for each in members if each is not order and each.is_open]


# Replacements


def finish_replace(broker: Broker, old: Order, at: datetime) -> None:
    """Let the new order take the place of the old one, if nothing has come between."""
    new = broker.books.orders[old.account_id].get(old.replaced_by or "")
    if new is None or old.replaced_at is not None:
        return
    # What the old one has filled since the request is not to be bought again.
    filled_since = old.filled_qty - new.filled_before
    left = None if new.qty is None else new.qty - filled_since
    is_possible = old.is_open and old.status != "pending_cancel" and new.is_open
    if old.refuses == "replace" or not is_possible or (left is not None and left <= ZERO):
        _refuse_replace(broker, old, new, at)
        return
    new.qty, new.filled_before, old.replaced_at = left, old.filled_qty, at
    broker.books.save(new)
    broker.books.hand_over_legs(old, new)
    record(broker, "order.replaced", old, client_key=new.client_order_id)
    move(broker, old, "replaced", at, "replaced")


def _refuse_replace(broker: Broker, old: Order, new: Order, at: datetime) -> None:
    old.replaced_by, old.refuses = None, ""
    if old.status == "pending_replace":
        old.status = "partially_filled" if old.filled_qty else old.resumes_as
    old.updated_at = at
    broker.books.save(old)
    announce(broker, old, "order_replace_rejected", at)
    if new.is_open:
        new.failed_at = at
        move(broker, new, "rejected", at, "rejected", is_alone=True)
