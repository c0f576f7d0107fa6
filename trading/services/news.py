"""What the broker tells of orders: kept, then applied once each under the account's lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog

from accounts import selectors as account_selectors
from accounts import services as accounts
from accounts.services.feed import News
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
from trading.selectors import contracts
from trading.services import books, executions, feed, holdings, reports
from trading.services.couriers import OrderCourier, learn, receipt_of
from trading.services.executions import Correction
from trading.states import KNOWN, is_open, may_be_corrected, may_become

logger = structlog.get_logger()
SOURCE: Final = "alpaca.trades"
ZERO, ONE = Decimal(0), Decimal(1)


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
        found = _order_of(news)
        if found is None:
            _note_foreign(news)
            return
        order = _locked(*found, news.order, at=news.at)
        reports.keep_event(order, news)
        if news.is_correction:
            _correct(order, news)
            return
        execution = executions.record(news, order) if news.is_fill else None
        if execution is not None and execution.is_busted:
            execution = None  # it was taken back before it was told
        take_over(order, news.order, execution=execution, at=news.at, event_id=news.event_id)


def _order_of(news: TradeNews) -> tuple[UUID, UUID] | None:
    """Find our order, and its account, by the id we gave it, else by the broker's."""
    ids = Order.objects.values_list("pk", "account_id")
    return (
        ids.filter(broker_order_id=news.order.broker_order_id).first()
        or Order.objects.named(news.order.client_order_id).values_list("pk", "account_id").first()
    )


def _note_foreign(news: TradeNews) -> None:
    """Read the holdings anew when somebody has traded at the broker without us."""
    try:
        account = account_selectors.get_account(principal=SYSTEM, account_id=news.broker_account_id)
    except NotFound:
        return
    logger.warning("order.not_ours", account_id=str(account.pk), event_kind=news.kind)
    holdings.request_sync(account_id=account.pk)


def _locked(order_id: UUID, account_id: UUID, told: BrokerOrder, *, at: datetime) -> Order:
    """
    Lock the account, then the order, and record that the broker has it if we did not know.

    The news may be faster than the answer to our own call, or may be the only answer we get.
    """
    accounts.lock_account(account_id=account_id)
    order = Order.objects.locked(order_id)
    if order.state == IntentState.HELD:  # an earlier call, which seemed to have had no effect
        order.advance(IntentState.PENDING, at=at, reason="The broker tells that it has it.")
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


@dataclass(frozen=True, kw_only=True)
class _Word:
    """How an order stands by what was said of it, and whether that is news."""

    status: str
    filled: Decimal
    average: Decimal | None
    is_status_new: bool
    is_ahead: bool


def _correct(order: Order, news: TradeNews) -> None:
    """Take over that the exchange has canceled or changed a fill, in the order and all it moved."""
    order.is_corrected = True
    correction = executions.correct(news, order)
    if correction is None:
        take_over(order, news.order, at=news.at, event_id=news.event_id)
        return
    logger.error("order.execution_corrected", id=str(order.pk), event_kind=news.kind)
    take_over(order, news.order, at=news.at, event_id=news.event_id, correction=correction)
    holdings.request_sync(account_id=order.account_id)


def take_over(
    order: Order,
    told: BrokerOrder,
    *,
    at: datetime,
    event_id: str = "",
    execution: Execution | None = None,
    correction: Correction | None = None,
) -> bool:
    """
    Bring a locked order up to what the broker says, and the holdings with it.

    Words and quantities only move forward, since events repeat and overtake each other, until a
    fill is corrected: from then on the last of its events counts. Returns whether anything was
    new.
    """
    was_working, filled_before = order.is_working, order.filled_quantity
    learn(order, told, at=at)
    changes_fills = execution is not None or correction is not None
    executed = executions.executed(order) if changes_fills or order.is_corrected else ZERO
    word = _word_of(order, told, executed=executed, is_event=bool(event_id))
    if not word.is_status_new and word.filled == filled_before and not changes_fills:
        return False
    if told.status not in KNOWN:
        logger.error("order.unknown_status", id=str(order.pk), status=told.status[:64])
    moved = []
    multiplier = contracts.multiplier_of(order.symbol) if changes_fills else ONE
    if execution is not None:
        books.post_fill(execution, order, told=told, executed=executed, multiplier=multiplier)
        moved += _book(order, execution, executed=executed, multiplier=multiplier)
    before = order.vendor_status
    order.take_over(status=word.status, filled=word.filled, average=word.average)
    if correction is not None:
        moved += _take_back(order, correction, told=told, multiplier=multiplier, at=at)
    _keep(order, told, word, before=before)
    books.let_go(order, at=at)
    feed.tell_all([*moved, feed.order_news(order, at=at)])
    if was_working and not order.is_working:
        publish(OrderSettled(order.pk, order.account_id))
    if word.filled > filled_before or execution is not None:
        publish(OrderFilled(order.pk, order.account_id))
        holdings.request_sync(account_id=order.account_id)
    return True


def _keep(order: Order, told: BrokerOrder, word: _Word, *, before: str) -> None:
    if word.is_ahead:
        order.broker_record = dict(told.record)
    order.save()
    if word.is_status_new:
        order.note_status(before)


def _word_of(order: Order, told: BrokerOrder, *, executed: Decimal, is_event: bool) -> _Word:
    if order.is_corrected:
        return _last_word(order, told, executed=executed, is_event=is_event)
    before, filled_before = order.vendor_status, order.filled_quantity
    is_new = may_become(before, told.status)
    is_ahead = is_new or told.filled_quantity > filled_before
    return _Word(
        status=told.status if is_new else before,
        filled=max(filled_before, told.filled_quantity, executed),
        average=told.average_price if is_ahead else order.average_price,
        is_status_new=is_new,
        is_ahead=is_ahead,
    )


def _last_word(order: Order, told: BrokerOrder, *, executed: Decimal, is_event: bool) -> _Word:
    """
    Judge an order of which a fill was corrected, so that less of it may be filled than before.

    Its events have names that sort by time, and the last one tells how it stands. A reading may
    be older than that, and only tells its status.
    """
    before, last = order.vendor_status, reports.newest_event(order)
    status, filled, average = told.status, order.filled_quantity, order.average_price
    if last is not None:
        filled, average = last.filled_quantity, last.average_price
        status = last.status if is_event else told.status
    is_new = may_become(before, status) or (is_event and may_be_corrected(before, status))
    return _Word(
        status=status if is_new else before,
        filled=max(filled, executed),
        average=average,
        is_status_new=is_new,
        is_ahead=last is not None and is_event and last.status == told.status,
    )


def _book(
    order: Order, execution: Execution, *, executed: Decimal, multiplier: Decimal
) -> list[News]:
    """Move holdings and lots by what of this fill they do not contain yet, and say so."""
    missing = max(executed - order.booked_quantity, ZERO)
    booked = min(execution.quantity, missing)
    position = holdings.book_fill(execution, order, booked=booked, multiplier=multiplier)
    order.booked_quantity += booked
    return [feed.fill_news(execution, order), feed.position_news(order, position)]


def _take_back(
    order: Order, correction: Correction, *, told: BrokerOrder, multiplier: Decimal, at: datetime
) -> list[News]:
    """Move ledger, holdings and lots by a correction, and say so."""
    books.take_back(correction, order, told=told, multiplier=multiplier, at=at)
    position = holdings.take_back(correction, order, multiplier=multiplier, at=at)
    order.booked_quantity = min(order.booked_quantity, order.filled_quantity)
    gone = [feed.fill_news(each, order, kind=feed.FILL_TAKEN_BACK) for each in correction.void]
    instead = [] if correction.instead is None else [feed.fill_news(correction.instead, order)]
    return [*gone, *instead, feed.position_news(order, position)]


def catch_up(order_id: UUID, told: BrokerOrder, *, at: datetime) -> bool:
    """Bring an order up to what a reading of the broker says; false when that is nothing new."""
    with acting_as(SYSTEM):
        account_id = Order.objects.values_list("account_id", flat=True).get(pk=order_id)
        accounts.lock_account(account_id=account_id)
        order = Order.objects.locked(order_id)
        is_news = take_over(order, told, at=at)
        if is_news:
            reports.keep(order, origin=reports.Origin.READING, told=told, said_at=at)
        return is_news
