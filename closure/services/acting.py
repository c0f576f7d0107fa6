"""Carrying out one action of a closure; each effect has a fixed id, so that repeating is safe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final
from uuid import UUID

import structlog

from closure.models import ClosingRequest, Closure
from closure.saga import SELDOM, SHORTLY, SOON, actions, facts
from closure.services.couriers import ClosingCourier
from closure.states import Step
from core.auth import SYSTEM, acting_as
from core.errors import CleraError
from core.failpoints import failpoint
from core.intents import sending
from core.intents.states import IntentState
from funding.services import transfers
from funding.states import Direction
from trading import services as trading
from trading.states import OrderType, Side, Source, TimeInForce

logger = structlog.get_logger()
# A sale that came to nothing is tried again after this, then after twice of it, and so on.
FIRST_PAUSE: Final = timedelta(seconds=15)
LONGEST_PAUSE: Final = timedelta(hours=1)
_MOST_DOUBLINGS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Done:
    """
    What an action has come to, to be written down.

    Without a delay the next action follows at once.
    """

    what: str = ""
    words: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    delay: timedelta | None = None
    problem: str = ""
    move_to: Step | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    sales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    end: actions.Review | actions.Fail | actions.Stop | actions.Finish | None = None


def perform(closure: Closure, action: actions.Action, *, at: datetime) -> Done:
    """
    Do what was decided; vendors are called outside any transaction.

    What goes wrong in a way that we can name becomes a problem that people see, and is tried again.
    """
    try:
        return _DEEDS[type(action)](closure, action, at)
    except CleraError as error:
        logger.warning("closure.not_done", id=str(closure.pk), step=closure.step, error=error.code)
        return Done(delay=SHORTLY, problem=error.detail)


def _move(_closure: Closure, action: actions.Move, _at: datetime) -> Done:
    settles = {} if action.settles_on is None else {"settles_on": action.settles_on}
    return Done(what="moved", details={"to": action.to}, move_to=action.to, changes=settles)


def _wait(_closure: Closure, action: actions.Wait, _at: datetime) -> Done:
    return Done(delay=action.delay, problem=action.problem)


def _cancel_orders(closure: Closure, _action: actions.CancelOrders, at: datetime) -> Done:
    orders = trading.cancel_all(principal=SYSTEM, account_id=closure.account_id, at=at)
    failpoint("closure.orders_canceled")
    ids = [str(order.pk) for order in orders]
    return Done(what="orders_canceled", details={"orders": ids}, delay=SOON)


def _sell(closure: Closure, action: actions.Sell, at: datetime) -> Done:
    asked, problems = [], []
    for order in action.orders:
        try:
            _sell_one(closure, order, at=at)
        except CleraError as error:
            problems.append(f"{order.symbol}: {error.detail}")
        asked.append(str(order.id))
        failpoint("closure.sale_sent")
    return Done(
        what="sales_sent",
        details={"orders": asked},
        delay=SHORTLY if problems else SOON,
        problem=" ".join(problems),
        sales={order.symbol: {} for order in action.orders},
    )


def _sell_one(closure: Closure, order: actions.Order, *, at: datetime) -> None:
    ticket = trading.Ticket(
        symbol=order.symbol,
        side=Side.SELL,
        quantity=order.quantity,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
    )
    trading.place_order(
        principal=SYSTEM,
        account_id=closure.account_id,
        ticket=ticket,
        request=None,
        at=at,
        source=Source.CLOSURE,
        order_id=order.id,
    )


def _sell_again(closure: Closure, action: actions.SellAgain, at: datetime) -> Done:
    changes = {each.symbol: _next_try(closure, each, at=at) for each in action.holdings}
    words = " ".join(
        f"{symbol}: {change['problem']}" for symbol, change in changes.items() if change["problem"]
    )
    symbols = sorted(changes)
    return Done(what="sale_over", words=words, details={"symbols": symbols}, sales=changes)


def _next_try(closure: Closure, holding: facts.Holding, *, at: datetime) -> dict[str, Any]:
    """Say when a symbol is tried again: at once when something was sold, else later and later."""
    sale = holding.sale
    assert sale is not None  # noqa: S101 - only a sale that is over is counted
    misses = 0 if sale.has_sold else int(closure.sales.get(holding.symbol, {}).get("misses", 0)) + 1
    is_smaller = sale.is_too_large and sale.quantity is not None
    pause = FIRST_PAUSE * 2 ** min(misses - 1, _MOST_DOUBLINGS) if misses else timedelta(0)
    until = None if is_smaller or not misses else at + min(pause, LONGEST_PAUSE)
    most = _half(sale.quantity) if is_smaller and sale.quantity is not None else holding.most
    return {
        "number": holding.number + 1,
        "misses": misses,
        "not_before": until.isoformat() if until else None,
        "most": None if most is None else format(most, "f"),
        "problem": sale.reason,
    }


def _half(quantity: Decimal) -> Decimal:
    """Halve a quantity to whole shares, where there are any."""
    half = quantity / 2
    return half.to_integral_value(ROUND_CEILING) if quantity > 1 else round(half, 9)


def _withdraw(closure: Closure, action: actions.Withdraw, at: datetime) -> Done:
    details = {"transfer": str(action.id)}
    try:
        transfer = transfers.move_money(
            principal=SYSTEM,
            account_id=closure.account_id,
            relationship_id=closure.relationship_id,
            amount=action.amount,
            direction=Direction.OUTGOING,
            request=None,
            at=at,
            transfer_id=action.id,
        )
    except transfers.TransferRefused as error:
        words = error.detail
        return Done(
            what="withdrawal_refused", words=words, details=details, delay=SELDOM, problem=words
        )
    failpoint("closure.withdrawal_sent")
    words = f"{action.amount} dollars are on their way to the bank."
    return Done(
        what="withdrawal_sent",
        words=words,
        details={**details, "state": transfer.state},
        delay=SHORTLY,
    )


def _ask_broker(closure: Closure, action: actions.AskBroker, at: datetime) -> Done:
    with acting_as(SYSTEM):
        ClosingRequest.ask(closure, pk=action.id, number=action.number)
    failpoint("closure.request_written")
    request = sending.send_once(action.id, through=ClosingCourier(), at=at)
    failpoint("closure.request_sent")
    is_over = request.state in {IntentState.ACCEPTED, IntentState.REJECTED}
    return Done(
        what="broker_asked",
        words=request.reason,
        details={"request": str(action.id), "state": request.state},
        delay=None if is_over else SHORTLY,
    )


def _ask_again(closure: Closure, _action: actions.AskAgain, _at: datetime) -> Done:
    words = "The request was not sent in time."
    return Done(what="request_over", words=words, changes={"number": closure.number + 1})


def _stop(closure: Closure, action: actions.Stop, at: datetime) -> Done:
    """Take back the sales that are still open, then leave it."""
    orders = trading.cancel_all(principal=SYSTEM, account_id=closure.account_id, at=at)
    failpoint("closure.sales_canceled")
    ids: Sequence[str] = [str(order.pk) for order in orders]
    return Done(what="stopped", details={"orders": ids}, end=action)


def _end(
    _closure: Closure, action: actions.Review | actions.Fail | actions.Finish, _at: datetime
) -> Done:
    words = getattr(action, "problem", "")
    about: Sequence[UUID] = getattr(action, "about", ())
    details = {"about": [str(each) for each in about]} if about else {}
    return Done(what=_ENDS[type(action)], words=words, details=details, end=action)


_ENDS: Final[dict[type[Any], str]] = {
    actions.Review: "review",
    actions.Fail: "failed",
    actions.Finish: "finished",
}
_DEEDS: Final[dict[type[Any], Callable[[Closure, Any, datetime], Done]]] = {
    actions.Move: _move,
    actions.Wait: _wait,
    actions.CancelOrders: _cancel_orders,
    actions.Sell: _sell,
    actions.SellAgain: _sell_again,
    actions.Withdraw: _withdraw,
    actions.AskBroker: _ask_broker,
    actions.AskAgain: _ask_again,
    actions.Stop: _stop,
    actions.Review: _end,
    actions.Fail: _end,
    actions.Finish: _end,
}
