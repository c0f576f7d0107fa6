"""Orders that come with others: bracket, OTO, OCO."""

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sandbox.answers import Refusal, decimal_text
from sandbox.broker import figures, matching, moves, tickets
from sandbox.broker.core import Broker
from sandbox.broker.records import Order
from sandbox.broker.tickets import Ticket

_CLASSES = frozenset({"bracket", "oco", "oto"})
_TIMES_IN_FORCE = frozenset({"day", "gtc"})
_OPPOSITE = {"buy": "sell", "sell": "buy"}
_WRONG, _BROKEN = 40010001, 42210000


def read(broker: Broker, body: Any) -> Ticket:
    """
    Read an order of any class and check what can be checked without the account.

    A simple order's `take_profit` and `stop_loss` are ignored, as the broker does.

    :raises Refusal: a rule is broken.
    """
    if not isinstance(body, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    name = str(body.get("order_class") or "")
    if name in {"", "simple"}:
        return tickets.read(broker, body)
    if name not in _CLASSES:
        raise Refusal(422, _WRONG, "invalid order_class")
    _check_form(name, body)
    profit = _exit(body, name, "take_profit", "limit_price", is_needed=name != "oto")
    stop = _exit(body, name, "stop_loss", "stop_price", is_needed=name != "oto")
    if name == "oto" and (profit is None) == (stop is None):
        raise Refusal(422, _WRONG, "oto orders require either take_profit or stop_loss")
    # The take-profit of two exits is the order itself; a limit price beside it means nothing.
    ticket = tickets.read(broker, body | {"limit_price": profit} if name == "oco" else body)
    ticket = replace(
        ticket,
        order_class=name,
        take_profit=profit,
        stop_loss=stop,
        stop_loss_limit=_exit(body, name, "stop_loss", "limit_price", is_needed=False),
    )
    if ticket.asset.is_coin:
        raise Refusal(422, _BROKEN, "crypto orders must be simple orders")
    _check_prices(ticket)
    if name != "oco":
        _check_distance(broker, ticket)
    return ticket


def _check_form(name: str, body: dict[str, Any]) -> None:
    allowed = {"limit"} if name == "oco" else {"market", "limit"}
    if str(body.get("type")) not in allowed:
        raise Refusal(422, _WRONG, f"{name} orders must be {' or '.join(sorted(allowed))} orders")
    if str(body.get("time_in_force")) not in _TIMES_IN_FORCE:
        raise Refusal(422, _WRONG, f"{name} orders must be DAY or GTC orders")
    if tickets.flag(body, "extended_hours"):
        raise Refusal(422, _BROKEN, f"{name} orders must not be extended hours orders")
    qty = tickets.number(body, "qty")
    if qty is None or qty != qty.to_integral_value():
        raise Refusal(422, _BROKEN, "fractional orders must be simple orders")
    side = "sell" if name == "oco" else "buy"
    if str(body.get("side")) == _OPPOSITE[side]:
        kind = "exit" if name == "oco" else "entry"
        raise Refusal(422, _BROKEN, f"{name} orders must be {kind} orders")


def _exit(
    body: dict[str, Any], name: str, section: str, field: str, *, is_needed: bool
) -> Decimal | None:
    given = body.get(section)
    if given is not None and not isinstance(given, dict):
        raise Refusal(422, _WRONG, f"{section} must be an object")
    price = tickets.number(given or {}, field, shown_as=f"{section}.{field}")
    if price is not None:
        tickets.check_increment(f"{section}.{field}", price)
    elif is_needed or (given is not None and (section, field) != ("stop_loss", "limit_price")):
        raise Refusal(422, _WRONG, f"{name} orders require {section}.{field}")
    return price


def _check_prices(ticket: Ticket) -> None:
    """Require the profit above the stop: both sell what is held."""
    if ticket.take_profit is None or ticket.stop_loss is None:
        return
    if ticket.take_profit <= ticket.stop_loss:
        raise Refusal(
            422, _BROKEN, "take_profit.limit_price must be greater than stop_loss.stop_price"
        )


def _check_distance(broker: Broker, ticket: Ticket) -> None:
    """Compare the exits with what the shares are bought for."""
    base = ticket.limit_price or figures.price_of(broker, ticket.asset.symbol)
    if ticket.take_profit is not None and ticket.take_profit < base + figures.CENT:
        _refuse_distance("take_profit.limit_price must be >= base_price + 0.01", base)
    if ticket.stop_loss is not None and ticket.stop_loss > base - figures.CENT:
        _refuse_distance("stop_loss.stop_price must be <= base_price - 0.01", base)


def _refuse_distance(message: str, base: Decimal) -> None:
    raise Refusal(422, _BROKEN, message, base_price=decimal_text(base))


def open_legs(broker: Broker, parent: Order, ticket: Ticket) -> None:
    """Write the legs of a new order into the books; they are held until it lets them work."""
    if ticket.take_profit is not None and ticket.order_class != "oco":
        _open_leg(broker, parent, type="limit", limit_price=ticket.take_profit)
    if ticket.stop_loss is not None:
        _open_leg(
            broker,
            parent,
            type="stop" if ticket.stop_loss_limit is None else "stop_limit",
            stop_price=ticket.stop_loss,
            limit_price=ticket.stop_loss_limit,
        )


def _open_leg(broker: Broker, parent: Order, **prices: Any) -> None:
    leg = Order(
        id=str(uuid.uuid4()),
        client_order_id=str(uuid.uuid4()),
        account_id=parent.account_id,
        asset_id=parent.asset_id,
        symbol=parent.symbol,
        side="sell",
        time_in_force=parent.time_in_force,
        status="held",
        created_at=parent.created_at,
        updated_at=parent.created_at,
        submitted_at=parent.submitted_at,
        expires_at=parent.expires_at,
        qty=parent.qty,
        order_class=parent.order_class,
        parent_id=parent.id,
        **prices,
    )
    broker.books.save(leg)
    moves.record(broker, "order.leg_created", leg, qty=leg.qty)
    moves.announce(broker, leg, "held", leg.created_at)
    matching.plan(broker, leg)
