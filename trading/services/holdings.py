"""What accounts hold: read from the broker, and moved at once by each fill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from accounts import selectors as account_selectors
from accounts import services as accounts
from core import realtime
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import VendorError
from core.events import publish
from core.intents import sending
from core.intents.states import IntentState
from core.jobs import enqueue
from core.money import Money
from trading.events import HoldingsChanged
from trading.gateways import BrokerCash, BrokerOrder, BrokerPosition, get_broker
from trading.models import CashBalance, Execution, Order, Position
from trading.services import corporate_actions, drifts, executions, lots
from trading.services.executions import Correction
from trading.states import TERMINAL

logger = structlog.get_logger()
READINGS = 3
NANO = Decimal("1e-9")


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """How things stood here before the broker was read."""

    version: int
    # Of these the broker knows, so that its figures contain what they take.
    accepted: Sequence[UUID]
    has_working_orders: bool


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What the broker says an account holds, and how much of its open orders that contains."""

    positions: Sequence[BrokerPosition]
    cash: BrokerCash
    filled: Mapping[str, Decimal] = field(default_factory=dict)


def request_sync(*, account_id: UUID) -> None:
    """Have the account's holdings read from the broker soon."""
    enqueue("trading.sync_holdings", account_id=str(account_id))


def are_known(account_id: UUID) -> bool:
    """Say whether the broker was ever read for this account."""
    with acting_as(SYSTEM):
        return CashBalance.objects.filter(pk=account_id).exists()


def sync_holdings(*, account_id: str | UUID, at: datetime) -> list[str]:
    """
    Read an account's positions and cash from the broker, store them, and say what differed.

    A reading that something here has overtaken is thrown away and made again, so that old
    figures never replace newer ones.

    :raises NotFound: there is no such account, or the broker has not opened it yet.
    :raises VendorError: the broker could not be read.
    """
    account = account_selectors.get_account(principal=SYSTEM, account_id=account_id)
    broker_account_id = account_selectors.broker_id_of(account)
    for _ in range(READINGS):
        mark = _mark(account.pk)
        sending.release_connection()
        reading = _read(broker_account_id, is_moving=mark.has_working_orders)
        if reading is None:
            continue
        drift = _store(account.pk, mark, reading, at=at)
        if drift is not None:
            _look_for_movements(account.pk, broker_account_id, at=at)
            return drift
    logger.info("holdings.still_moving", account_id=str(account.pk))
    request_sync(account_id=account.pk)
    return []


def _look_for_movements(account_id: UUID, broker_account_id: str, *, at: datetime) -> None:
    """Look in the broker's books for what has moved shares, when our lots differ from its own."""
    if not drifts.has_unsettled(account_id):
        return
    try:
        corporate_actions.catch_up(account_id, broker_account_id, at=at)
    except VendorError as error:  # the next reading looks again
        logger.warning("movements.not_read", account_id=str(account_id), error=error.code)


def _mark(account_id: UUID) -> _Mark:
    with acting_as(SYSTEM):
        versions = CashBalance.objects.filter(pk=account_id).values_list("version", flat=True)
        orders = Order.objects.filter(account_id=account_id)
        holding_back = orders.filter(reserved_cash__gt=0) | orders.filter(reserved_quantity__gt=0)
        return _Mark(
            version=versions.first() or 0,
            accepted=list(
                holding_back.filter(state=IntentState.ACCEPTED).values_list("pk", flat=True)
            ),
            has_working_orders=orders.working().exists(),
        )


def _read(broker_account_id: str, *, is_moving: bool) -> _Reading | None:
    """
    Read positions and cash as of one moment, or nothing when a fill came in between.

    Only open orders can be filled, so without any the two answers belong together. With some,
    the orders are read before and after: equal fills mean that nothing moved.
    """
    broker = get_broker()
    before = _filled(broker.list_orders(broker_account_id=broker_account_id)) if is_moving else {}
    positions = broker.list_positions(broker_account_id=broker_account_id)
    cash = broker.get_cash(broker_account_id=broker_account_id)
    if is_moving:
        after = _filled(broker.list_orders(broker_account_id=broker_account_id))
        if {key: value for key, value in after.items() if value} != {
            key: value for key, value in before.items() if value
        }:
            return None
    return _Reading(positions=positions, cash=cash, filled=before)


def _filled(orders: Sequence[BrokerOrder]) -> dict[str, Decimal]:
    return {order.client_order_id: order.filled_quantity for order in orders}


def _store(account_id: UUID, mark: _Mark, reading: _Reading, *, at: datetime) -> list[str] | None:
    """Store a reading unless something here is newer; return what differed, or nothing."""
    with acting_as(SYSTEM):
        account = accounts.lock_account(account_id=account_id)
        balance = CashBalance.objects.filter(pk=account_id).first()
        if (balance.version if balance else 0) != mark.version:
            return None
        drift = _store_positions(account_id, account.user_id, reading.positions)
        drift += _store_cash(balance, account_id, account.user_id, reading.cash, at=at)
        _settle_accounts_of_orders(account_id, mark, reading)
        lots.open_lots(account_id, account.user_id, at=at)
        drifts.compare(account_id, account.user_id, at=at)
        if drift:
            tell_changed(account_id)
    return drift


def _store_cash(
    balance: CashBalance | None,
    account_id: UUID,
    user_id: str,
    told: BrokerCash,
    *,
    at: datetime,
) -> list[str]:
    figures = {
        "cash": Money.rounded(told.cash).amount,
        "buying_power": Money.rounded(told.buying_power).amount,
        "withdrawable": (
            None if told.withdrawable is None else Money.rounded(told.withdrawable).amount
        ),
        "currency": told.currency,
    }
    if balance is None:
        CashBalance.objects.create(account_id=account_id, user_id=user_id, fetched_at=at, **figures)
        return ["cash"]
    # Only the cash is ours to keep; the other figures follow the broker's own rules.
    drift = ["cash"] if balance.cash != figures["cash"] else []
    for name, value in figures.items():
        setattr(balance, name, value)
    balance.version += 1
    balance.fetched_at = at
    if drift:
        balance.changed_at = Now()
    balance.save()
    return drift


def _store_positions(account_id: UUID, user_id: str, told: Sequence[BrokerPosition]) -> list[str]:
    stored = {row.symbol: row for row in Position.objects.filter(account_id=account_id)}
    gone = [row.pk for symbol, row in stored.items() if symbol not in {p.symbol for p in told}]
    drift = [row.symbol for row in stored.values() if row.pk in gone]
    Position.objects.filter(pk__in=gone).delete()
    for position in told:
        row = stored.get(position.symbol)
        columns = _columns_of(position)
        if row is None:
            row = Position(account_id=account_id, user_id=user_id, symbol=position.symbol)
            drift.append(position.symbol)
        elif any(getattr(row, name) != value for name, value in columns.items()):
            if row.quantity != columns["quantity"]:
                drift.append(position.symbol)
        else:
            continue
        for name, value in columns.items():
            setattr(row, name, value)
        row.updated_at = Now()
        row.save()
    return drift


def _columns_of(told: BrokerPosition) -> dict[str, object]:
    return {
        "asset_id": told.asset_id,
        "asset_class": told.asset_class,
        "exchange": told.exchange,
        "quantity": told.quantity.quantize(NANO),
        "available_quantity": told.available_quantity.quantize(NANO),
        "average_entry_price": told.average_entry_price.quantize(NANO),
        "cost_basis": told.cost_basis.quantize(NANO),
        "is_marginable": told.is_marginable,
        "previous_close": (
            None if told.previous_close is None else told.previous_close.quantize(NANO)
        ),
    }


def _settle_accounts_of_orders(account_id: UUID, mark: _Mark, reading: _Reading) -> None:
    """Note what the stored figures now contain of each order."""
    orders = Order.objects.filter(account_id=account_id)
    orders.filter(pk__in=mark.accepted).update(reserved_cash=0, reserved_quantity=0)
    over = orders.filter(state=IntentState.ACCEPTED, vendor_status__in=sorted(TERMINAL))
    over.exclude(booked_quantity=F("filled_quantity")).update(booked_quantity=F("filled_quantity"))
    for order in orders.working():
        filled = reading.filled.get(order.client_order_id)
        if filled is not None and filled != order.booked_quantity:
            Order.objects.filter(pk=order.pk).update(booked_quantity=filled)


def book_fill(
    execution: Execution, order: Order, *, booked: Decimal, multiplier: Decimal
) -> Position | None:
    """
    Move the stored holdings and the lots by one fill, with account and order locked.

    `booked` is how much of the fill the holdings do not contain yet, `multiplier` what one of the
    symbol stands for. Without stored holdings there is nothing to move but the lots: the reading
    that follows brings them. Returns the position, if it has moved and is not empty.
    """
    balance = CashBalance.objects.filter(pk=order.account_id).first()
    if balance is None:
        lots.take_fill(execution, order, multiplier=multiplier)
        return None
    if balance.lots_since is None:
        lots.open_lots(order.account_id, order.user_id, at=execution.at)
    stored = Position.objects.filter(account_id=order.account_id, symbol=order.symbol).first()
    position = stored or _new_position(order)
    if booked > 0:
        _move(balance, position, execution, order, booked=booked, multiplier=multiplier)
    book = lots.take_fill(execution, order, multiplier=multiplier)
    drifts.watch(book, shown=position.quantity, at=execution.at)
    return position if position.quantity else None


def _move(
    balance: CashBalance,
    position: Position,
    execution: Execution,
    order: Order,
    *,
    booked: Decimal,
    multiplier: Decimal,
) -> None:
    position.book(
        is_buy=order.is_buy,
        quantity=booked,
        price=execution.price,
        multiplier=multiplier,
        was_held_back=order.reserved_quantity == 0,
    )
    balance.book(
        is_buy=order.is_buy,
        quantity=booked,
        price=execution.price,
        multiplier=multiplier,
        was_reserved=order.reserved_cash > 0,
    )
    _keep(position)
    tell_changed(order.account_id)


def take_back(
    correction: Correction, order: Order, *, multiplier: Decimal, at: datetime
) -> Position | None:
    """
    Move the stored holdings and the lots by what an exchange has taken back or changed.

    Holdings that were the same as our lots follow these; others may come from a reading that
    contains the correction, and stay until the next one. Account and order are locked.
    """
    balance = CashBalance.objects.filter(pk=order.account_id).first()
    if balance is not None and balance.lots_since is None:
        lots.open_lots(order.account_id, order.user_id, at=at)
    before = lots.quantity_of(order.account_id, order.symbol, otherwise=correction.quantity)
    book = lots.refold(order.account_id, order.user_id, [order.symbol])[order.symbol]
    if balance is None:
        return None
    stored = Position.objects.filter(account_id=order.account_id, symbol=order.symbol).first()
    position = stored or _new_position(order)
    if position.quantity == before:
        _follow(balance, position, correction, order, multiplier=multiplier)
        order.booked_quantity = executions.executed(order)
    drifts.watch(book, shown=position.quantity, at=at)
    return position if position.quantity else None


def _follow(
    balance: CashBalance,
    position: Position,
    correction: Correction,
    order: Order,
    *,
    multiplier: Decimal,
) -> None:
    for gone in correction.void:
        value = gone.quantity * gone.price * multiplier
        position.take_back(
            is_buy=order.is_buy, quantity=gone.quantity, value=value, multiplier=multiplier
        )
        balance.take_back(is_buy=order.is_buy, value=value)
    if correction.instead is not None:
        figures = {
            "quantity": correction.instead.quantity,
            "price": correction.instead.price,
            "multiplier": multiplier,
        }
        position.book(is_buy=order.is_buy, was_held_back=False, **figures)
        balance.book(is_buy=order.is_buy, was_reserved=True, **figures)
    _keep(position)
    tell_changed(order.account_id)


def _keep(position: Position) -> None:
    if position.quantity:
        position.save()
    elif not position._state.adding:  # noqa: SLF001 - Django documents it
        position.delete()


def _new_position(order: Order) -> Position:
    zero = Decimal(0)
    return Position(
        account_id=order.account_id,
        user_id=order.user_id,
        symbol=order.symbol,
        asset_id=order.broker_record.get("asset_id") or "",
        asset_class=order.broker_record.get("asset_class") or "",
        quantity=zero,
        available_quantity=zero,
        average_entry_price=zero,
        cost_basis=zero,
    )


def tell_changed(account_id: UUID) -> None:
    """Tell other apps, and the processes that value the account, once this is committed."""
    publish(HoldingsChanged(account_id))
    transaction.on_commit(lambda: realtime.account_changed(str(account_id)))
