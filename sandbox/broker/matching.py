"""How orders live: acknowledged, filled against the live quote, canceled or expired."""

import uuid
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from sandbox.answers import decimal_text
from sandbox.broker import activities, figures, hours, moves, settlement
from sandbox.broker.core import Broker
from sandbox.broker.moves import announce, move
from sandbox.broker.records import ZERO, Order
from sandbox.prices import Quote

# Whoever makes an order move says so here; how its group follows is told in `moves`.
__all__ = ["announce", "move"]

# Simulated seconds from one step of an order to the next.
REPLACED_AFTER_SECONDS = 0.04
ACKNOWLEDGED_AFTER_SECONDS = 0.05
FILLED_AFTER_SECONDS = 0.2
REST_FILLED_AFTER_SECONDS = 0.5
CANCELED_AFTER_SECONDS = 0.1
MATCHING_SECONDS = 0.25
# A fast clock must not turn the matching loop into a busy one.
_SHORTEST_REAL_SECONDS = 0.05

_UNACKNOWLEDGED = frozenset({"pending_new", "accepted"})
_IDLE = _UNACKNOWLEDGED | {"held"}
# Further back than this, a step is done at the price of when it was due.
_LONG_AGO_SECONDS = 1
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
        broker.later(order.updated_at, 0, lambda at: _end_cancel(broker, order, at))
    if order.is_leaving:
        broker.later(
            order.updated_at,
            REPLACED_AFTER_SECONDS,
            lambda at: moves.finish_replace(broker, order, at),
        )
    if order.expires_at is None:
        return
    if order.time_in_force in hours.AUCTIONS:
        # The opening makes the order a working one first.
        wait = FILLED_AFTER_SECONDS if order.time_in_force == "opg" else 0
        broker.later(order.expires_at, wait, lambda at: _fill_or_end(broker, order, at))
    else:
        broker.later(order.expires_at, 0, lambda at: moves.expire(broker, order, at))


def _acknowledge(broker: Broker, order: Order, at: datetime) -> None:
    """Let an order work; one that came while the market was closed waits until it opens."""
    if order.status not in _UNACKNOWLEDGED:
        return
    if order.treatment == "reject_order":
        order.failed_at = at
        move(broker, order, "rejected", at, "rejected")
        return
    begins = hours.works_from(broker, order, at)
    if begins > at:
        broker.later(begins, 0, lambda due: _acknowledge(broker, order, due))
        return
    move(broker, order, "new", at, "new")
    if order.order_class == "oco":
        moves.release(broker, order, at)
    wait = FILLED_AFTER_SECONDS - ACKNOWLEDGED_AFTER_SECONDS
    broker.later(at, wait, lambda due: try_fill(broker, order, due))


async def run(broker: Broker) -> None:
    """Try all resting orders again and again."""
    clock = broker.world.clock
    while True:
        await clock.sleep(max(MATCHING_SECONDS, _SHORTEST_REAL_SECONDS * clock.speed))
        match_all(broker)


def match_all(broker: Broker) -> None:
    """Try every working order once, with one quote per symbol."""
    now = broker.now()
    known = broker.books.open_orders
    for symbol in known.symbols():
        quote = broker.world.prices.quote(symbol)
        if quote is None:
            continue
        for order in known.reached(symbol, quote):
            age = (now - order.submitted_at).total_seconds()
            if age >= FILLED_AFTER_SECONDS:
                _try(broker, order, quote, now)


def try_fill(broker: Broker, order: Order, at: datetime) -> None:
    """Fill an order as far as the quote allows."""
    quote = _quote_at(broker, order.symbol, at)
    if quote is not None:
        _try(broker, order, quote, at)


def _quote_at(broker: Broker, symbol: str, at: datetime) -> Quote | None:
    is_long_ago = (broker.now() - at).total_seconds() > _LONG_AGO_SECONDS
    return broker.world.prices.quote(symbol, at if is_long_ago else None)


def _try(broker: Broker, order: Order, quote: Quote, at: datetime) -> None:
    if not order.is_open or order.status in _IDLE or order.time_in_force in hours.AUCTIONS:
        return
    if order.time_in_force in hours.AT_ONCE:
        _fill_or_end(broker, order, at)
    elif _is_traded(broker, order, at) and not _rests(order, at):
        price = _price(broker, order, quote)
        if price is not None:
            _execute(broker, order, price, at)


def _fill_or_end(broker: Broker, order: Order, at: datetime) -> None:
    """Fill what can be filled in this moment, and cancel the rest; of `fok`, all or nothing."""
    if not order.is_open:
        return
    quote = _quote_at(broker, order.symbol, at)
    is_auction = order.time_in_force in hours.AUCTIONS
    can_fill = order.status not in _IDLE and quote is not None
    if can_fill and _is_traded(broker, order, at, is_auction=is_auction):
        assert quote is not None  # noqa: S101 - for the type checker
        price = _price(broker, order, quote)
        is_whole = order.treatment != "partial_fill" or order.time_in_force != "fok"
        if price is not None and is_whole:
            _execute(broker, order, price, at)
    moves.cancel_now(broker, order, at)


def _rests(order: Order, at: datetime) -> bool:
    """Say whether the other half of a partly filled order has to wait a little."""
    if order.treatment != "partial_fill" or not order.filled_qty:
        return False
    return (at - order.updated_at).total_seconds() < REST_FILLED_AFTER_SECONDS


def _is_traded(broker: Broker, order: Order, at: datetime, *, is_auction: bool = False) -> bool:
    """Say whether anything of this symbol changes hands for such an order at that moment."""
    asset = broker.world.catalogue.get(order.symbol)
    is_halted = asset is not None and asset.is_halted
    return not is_halted and (is_auction or hours.can_trade(broker, order, at))


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
    if is_done or order.status != "pending_replace":
        order.status = "filled" if is_done else "partially_filled"
    order.filled_at = at if is_done else None
    order.updated_at = at
    broker.books.save(order)
    execution_id = str(uuid.uuid4())
    position_qty = _settle(broker, order, qty, price, at, execution_id=execution_id)
    kind = "order.filled" if is_done else "order.partially_filled"
    moves.record(broker, kind, order, amount=qty * price, qty=qty)
    announce(
        broker,
        order,
        "fill" if is_done else "partial_fill",
        at,
        execution_id=execution_id,
        price=decimal_text(price),
        qty=decimal_text(qty),
        position_qty=decimal_text(position_qty),
    )
    if is_done:
        moves.follow(broker, order, at)
    else:
        moves.shrink(broker, order, qty, at)


def _is_first_of_two(order: Order) -> bool:
    return order.treatment == "partial_fill" and order.filled_qty == ZERO


def _half(qty: Decimal) -> Decimal:
    half = qty / 2
    whole = half.quantize(_ONE, ROUND_DOWN)
    return whole if whole >= _ONE else figures.shares(half) or qty


def _settle(
    broker: Broker,
    order: Order,
    qty: Decimal,
    price: Decimal,
    at: datetime,
    *,
    execution_id: str,
) -> Decimal:
    """Move shares and cash, write it in the book, and give the new position."""
    trade(broker, order.account_id, order.symbol, qty if order.is_buy else -qty, price)
    cash = figures.cents(qty * price)
    cash = -cash if order.is_buy else cash
    activities.book_fill(
        broker, order, qty=qty, price=price, cash=cash, at=at, execution_id=execution_id
    )
    settlement.note(broker, order.account_id, cash, at)
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
    subject = f"{order.account_id} {order.client_order_id}"
    if broker.mishap("order_cancel_rejected", subject=subject):
        order.refuses = "cancel"
    order.resumes_as = order.status
    move(broker, order, "pending_cancel", now)
    moves.record(broker, "order.cancel_asked", order)
    broker.later(now, CANCELED_AFTER_SECONDS, lambda at: _end_cancel(broker, order, at))


def _end_cancel(broker: Broker, order: Order, at: datetime) -> None:
    """Cancel what is still open of an order, or say that this cannot be done."""
    if order.refuses != "cancel":
        moves.cancel_now(broker, order, at)
        return
    order.refuses = ""
    if order.status == "pending_cancel":
        order.status = "partially_filled" if order.filled_qty else order.resumes_as
    order.updated_at = at
    broker.books.save(order)
    announce(broker, order, "order_cancel_rejected", at)
    if order.status in _UNACKNOWLEDGED:
        broker.later(at, 0, lambda due: _acknowledge(broker, order, due))
