"""Canceling orders: a wish that is written down, and repeated until the order is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings

from accounts import selectors as account_selectors
from accounts import services as accounts
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now
from core.errors import CleraError, VendorError, VendorRejected
from core.events import publish
from core.intents import sending
from core.intents.states import IntentState
from core.jobs import enqueue
from trading import selectors
from trading.events import OrderSettled
from trading.gateways import BrokerOrder, get_broker
from trading.models import Order
from trading.services import books, feed, news
from trading.states import REPLACED, is_open, may_become

logger = structlog.get_logger()
ON_ITS_WAY: Final = "pending_cancel"
# Whoever has just written the wish down is about to carry it out.
GRACE: Final = timedelta(seconds=3)
BATCH: Final = 100
UNSENT: Final = frozenset({IntentState.PENDING, IntentState.HELD})
# So many of a customer's orders are canceled while the customer waits.
AT_ONCE: Final = 10


class OrderUndecided(CleraError):
    """Whether the broker has the order is not known yet."""

    code = "order_undecided"
    status = 409
    detail = "The broker has not answered about this order yet; try again in a few seconds."


class OrderNotOpen(CleraError):
    """There is nothing left to cancel."""

    code = "order_not_open"
    status = 422
    detail = "The order is over and can no longer be canceled."


def cancel_order(
    *, principal: Principal, account_id: str | UUID, order_id: str | UUID, at: datetime
) -> Order:
    """
    Cancel an order that was not sent yet, or have the broker cancel it; it may yet be filled.

    The wish lasts: the sweep repeats it until the order is over, and carries it out as soon as it
    is known whether the broker has the order. An order that is being replaced hands it over to the
    one that takes its place, which is then returned.

    :raises NotFound: there is none, or it is somebody else's.
    :raises OrderNotOpen: it is over.
    """
    seen = selectors.get_order(principal=principal, account_id=account_id, order_id=order_id)
    with acting_as(principal):
        order = Order.objects.locked(seen.pk)
        if not order.is_working:
            raise _over(order)
        want(order, by=principal.name, at=at)
    if not order.is_accepted:
        return order
    order = carry_out(order.pk, at=at)
    if order.vendor_status == REPLACED:
        return _heir_of(order)
    if not order.is_working and order.vendor_status != "canceled":
        raise OrderNotOpen
    return order


def _over(order: Order) -> OrderNotOpen:
    """Say that an order is over, and name the one that works on in its place."""
    heir = Order.objects.filter(replaces=order).working().first()
    if order.vendor_status != REPLACED or heir is None:
        return OrderNotOpen()
    return OrderNotOpen(
        "The order was replaced; cancel the one that has taken its place.",
        extra={"replaced_by": heir.public_id},
    )


def _heir_of(order: Order) -> Order:
    """Return the order that has taken another's place, and the wish to be canceled with it."""
    with acting_as(SYSTEM):
        heir = Order.objects.filter(replaces=order).working().first()
    if heir is None:
        raise OrderNotOpen
    return heir


def cancel_all(*, principal: Principal, account_id: str | UUID, at: datetime) -> list[Order]:
    """
    Cancel every order of an account that is not over, and return them as they then stand.

    The first few are asked of the broker at once, the others by the sweep.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = account_selectors.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        accounts.lock_account(account_id=account.pk)
        working = Order.objects.filter(account_id=account.pk).working().order_by("created_at", "id")
        orders = list(working.locking())
        for order in orders:
            want(order, by=principal.name, at=at)
    ids = {order.pk for order in orders}
    # The broker cancels what hangs on an order with it.
    asked = [order for order in orders if order.is_accepted and order.parent_id not in ids]
    for order in asked[:AT_ONCE]:
        carry_out(order.pk, at=at)
    if len(asked) > AT_ONCE:
        enqueue("trading.sweep_orders")
    with acting_as(principal):
        return list(Order.objects.filter(pk__in=ids).order_by("created_at", "id"))


def want(order: Order, *, by: str, at: datetime) -> None:
    """
    Write down, with the order locked, that it is to be canceled; one not sent yet ends at once.

    Does nothing to an order that is over, or that is to be canceled already.
    """
    if order.state in UNSENT:
        order.withdraw(at=at, reason="Canceled before it was sent.")
        books.let_go(order, at=at)
        feed.tell(order, at=at)
        publish(OrderSettled(order.pk, order.account_id))
    elif order.is_working and order.cancel_asked_at is None:
        order.cancel_asked_at, order.cancel_asked_by = at, by
        columns = ["cancel_asked_at", "cancel_asked_by"]
        if order.is_accepted:  # when it is not, the sweep of intents has its own use for this
            order.due_at = Now() + GRACE
            columns.append("due_at")
        order.save(update_fields=columns)
        order.refresh_from_db(fields=["due_at"])


def carry_out(order_id: UUID, *, at: datetime) -> Order:
    """Ask the broker once to cancel an order that it has, and return the order as it then is."""
    with acting_as(SYSTEM):
        order = Order.objects.get(pk=order_id)
    sending.release_connection()
    try:
        get_broker().cancel(
            broker_account_id=order.broker_account_id, broker_order_id=order.broker_order_id
        )
    except VendorRejected as error:
        logger.info("order.not_canceled", id=str(order.pk), broker_code=error.vendor_code)
        _read(order, at=at)
    except VendorError as error:
        logger.warning("order.cancel_unsure", id=str(order.pk), error=error.code)
    else:
        _note_on_its_way(order.pk, at=at)
    with acting_as(SYSTEM):
        return Order.objects.get(pk=order_id)


def _read(order: Order, *, at: datetime) -> BrokerOrder | None:
    """Take over how the order stands at the broker, if the broker can be read."""
    try:
        told = get_broker().get(
            broker_account_id=order.broker_account_id, broker_order_id=order.broker_order_id
        )
    except VendorError as error:
        logger.warning("order.not_read", id=str(order.pk), error=error.code)
        return None
    if told is None:
        logger.error("order.missing_at_broker", id=str(order.pk))
        return None
    news.catch_up(order.pk, told, at=at)
    return told


def _note_on_its_way(order_id: UUID, *, at: datetime) -> None:
    with acting_as(SYSTEM):
        order = Order.objects.locked(order_id)
        before = order.vendor_status
        if is_open(before) and may_become(before, ON_ITS_WAY):
            order.vendor_status = ON_ITS_WAY
            order.save(update_fields=["vendor_status"])
            order.note_status(before)
            feed.tell(order, at=at)


def repeat_wishes(*, at: datetime) -> int:
    """
    Ask the broker again for every cancellation that it has not carried out; counts them.

    An order that turned out not to have been sent ends here.
    """
    due = _due()
    for order_id in due:
        try:
            _repeat(order_id, at=at)
        except CleraError as error:
            logger.warning("cancel.row_failed", id=str(order_id), error=error.code)
        except Exception:
            logger.exception("cancel.row_broken", id=str(order_id))
    return len(due)


def _due() -> Sequence[UUID]:
    with acting_as(SYSTEM):
        due = Order.objects.to_cancel().filter(due_at__lte=Now()).order_by("due_at")
        unsent = Order.objects.filter(state__in=UNSENT, cancel_asked_at__isnull=False)
        ids = [query.values_list("pk", flat=True)[:BATCH] for query in (unsent, due)]
        return [*ids[0], *ids[1]]


def _repeat(order_id: UUID, *, at: datetime) -> None:
    """Read first: the broker may be at it, or done."""
    with acting_as(SYSTEM):
        unsent = Order.objects.locking().filter(pk=order_id, state__in=UNSENT).first()
        if unsent is not None:
            want(unsent, by=unsent.cancel_asked_by, at=at)
            return
        wait = timedelta(seconds=settings.INTENT_LOOK_SECONDS)
        mine = Order.objects.to_cancel().filter(pk=order_id, due_at__lte=Now())
        if not mine.update(due_at=Now() + wait):
            return  # another process is at it
        order = Order.objects.get(pk=order_id)
    sending.release_connection()
    told = _read(order, at=at)
    if told is not None and is_open(told.status) and told.status != ON_ITS_WAY:
        carry_out(order_id, at=at)
