"""Placing, reading, replacing and canceling orders for a customer."""

import uuid
from dataclasses import replace as changed
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, json_answer, read_json, whole_number
from sandbox.broker import matching, tickets
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.events import read_time
from sandbox.broker.records import Account, Order
from sandbox.broker.tickets import Ticket
from sandbox.broker.views import order_json

_GOOD_TILL_CANCELED = timedelta(days=90)
_REPLACEABLE = frozenset({"new", "partially_filled"})
_CHANGEABLE = ("time_in_force", "limit_price", "stop_price", "trail")
_PAGE, _LARGEST_PAGE = 50, 500


async def create(broker: Broker, request: Request) -> Any:
    """Take an order; 200 means taken, not filled."""
    account = broker.active_account(request.path_params["account_id"])
    ticket = tickets.read(broker, await read_json(request))
    _check_client_order_id(broker, account, ticket.client_order_id)
    tickets.check_against_account(broker, account, ticket)
    return order_json(place(broker, account, ticket))


def _check_client_order_id(broker: Broker, account: Account, client_order_id: str) -> None:
    if (account.id, client_order_id) in broker.books.client_order_ids:
        raise Refusal(422, 40010001, "client_order_id must be unique")


def place(broker: Broker, account: Account, ticket: Ticket, replaces: str | None = None) -> Order:
    """Write a checked order into the books and start its life."""
    now = broker.now()
    is_open = broker.world.prices.is_open(now)
    order = Order(
        id=str(uuid.uuid4()),
        client_order_id=ticket.client_order_id,
        account_id=account.id,
        asset_id=ticket.asset.id,
        symbol=ticket.asset.symbol,
        side=ticket.side,
        type=ticket.type,
        time_in_force=ticket.time_in_force,
        status="pending_new" if is_open else "accepted",
        created_at=now,
        updated_at=now,
        submitted_at=now,
        expires_at=_expiry(broker, ticket, now),
        qty=ticket.qty,
        notional=ticket.notional,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        extended_hours=ticket.extended_hours,
        treatment=broker.treatment("partial_fill", "reject_order"),
        replaces=replaces,
    )
    broker.books.save(order)
    broker.world.effects.record(
        VENDOR,
        "order.created",
        order.id,
        client_key=order.client_order_id,
        account_id=account.id,
        amount=order.notional,
        qty=order.qty,
        symbol=order.symbol,
    )
    matching.plan(broker, order)
    return order


def _expiry(broker: Broker, ticket: Ticket, now: datetime) -> datetime:
    if ticket.time_in_force == "gtc":
        return now + _GOOD_TILL_CANCELED
    return broker.world.prices.next_close(now)


async def show(broker: Broker, request: Request) -> Any:
    """Answer one order."""
    return order_json(_find(broker, request))


async def show_by_client_id(broker: Broker, request: Request) -> Any:
    """Answer the order that has the client's own id."""
    account = broker.account(request.path_params["account_id"])
    client_order_id = request.query_params.get("client_order_id", "")
    order_id = broker.books.client_order_ids.get((account.id, client_order_id))
    if order_id is None:
        raise Refusal(404, 40410000, "order not found")
    return order_json(broker.books.orders[account.id][order_id])


def _find(broker: Broker, request: Request) -> Order:
    account = broker.account(request.path_params["account_id"])
    order_id = request.path_params["order_id"]
    order = broker.books.orders.get(account.id, {}).get(order_id)
    if order is None:
        raise Refusal(404, 40410000, f"order not found for {order_id}")
    return order


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer a page of orders, by default the newest open ones."""
    account = broker.account(request.path_params["account_id"])
    query = request.query_params
    found = [
        order
        for order in broker.books.orders.get(account.id, {}).values()
        if _has_status(order, query.get("status", "open")) and _is_wanted(order, query)
    ]
    found.sort(
        key=lambda order: (order.submitted_at, order.id),
        reverse=query.get("direction", "desc") != "asc",
    )
    limit = min(whole_number(query, "limit", _PAGE), _LARGEST_PAGE)
    return [order_json(order) for order in found[:limit]]


def _has_status(order: Order, status: str) -> bool:
    if status not in {"open", "closed", "all"}:
        raise Refusal(422, 40010001, "invalid status")
    return status == "all" or order.is_open == (status == "open")


def _is_wanted(order: Order, query: Any) -> bool:
    if (symbols := query.get("symbols")) and order.symbol not in symbols.upper().split(","):
        return False
    if query.get("side") not in {None, order.side}:
        return False
    if (after := query.get("after")) and order.submitted_at <= read_time(after):
        return False
    return not ((until := query.get("until")) and order.submitted_at >= read_time(until))


async def replace(broker: Broker, request: Request) -> Any:
    """Put a changed order in the place of an open one."""
    old = _find(broker, request)
    account = broker.active_account(old.account_id)
    if old.notional is not None:
        raise Refusal(422, 42210000, "notional orders cannot be replaced")
    if old.status not in _REPLACEABLE:
        raise Refusal(422, 42210000, f'order is not replaceable in "{old.status}" state')
    ticket = _changed_ticket(broker, old, await read_json(request))
    _check_client_order_id(broker, account, ticket.client_order_id)
    left = ticket.qty - old.filled_qty if ticket.qty is not None else None
    if left is not None and left <= 0:
        raise Refusal(422, 42210000, "qty must be greater than the quantity already filled")
    ticket = changed(ticket, qty=left)
    tickets.check_against_account(broker, account, ticket, released=old)
    now = broker.now()
    new = place(broker, account, ticket, replaces=old.id)
    old.replaced_by, old.replaced_at = new.id, now
    matching.move(broker, old, "replaced", now, "replaced")
    return order_json(new)


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


async def cancel(broker: Broker, request: Request) -> Any:
    """Begin to cancel one order."""
    order = _find(broker, request)
    if not order.is_open or order.status == "pending_cancel":
        raise Refusal(422, 42210000, f'order is already in "{order.status}" state')
    matching.cancel(broker, order)
    return Response(status_code=204)


async def cancel_all(broker: Broker, request: Request) -> Any:
    """Begin to cancel every open order."""
    account = broker.account(request.path_params["account_id"])
    return json_answer(cancel_open(broker, account), 207)


def cancel_open(
    broker: Broker, account: Account, *, is_immediate: bool = False
) -> list[dict[str, Any]]:
    """Begin to cancel, or cancel at once, every open order and tell how each went."""
    answers = []
    for order in list(broker.books.open_orders.get(account.id, {}).values()):
        if order.status != "pending_cancel":
            matching.cancel(broker, order)
        if is_immediate:
            matching.finish_cancel(broker, order, broker.now())
        answers.append({"id": order.id, "status": 200, "body": order_json(order)})
    return answers
