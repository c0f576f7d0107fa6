"""Placing, reading and canceling orders for a customer."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, as_bool, json_answer, read_json, whole_number
from sandbox.broker import classes, hours, matching, moves, tickets
from sandbox.broker.core import Broker
from sandbox.broker.events import read_time
from sandbox.broker.records import Account, Order
from sandbox.broker.tickets import Ticket
from sandbox.broker.views import nested_json, order_json

_PAGE, _LARGEST_PAGE = 50, 500
_BEING_CHANGED = frozenset({"pending_cancel", "pending_replace"})


async def create(broker: Broker, request: Request) -> Any:
    """Take an order; 200 means taken, not filled."""
    account = broker.active_account(request.path_params["account_id"])
    ticket = classes.read(broker, await read_json(request))
    hours.check(broker, ticket)
    check_client_order_id(broker, account, ticket.client_order_id)
    tickets.check_against_account(broker, account, ticket)
    return nested_json(broker, place(broker, account, ticket))


def check_client_order_id(broker: Broker, account: Account, client_order_id: str) -> None:
    """
    Take an id of the client once.

    :raises Refusal: one of the account's orders has it.
    """
    if (account.id, client_order_id) in broker.books.client_order_ids:
        raise Refusal(422, 40010001, "client_order_id must be unique")


def place(
    broker: Broker, account: Account, ticket: Ticket, *, replaces: Order | None = None
) -> Order:
    """Write a checked order into the books, with its legs, and start its life."""
    order = _written(broker, account, ticket)
    if replaces is not None:
        order.replaces, order.parent_id = replaces.id, replaces.parent_id
        order.filled_before = replaces.filled_qty
        if replaces.status == "held":
            order.status = "held"
    subject = f"{account.id} {order.client_order_id}"
    fault = broker.mishap("partial_fill", "reject_order", subject=subject)
    order.treatment = "" if fault is None else fault.kind
    broker.books.save(order)
    moves.record(broker, "order.created", order, amount=order.notional, qty=order.qty)
    classes.open_legs(broker, order, ticket)
    matching.plan(broker, order)
    return order


def _written(broker: Broker, account: Account, ticket: Ticket) -> Order:
    now = broker.now()
    is_now = ticket.time_in_force in hours.AT_ONCE or hours.can_trade(broker, ticket, now)
    return Order(
        id=str(uuid.uuid4()),
        client_order_id=ticket.client_order_id,
        account_id=account.id,
        asset_id=ticket.asset.id,
        symbol=ticket.asset.symbol,
        side=ticket.side,
        type=ticket.type,
        time_in_force=ticket.time_in_force,
        status="pending_new" if is_now else "accepted",
        created_at=now,
        updated_at=now,
        submitted_at=now,
        expires_at=hours.expiry(broker, ticket, now),
        qty=ticket.qty,
        notional=ticket.notional,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        extended_hours=ticket.extended_hours,
        order_class=ticket.order_class,
    )


async def show(broker: Broker, request: Request) -> Any:
    """Answer one order; `nested` shows its legs."""
    return _shown(broker, request, find(broker, request))


def _shown(broker: Broker, request: Request, order: Order) -> dict[str, Any]:
    is_nested = as_bool(request.query_params.get("nested", False))
    return nested_json(broker, order) if is_nested else order_json(order)


async def show_by_client_id(broker: Broker, request: Request) -> Any:
    """Answer the order that has the client's own id."""
    account = broker.account(request.path_params["account_id"])
    client_order_id = request.query_params.get("client_order_id", "")
    order_id = broker.books.client_order_ids.get((account.id, client_order_id))
    if order_id is None:
        raise Refusal(404, 40410000, "order not found")
    return _shown(broker, request, broker.books.orders[account.id][order_id])


def find(broker: Broker, request: Request) -> Order:
    """
    Find the order that a path names.

    :raises Refusal: the account has no such order.
    """
    account = broker.account(request.path_params["account_id"])
    order_id = request.path_params["order_id"]
    order = broker.books.orders.get(account.id, {}).get(order_id)
    if order is None:
        raise Refusal(404, 40410000, f"order not found for {order_id}")
    return order


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer a page of orders, by default the newest open ones; `nested` puts legs into theirs."""
    account = broker.account(request.path_params["account_id"])
    query = request.query_params
    status, books = query.get("status", "open"), broker.books
    # An account has many orders, and few of them are open.
    known = (
        books.open_orders.of(account.id) if status == "open" else books.orders.get(account.id, {})
    )
    found = {
        order.id: order
        for order in known.values()
        if _has_status(order, status) and _is_wanted(order, query)
    }
    if as_bool(query.get("nested", False)):
        heads = [order for order in found.values() if order.parent_id not in found]
        return [nested_json(broker, order) for order in _page(heads, query)]
    return [order_json(order) for order in _page(list(found.values()), query)]


def _page(found: list[Order], query: Any) -> list[Order]:
    found.sort(
        key=lambda order: (order.submitted_at, order.id),
        reverse=query.get("direction", "desc") != "asc",
    )
    return found[: min(whole_number(query, "limit", _PAGE), _LARGEST_PAGE)]


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


async def cancel(broker: Broker, request: Request) -> Any:
    """Begin to cancel one order."""
    order = find(broker, request)
    _check_cancelable(order)
    matching.cancel(broker, order)
    return Response(status_code=204)


def _check_cancelable(order: Order) -> None:
    if not order.is_open or order.status in _BEING_CHANGED:
        raise Refusal(422, 42210000, f'order is already in "{order.status}" state')


async def cancel_all(broker: Broker, request: Request) -> Any:
    """Begin to cancel every open order."""
    account = broker.account(request.path_params["account_id"])
    return json_answer(cancel_open(broker, account), 207)


def cancel_open(
    broker: Broker, account: Account, *, is_immediate: bool = False
) -> list[dict[str, Any]]:
    """Begin to cancel, or cancel at once, every open order and tell how each went."""
    orders = list(broker.books.open_orders.of(account.id).values())
    return [_cancel_one(broker, order, is_immediate=is_immediate) for order in orders]


def _cancel_one(broker: Broker, order: Order, *, is_immediate: bool) -> dict[str, Any]:
    if is_immediate:
        moves.cancel_now(broker, order, broker.now())
    elif order.status != "pending_cancel":
        try:
            _check_cancelable(order)
        except Refusal as refusal:
            return {"id": order.id, "status": refusal.status, "body": refusal.body}
        matching.cancel(broker, order)
    return {"id": order.id, "status": 200, "body": order_json(order)}
