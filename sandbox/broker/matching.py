"""How orders live: acknowledged, filled against the live quote, canceled or expired."""

import uuid
from datetime import datetime, time
from decimal import ROUND_DOWN, Decimal
from typing import Any

from sandbox.answers import decimal_text
from sandbox.broker import activities, figures, views
from sandbox.broker.core import NEW_YORK, VENDOR, Broker
from sandbox.broker.records import ZERO, Order, stamp
from sandbox.prices import Quote

# Simulated seconds from one step of an order to the next.
ACKNOWLEDGED_AFTER_SECONDS = 0.05
FILLED_AFTER_SECONDS = 0.2
REST_FILLED_AFTER_SECONDS = 0.5
CANCELED_AFTER_SECONDS = 0.1
MATCHING_SECONDS = 0.25
# A fast clock must not turn the matching loop into a busy one.
_SHORTEST_REAL_SECONDS = 0.05

_UNACKNOWLEDGED = frozenset({"pending_new", "accepted"})
_AT_ONCE = frozenset({"ioc", "fok"})
_EXTENDED = (time(4), time(20))
_ONE = Decimal(1)
_HUNDRED = Decimal(100)


def plan(broker: Broker, order: Order) -> None:
    """Put the order's next steps on the agenda; after a restart too."""
    if order.status in _UNACKNOWLEDGED:
        broker.later(
            order.submitted_at,
            ACKNOWLEDGED_AFTER_SECONDS,
            lambda at: _acknowledge(broker, order, at),
        )
    if order.status == "pending_cancel":
        broker.later(order.updated_at, 0, lambda at: finish_cancel(broker, order, at))
    if order.expires_at is not None:
        broker.later(order.expires_at, 0, lambda at: _expire(broker, order, at))


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


def move(broker: Broker, order: Order, status: str, at: datetime, event: str = "") -> None:
    """Give an order another status; `event` tells it to the stream."""
    order.status, order.updated_at = status, at
    broker.books.save(order)
    if event:
        announce(broker, order, event, at)


def _acknowledge(broker: Broker, order: Order, at: datetime) -> None:
    if order.status not in _UNACKNOWLEDGED:
        return
    if order.treatment == "reject_order":
        order.failed_at = at
        move(broker, order, "rejected", at, "rejected")
        return
    move(broker, order, "new", at, "new")
    broker.later(order.submitted_at, FILLED_AFTER_SECONDS, lambda due: try_fill(broker, order, due))


async def run(broker: Broker) -> None:
    """Try all resting orders again and again."""
    clock = broker.world.clock
    while True:
        await clock.sleep(max(MATCHING_SECONDS, _SHORTEST_REAL_SECONDS * clock.speed))
        match_all(broker)


def match_all(broker: Broker) -> None:
    """Try every working order once, with one quote per symbol."""
    now = broker.now()
    for symbol, orders in list(broker.books.working.items()):
        quote = broker.world.prices.quote(symbol)
        if quote is None:
            continue
        for order in list(orders.values()):
            age = (now - order.submitted_at).total_seconds()
            if age >= FILLED_AFTER_SECONDS:
                _try(broker, order, quote, now)


def try_fill(broker: Broker, order: Order, at: datetime) -> None:
    """Fill an order as far as the quote allows."""
    quote = broker.world.prices.quote(order.symbol)
    if quote is not None:
        _try(broker, order, quote, at)


def _try(broker: Broker, order: Order, quote: Quote, at: datetime) -> None:
    if not order.is_open or order.status in _UNACKNOWLEDGED or not _can_trade(broker, order, at):
        return
    if _rests(order, at):
        return
    price = _price(broker, order, quote)
    if price is not None:
        _execute(broker, order, price, at)
    elif order.time_in_force in _AT_ONCE:
        finish_cancel(broker, order, at)


def _rests(order: Order, at: datetime) -> bool:
    """Say whether the other half of a partly filled order has to wait a little."""
    if order.treatment != "partial_fill" or not order.filled_qty:
        return False
    return (at - order.updated_at).total_seconds() < REST_FILLED_AFTER_SECONDS


def _can_trade(broker: Broker, order: Order, at: datetime) -> bool:
    prices = broker.world.prices
    if prices.is_open(at):
        return True
    local = at.astimezone(NEW_YORK)
    begin, end = _EXTENDED
    is_extended = begin <= local.time() < end and prices.sessions.on(local.date()) is not None
    return order.extended_hours and is_extended


def _price(broker: Broker, order: Order, quote: Quote) -> Decimal | None:
    """Give the price an order fills at now; None while it has to wait."""
    if order.type in {"stop", "stop_limit", "trailing_stop"} and not order.is_triggered:
        if not _is_reached(broker, order, quote):
            return None
        order.is_triggered = True
        broker.books.save(order)
    price = quote.ask if order.is_buy else quote.bid
    if order.limit_price is None:
        return price
    is_good = price <= order.limit_price if order.is_buy else price >= order.limit_price
    return price if is_good else None


def _is_reached(broker: Broker, order: Order, quote: Quote) -> bool:
    stop = order.stop_price
    if order.type == "trailing_stop":
        stop = _trail(broker, order, quote.last)
    if stop is None:
        return True
    return quote.last >= stop if order.is_buy else quote.last <= stop


def _trail(broker: Broker, order: Order, last: Decimal) -> Decimal:
    """Move the mark with the market and give the stop that follows it."""
    mark = order.high_water_mark or last
    best = min(mark, last) if order.is_buy else max(mark, last)
    if best != order.high_water_mark:
        order.high_water_mark = best
        broker.books.save(order)
    distance = order.trail_price or best * (order.trail_percent or ZERO) / _HUNDRED
    return best + distance if order.is_buy else best - distance


def _execute(broker: Broker, order: Order, price: Decimal, at: datetime) -> None:
    if order.qty is None and order.target_qty is None:
        order.target_qty = figures.shares((order.notional or ZERO) / price)
    remaining = order.remaining_qty or ZERO
    qty = _half(remaining) if _is_first_of_two(order) else remaining
    order.filled_qty += qty
    order.filled_value += qty * price
    is_done = order.remaining_qty == ZERO
    order.status = "filled" if is_done else "partially_filled"
    order.filled_at = at if is_done else None
    order.updated_at = at
    broker.books.save(order)
    position_qty = _settle(broker, order, qty, price, at)
    broker.world.effects.record(
        VENDOR,
        "order.filled" if is_done else "order.partially_filled",
        order.id,
        client_key=order.client_order_id,
        account_id=order.account_id,
        amount=qty * price,
        qty=qty,
        symbol=order.symbol,
    )
    announce(
        broker,
        order,
        "fill" if is_done else "partial_fill",
        at,
        execution_id=str(uuid.uuid4()),
        price=decimal_text(price),
        qty=decimal_text(qty),
        position_qty=decimal_text(position_qty),
    )


def _is_first_of_two(order: Order) -> bool:
    return order.treatment == "partial_fill" and order.filled_qty == ZERO


def _half(qty: Decimal) -> Decimal:
    half = qty / 2
    whole = half.quantize(_ONE, ROUND_DOWN)
    return whole if whole >= _ONE else figures.shares(half) or qty


def _settle(broker: Broker, order: Order, qty: Decimal, price: Decimal, at: datetime) -> Decimal:
    """Move shares and cash, write it in the book, and give the new position."""
    trade(broker, order.account_id, order.symbol, qty if order.is_buy else -qty, price)
    cash = figures.cents(qty * price)
    cash = -cash if order.is_buy else cash
    activities.book_fill(broker, order, qty=qty, price=price, cash=cash, at=at)
    return broker.books.position(order.account_id, order.symbol).qty


def trade(broker: Broker, account_id: str, symbol: str, qty: Decimal, price: Decimal) -> None:
    """Change a position; a sale takes its shares out at their average cost."""
    position = broker.books.position(account_id, symbol)
    position.cost += qty * (price if qty > 0 else position.average_entry)
    position.qty += qty
    if not position.qty:
        position.cost = ZERO
    broker.books.save(position)


def cancel(broker: Broker, order: Order) -> None:
    """Begin to cancel an order; until it is done, a fill may overtake it."""
    now = broker.now()
    move(broker, order, "pending_cancel", now)
    broker.world.effects.record(
        VENDOR,
        "order.canceled",
        order.id,
        client_key=order.client_order_id,
        account_id=order.account_id,
        symbol=order.symbol,
    )
    broker.later(now, CANCELED_AFTER_SECONDS, lambda at: finish_cancel(broker, order, at))


def finish_cancel(broker: Broker, order: Order, at: datetime) -> None:
    """Cancel what is still open of an order."""
    if order.is_open:
        order.canceled_at = at
        move(broker, order, "canceled", at, "canceled")


def _expire(broker: Broker, order: Order, at: datetime) -> None:
    if order.is_open:
        order.expired_at = at
        move(broker, order, "expired", at, "expired")
