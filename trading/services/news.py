"""What the broker tells of orders: kept, then applied once each under the account's lock."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from django.db.models import Sum

from accounts import selectors as account_selectors
from accounts import services as accounts
from core import feeds, inbox
from core.auth import SYSTEM, acting_as
from core.errors import NotFound
from core.events import publish
from core.intents import sending
from core.intents.couriers import Receipt
from core.intents.states import IntentState
from core.jobs import enqueue
from trading.events import OrderFilled, OrderSettled
from trading.gateways import BrokerOrder, TradeNews, get_broker
from trading.models import Execution, Order
from trading.services import books, holdings
from trading.services.couriers import OrderCourier, receipt_of
from trading.states import KNOWN, is_open, may_become

logger = structlog.get_logger()
SOURCE: Final = "alpaca.trades"
ZERO = Decimal(0)


def follow_events() -> bool:
    """Keep the broker's trade events while this process leads; false when another one does."""
    return feeds.follow(
        SOURCE,
        get_broker().trade_feed(),
        on_kept=lambda: enqueue("trading.apply_events"),
        on_lost=lambda _why: enqueue("trading.heal_accounts"),
    )


def apply_events() -> int:
    """Apply the trade events that wait in the inbox and say how many there were."""
    return inbox.apply_waiting(SOURCE, _apply)


def _apply(payload: Mapping[str, Any]) -> None:
    """Take over one event; repeating it changes nothing."""
    news = get_broker().read_news(payload)
    with acting_as(SYSTEM):
        order_id = _order_id_of(news)
        if order_id is None:
            _note_foreign(news)
            return
        order = _locked(order_id, news.order, at=news.at)
        execution = _execution_of(news, order)
        if news.is_correction:
            _take_back(news, order)
        take_over(order, news.order, execution=execution, at=news.at)


def _order_id_of(news: TradeNews) -> UUID | None:
    """Find our order by the id we gave it, else by the broker's."""
    ids = Order.objects.values_list("pk", flat=True)
    return (
        ids.filter(broker_order_id=news.order.broker_order_id).first()
        or Order.objects.named(news.order.client_order_id).values_list("pk", flat=True).first()
    )


def _note_foreign(news: TradeNews) -> None:
    """Read the holdings anew when somebody has traded at the broker without us."""
    try:
        account = account_selectors.get_account(principal=SYSTEM, account_id=news.broker_account_id)
    except NotFound:
        return
    logger.warning("order.not_ours", account_id=str(account.pk), event_kind=news.kind)
    holdings.request_sync(account_id=account.pk)


def _locked(order_id: UUID, told: BrokerOrder, *, at: datetime) -> Order:
    """
    Lock the account, then the order, and record that the broker has it if we did not know.

    The news may be faster than the answer to our own call, or may be the only answer we get.
    """
    account_id = Order.objects.values_list("account_id", flat=True).get(pk=order_id)
    accounts.lock_account(account_id=account_id)
    order = Order.objects.locked(order_id)
    if order.state == IntentState.PENDING:
        order.advance(IntentState.SENDING, at=at, reason="The broker tells that it has it.")
    if order.is_accepted:
        return order
    if order.is_refused:
        if is_open(told.status) or told.filled_quantity:
            logger.error("order.alive_at_broker", id=str(order.pk), state=order.state)
        return order
    receipt = receipt_of(told)
    if receipt.is_accepted:
        # How far it has come, and what that moves, is the caller's next step under this lock.
        receipt = Receipt("", changes={"broker_order_id": told.broker_order_id})
    return sending.record(order_id, receipt, through=OrderCourier(), at=at)


def _execution_of(news: TradeNews, order: Order) -> Execution | None:
    """Keep the fill; nothing when the event has none or was seen before."""
    if not news.is_fill:
        return None
    if not news.execution_id or not news.quantity or not news.price:
        logger.error("order.fill_unreadable", id=str(order.pk), event_id=news.event_id)
        holdings.request_sync(account_id=order.account_id)
        return None
    execution, is_new = Execution.objects.get_or_create(
        execution_id=news.execution_id,
        defaults={
            "order": order,
            "account_id": order.account_id,
            "user_id": order.user_id,
            "symbol": order.symbol,
            "side": order.side,
            "quantity": news.quantity,
            "price": news.price,
            "at": news.at,
        },
    )
    if not is_new:
        return None
    books.post_fill(execution, order, told=news.order)
    return execution


def _take_back(news: TradeNews, order: Order) -> None:
    """Mark a fill that the exchange has canceled or changed; only a reading tells what is true."""
    logger.error("order.execution_corrected", id=str(order.pk), event_kind=news.kind)
    gone = {news.execution_id, news.previous_execution_id} - {""}
    standing = Execution.objects.filter(order=order, execution_id__in=gone, is_busted=False)
    void = standing.aggregate(total=Sum("quantity"))["total"] or ZERO
    standing.update(is_busted=True)
    order.filled_quantity = news.order.filled_quantity
    order.average_price = news.order.average_price
    stands = books.take_back(news, order, gone=gone)
    if void:  # told for the first time
        order.posted_quantity = max(order.posted_quantity - void, ZERO) + stands
    order.posted_quantity = min(order.posted_quantity, order.filled_quantity)
    order.save(update_fields=["filled_quantity", "average_price", "posted_quantity"])
    holdings.request_sync(account_id=order.account_id)


def take_over(
    order: Order, told: BrokerOrder, *, at: datetime, execution: Execution | None = None
) -> bool:
    """
    Bring a locked order up to what the broker says, and the holdings with it.

    Words and quantities only move forward: events repeat and overtake each other. Returns
    whether anything was new.
    """
    was_working, before, filled_before = (
        order.is_working,
        order.vendor_status,
        order.filled_quantity,
    )
    executed = _executed(order)
    filled = max(filled_before, told.filled_quantity, executed)
    is_newer_status = may_become(before, told.status)
    if execution is not None:
        _book(order, execution, executed=executed)
    if not is_newer_status and filled == filled_before and execution is None:
        return False
    if told.status not in KNOWN:
        logger.error("order.unknown_status", id=str(order.pk), status=told.status[:64])
    is_ahead = is_newer_status or told.filled_quantity > filled_before
    order.take_over(
        status=told.status if is_newer_status else before,
        filled=filled,
        average=told.average_price if is_ahead else order.average_price,
    )
    if is_ahead:
        order.broker_record = dict(told.record)
    order.save()
    if is_newer_status:
        order.note_status(before)
    books.let_go(order, at=at)
    if was_working and not order.is_working:
        publish(OrderSettled(order.pk, order.account_id))
    if filled > filled_before or execution is not None:
        publish(OrderFilled(order.pk, order.account_id))
        holdings.request_sync(account_id=order.account_id)
    return True


def _executed(order: Order) -> Decimal:
    """Add up the fills that still stand."""
    fills = Execution.objects.filter(order=order, is_busted=False)
    total: Decimal | None = fills.aggregate(total=Sum("quantity"))["total"]
    return total or ZERO


def _book(order: Order, execution: Execution, *, executed: Decimal) -> None:
    """Move the holdings by what of this fill they do not contain yet."""
    missing = max(executed - order.booked_quantity, ZERO)
    booked = min(execution.quantity, missing)
    holdings.book_fill(execution, order, booked=booked)
    order.booked_quantity += booked


def catch_up(order_id: UUID, told: BrokerOrder, *, at: datetime) -> bool:
    """Bring an order up to what a reading of the broker says; false when that is nothing new."""
    with acting_as(SYSTEM):
        account_id = Order.objects.values_list("account_id", flat=True).get(pk=order_id)
        accounts.lock_account(account_id=account_id)
        return take_over(Order.objects.locked(order_id), told, at=at)
