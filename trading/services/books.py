"""What orders do to the cash ledger: they hold money back, use it up, and let the rest go."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog
from django.db.models import Sum

from accounts import services as accounts
from core.auth import SYSTEM, acting_as
from ledger import services as ledger
from ledger.states import EntryKind, WitnessKind
from trading.gateways import BrokerOrder, TradeNews
from trading.models import Execution, Order

logger = structlog.get_logger()
BATCH: Final = 200
ZERO: Final = Decimal(0)
# Less is no movement of cash, so that the broker's books have no line of it that we would post.
HALF_A_CENT: Final = Decimal("0.005")


def hold_cash(order: Order, *, at: datetime) -> None:
    """Hold back what a purchase may cost, in the transaction that writes the order."""
    if order.reserved_cash > 0:
        ledger.hold(
            account_id=order.account_id,
            user_id=order.user_id,
            reference=order.pk,
            amount=order.reserved_cash,
            at=at,
        )


def let_go(order: Order, *, at: datetime) -> None:
    """
    Free what is still held for an order that is over, once the ledger knows all its fills.

    The lock of the order is enough: what is held for it is used and freed under that lock only.
    """
    if order.is_buy and not order.is_working and order.is_posted:
        ledger.release(reference=order.pk, at=at)


def post_fill(execution: Execution, order: Order, *, told: BrokerOrder) -> None:
    """
    Tell the ledger of an execution, with account and order locked; the caller saves the order.

    The broker's books name it by the order and how much of that was filled by then.
    """
    if _is_confirmed(execution, order, told=told):
        return
    order.posted_quantity += execution.quantity
    _post(
        order,
        quantity=execution.quantity,
        price=execution.price,
        execution_id=execution.execution_id,
        natural_key=ledger.fill_key(told.broker_order_id, told.filled_quantity),
        at=execution.at,
    )


def _is_confirmed(execution: Execution, order: Order, *, told: BrokerOrder) -> bool:
    """
    Say whether the event comes late: the books have told of it, and a reading confirmed them.

    With it the ledger would have more of the order than was filled, whoever tells how much.
    """
    standing = order.executions.filter(is_busted=False)
    executed = standing.aggregate(total=Sum("quantity"))["total"] or ZERO
    filled = max(order.filled_quantity, told.filled_quantity, executed)
    return bool(order.posted_quantity + execution.quantity > filled)


def _post(
    order: Order,
    *,
    quantity: Decimal,
    price: Decimal,
    execution_id: str,
    natural_key: str,
    at: datetime,
) -> None:
    value = quantity * price
    ledger.post(
        ledger.Movement(
            account_id=order.account_id,
            kind=EntryKind.PURCHASE if order.is_buy else EntryKind.SALE,
            cash=-value if order.is_buy else value,
            occurred_at=at,
            told_by=WitnessKind.EXECUTION,
            external_id=execution_id,
            natural_key=natural_key,
            reference=order.pk,
            symbol=order.symbol,
            quantity=quantity,
        )
    )


def take_back(news: TradeNews, order: Order, *, gone: set[str]) -> Decimal:
    """Reverse the executions that are void; tell the ledger what stands instead, and how much."""
    was_told = [
        ledger.take_back(
            account_id=order.account_id,
            told_by=WitnessKind.EXECUTION,
            external_id=name,
            at=news.at,
        )
        for name in sorted(gone)
    ]
    if news.kind != "trade_correct" or not any(was_told):
        return ZERO
    if not news.quantity or not news.price:
        logger.error("order.correction_unreadable", id=str(order.pk), event_id=news.event_id)
        return ZERO
    _post(
        order,
        quantity=news.quantity,
        price=news.price,
        execution_id=f"{news.execution_id}:corrected",
        natural_key=ledger.fill_key(news.order.broker_order_id, news.order.filled_quantity),
        at=news.at,
    )
    return news.quantity


def confirm_untold(*, at: datetime) -> int:
    """
    Confirm what the broker's books tell of orders that only a reading has shown as filled.

    The events of these were lost, so that no execution vouches for them. Counts the orders.
    """
    with acting_as(SYSTEM):
        untold = Order.objects.untold().order_by("created_at")
        waiting = list(untold.values_list("account_id", "pk")[:BATCH])
    for account_id, order_id in waiting:
        with acting_as(SYSTEM):
            accounts.lock_account(account_id=account_id)
            _confirm(Order.objects.locked(order_id), at=at)
    return len(waiting)


def _confirm(order: Order, *, at: datetime) -> None:
    covered = ledger.confirm_filled(
        account_id=order.account_id,
        reference=order.pk,
        broker_order_id=order.broker_order_id,
        filled=order.filled_quantity,
        at=at,
    )
    rest = (order.filled_quantity - covered) * (order.average_price or ZERO)
    if covered and rest <= HALF_A_CENT:
        covered = order.filled_quantity
    if covered <= order.posted_quantity:
        return
    order.posted_quantity = covered
    order.save(update_fields=["posted_quantity"])
    let_go(order, at=at)
    logger.warning(
        "order.fills_read_only", id=str(order.pk), state="whole" if order.is_posted else "partly"
    )
