"""What orders do to the cash ledger: they hold money back, use it up, and let the rest go."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog

from accounts import services as accounts
from core.auth import SYSTEM, acting_as
from core.money import Money
from ledger import selectors as ledger_selectors
from ledger import services as ledger
from ledger.states import EntryKind, WitnessKind
from trading.gateways import BrokerOrder
from trading.models import CashBalance, Execution, Order
from trading.selectors import contracts
from trading.services.executions import Correction
from trading.states import REPLACED

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


def freed_by(order: Order) -> Decimal:
    """Say what an order still holds that its replacement may use: dollars, or shares of a sale."""
    if order.is_buy:
        return ledger.remaining(order.pk)
    return Decimal((order.quantity or ZERO) - order.filled_quantity)


def let_go(order: Order, *, at: datetime) -> None:
    """
    Free what is still held for an order that is over, once the ledger knows all its fills.

    The lock of the order is enough: what is held for it is used and freed under that lock only.
    """
    if order.is_working:
        return
    heir = _heir_of(order) if order.vendor_status == REPLACED else None
    if heir is not None:
        heir.inherit_wish(order)  # these do not wait for the fills
        _hand_over_exits(order, heir)
    if not order.is_posted:
        return
    if order.vendor_status == REPLACED:
        _hand_over(order, heir, at=at)
    elif order.is_buy:
        ledger.release(reference=order.pk, at=at)


def _heir_of(order: Order) -> Order | None:
    """Lock and return the order that takes another's place, while it works."""
    heirs = Order.objects.filter(replaces=order).working().values_list("pk", flat=True)
    heir_id = heirs.first()
    return None if heir_id is None else Order.objects.locked(heir_id)


def _hand_over_exits(order: Order, heir: Order) -> None:
    """Hang the exits on the new order, but for those that somebody has locked at this moment."""
    free = Order.objects.filter(parent=order).select_for_update(skip_locked=True, no_key=True)
    Order.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(parent=heir)


def _hand_over(order: Order, heir: Order | None, *, at: datetime) -> None:
    """
    Let the order that takes another's place have what that one held, as far as it needs it.

    Until now it has held only what it needs beyond that, so that nothing was held twice.
    """
    freed = ledger.release(reference=order.pk, at=at) if order.is_buy else ZERO
    if heir is not None:
        heir.inherit(order)
        lacking = Money.rounded(heir.most_cost).amount - ledger.remaining(heir.pk)
        if min(freed, lacking) > 0:
            ledger.hold(
                account_id=heir.account_id,
                user_id=heir.user_id,
                reference=heir.pk,
                amount=min(freed, lacking),
                at=at,
            )
    order.release()
    order.save(update_fields=["reserved_cash", "reserved_quantity"])


def post_fill(
    execution: Execution,
    order: Order,
    *,
    told: BrokerOrder,
    executed: Decimal,
    multiplier: Decimal,
) -> None:
    """
    Tell the ledger of an execution, with account and order locked; the caller saves the order.

    The broker's books name it by the order and how much of that was filled by then. An event that
    comes when a reading has confirmed these books tells nothing new: with it the ledger would
    have more of the order than was filled, whoever tells how much. `executed` is how much was by
    all executions that stand, `multiplier` what one of the symbol stands for.
    """
    filled = max(order.filled_quantity, told.filled_quantity, executed)
    if order.posted_quantity + execution.quantity > filled:
        return
    order.posted_quantity += execution.quantity
    _post(
        order,
        quantity=execution.quantity,
        value=execution.quantity * execution.price * multiplier,
        execution_id=execution.execution_id,
        natural_key=ledger.fill_key(told.broker_order_id, told.filled_quantity),
        at=execution.at,
    )


def _post(
    order: Order,
    *,
    quantity: Decimal,
    value: Decimal,
    execution_id: str,
    natural_key: str,
    at: datetime,
) -> None:
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


def take_back(
    correction: Correction,
    order: Order,
    *,
    told: BrokerOrder,
    multiplier: Decimal,
    at: datetime,
) -> None:
    """
    Reverse what is void and post what stands instead; the caller saves the order.

    What the ledger was never told of, nobody has to take back.
    """
    for name in sorted(correction.names):
        ledger.take_back(
            account_id=order.account_id, told_by=WitnessKind.EXECUTION, external_id=name, at=at
        )
    order.posted_quantity = max(order.posted_quantity - correction.quantity, ZERO)
    if correction.instead is not None:
        post_fill(
            correction.instead,
            order,
            told=told,
            executed=order.filled_quantity,
            multiplier=multiplier,
        )
    order.posted_quantity = min(order.posted_quantity, order.filled_quantity)


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
    if covered and rest * contracts.multiplier_of(order.symbol) <= HALF_A_CENT:
        covered = order.filled_quantity
    if covered <= order.posted_quantity:
        return
    order.posted_quantity = covered
    order.save(update_fields=["posted_quantity"])
    let_go(order, at=at)
    logger.warning(
        "order.fills_read_only", id=str(order.pk), state="whole" if order.is_posted else "partly"
    )


def catch_up(account_id: UUID, *, at: datetime) -> None:
    """
    Have the ledger read the broker's books when it knows of less cash than the broker holds.

    What was told of that cash is late or lost; until it is known it could not be spent.

    :raises VendorError: the broker could not be read.
    """
    with acting_as(SYSTEM):
        told = CashBalance.objects.filter(pk=account_id).values_list("cash", flat=True).first()
        known = ledger_selectors.cash_of(account_id=account_id)
    if told is not None and known.is_complete and known.total < told:
        ledger.compare_account(account_id=account_id, at=at)
