"""Lots kept up with what happens: added to where that is enough, else folded anew."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid5

import structlog
from django.db.models import Case, F, Q, Sum, When

from core.clock import Now
from core.intents.states import IntentState
from trading.lots import Book, Fill, Happening, Movement, fold
from trading.lots.cents import NANO, ZERO, part_of, per_share
from trading.lots.dates import day_of
from trading.models import (
    CashBalance,
    Execution,
    LotBook,
    LotClosing,
    LotPreference,
    Order,
    Position,
    ShareMovement,
)
from trading.models import Lot as LotRow
from trading.selectors import contracts
from trading.services import lot_rows
from trading.states import BasisSource, LotMethod, MovementKind, Side
from trading.tickets import LotChoice

logger = structlog.get_logger()
# Of a fill's own name a lot gets its id, so that folding again makes the same lots.
_LOTS: Final = UUID("5a0c1f2e-93d7-4f0a-8a51-7c1f0e6b2d44")
_WASHES: Final = timedelta(days=30)


def lot_id_of(execution_id: str) -> UUID:
    """Name the lot that a purchase opens, by the broker's name of the fill."""
    return uuid5(_LOTS, execution_id)


def method_for(order: Order) -> LotMethod:
    """Say which lots a sale takes that is filled now; later choices do not change it."""
    if order.is_buy:
        return LotMethod.FIFO
    if order.lot_choices:
        return LotMethod.SPECIFIC
    chosen = LotPreference.objects.filter(pk=order.account_id).values_list("method", flat=True)
    return LotMethod(chosen.first() or LotMethod.FIFO)


def take_fill(execution: Execution, order: Order, *, multiplier: Decimal) -> LotBook:
    """
    Let a fill that was just recorded open or close lots, with the account locked.

    One that comes late, or names its lots, has those of its symbol folded anew.
    """
    book = LotBook.objects.filter(account_id=order.account_id, symbol=order.symbol).first()
    fill = _fill_of(execution, order, multiplier=multiplier)
    is_next = book is not None and not order.read_quantity and _is_last(fill, book)
    if book is None or not is_next or fill.method == LotMethod.SPECIFIC:
        return refold(order.account_id, order.user_id, [order.symbol])[order.symbol]
    _go_on(book, fill)
    return book


def quantity_of(account_id: UUID, symbol: str, *, otherwise: Decimal) -> Decimal:
    """Say how many shares the lots of a symbol add up to; `otherwise` before there are any."""
    books = LotBook.objects.filter(account_id=account_id, symbol=symbol)
    found: Decimal | None = books.values_list("quantity", flat=True).first()
    return otherwise if found is None else found


def refold(account_id: UUID, user_id: str, symbols: Iterable[str]) -> dict[str, LotBook]:
    """
    Make the lots of these symbols anew from all that has happened, with the account locked.

    Symbols that a corporate action has turned into each other are folded together.
    """
    chain = _chain(account_id, set(symbols))
    happenings = [*_fills(account_id, chain), *_movements(account_id, chain)]
    book = fold(happenings)
    LotClosing.objects.filter(account_id=account_id, wash_symbol__in=chain).delete()
    LotRow.objects.filter(account_id=account_id, symbol__in=chain).delete()
    lot_rows.keep(account_id, user_id, book.lots.values(), book.closings.values())
    last = max((each.key for each in happenings), default=None)
    return {symbol: _note(account_id, user_id, symbol, book, last=last) for symbol in sorted(chain)}


def open_lots(account_id: UUID, user_id: str, *, at: datetime) -> None:
    """
    Begin the lots of an account whose holdings are known, with the account locked, once.

    What it holds beyond our own fills was there before us: a lot with the broker's cost, of which
    nobody knows the age.
    """
    fresh = CashBalance.objects.filter(pk=account_id, lots_since__isnull=True)
    if not fresh.update(lots_since=Now()):
        return
    ours = _booked(account_id)
    held = {row.symbol: row for row in Position.objects.filter(account_id=account_id)}
    for symbol, row in held.items():
        there = row.quantity - ours.get(symbol, ZERO)
        if there:
            _write_opening(row, there, at=at)
    refold(account_id, user_id, {*held, *ours})


def _write_opening(row: Position, quantity: Decimal, *, at: datetime) -> None:
    cost = None
    if quantity > 0 and row.cost_basis > 0:
        cost = part_of(row.cost_basis, quantity, max(row.quantity, quantity))
    ShareMovement.objects.get_or_create(
        external_id=f"opening:{row.account_id}:{row.symbol}",
        defaults={
            "user_id": row.user_id,
            "account_id": row.account_id,
            "kind": MovementKind.OPENING,
            "symbol": row.symbol,
            "quantity": quantity,
            "cost": cost,
            "basis_source": BasisSource.UNKNOWN if cost is None else BasisSource.BROKER,
            "at": at,
        },
    )


def explain_by_orders(account_id: UUID, symbols: Iterable[str], *, at: datetime) -> set[str]:
    """
    Believe readings of orders whose fills nobody has told of, and name the symbols of these.

    Each such order counts as one fill at the price that is missing, until its fills are told.
    """
    told = Sum("executions__quantity", filter=Q(executions__is_busted=False), default=ZERO)
    orders = (
        Order.objects.filter(
            account_id=account_id,
            symbol__in=list(symbols),
            state=IntentState.ACCEPTED,
            read_quantity__lt=F("filled_quantity"),
        )
        .annotate(told=told)
        .filter(told__lt=F("filled_quantity"))
    )
    found = list(orders.values_list("pk", "symbol"))
    if not found:
        return set()
    Order.objects.filter(pk__in=[pk for pk, _ in found]).update(
        read_quantity=F("filled_quantity"), read_at=at
    )
    return {symbol for _, symbol in found}


# Going on


def _is_last(fill: Fill, book: LotBook) -> bool:
    """Say whether it comes after everything that the book has."""
    return book.last_at is None or fill.key > (book.last_at, book.last_rank, book.last_name)


def _go_on(book: LotBook, fill: Fill) -> None:
    day, lots, losses = day_of(fill.at), [], []
    if book.is_short:
        open_ones = LotRow.objects.filter(account_id=book.account_id, symbol=fill.symbol)
        lots = [lot_rows.lot_of(row) for row in open_ones.exclude(remaining=0)]
    elif not fill.is_buy:
        lots = lot_rows.needed_for(fill, book.account_id)
    if fill.is_buy and book.washes_until is not None and book.washes_until >= day:
        washable = LotClosing.objects.filter(
            account_id=book.account_id, wash_symbol=fill.symbol, unmatched__gt=0
        )
        near = washable.filter(closed_on__gte=day - _WASHES)
        losses = [lot_rows.closing_of(row) for row in near]
    changed = Book(lots, losses)
    changed.apply([fill])
    lot_rows.keep(book.account_id, book.user_id, changed.lots.values(), changed.closings.values())
    book.quantity += fill.quantity if fill.is_buy else -fill.quantity
    _take_over(book, changed, last=fill.key)
    book.save()


def _note(
    account_id: UUID,
    user_id: str,
    symbol: str,
    book: Book,
    *,
    last: tuple[datetime, int, str] | None,
) -> LotBook:
    row = LotBook.objects.filter(account_id=account_id, symbol=symbol).first()
    # Nobody has compared a new one with what the account is shown.
    row = row or LotBook(account_id=account_id, user_id=user_id, symbol=symbol, differs=True)
    row.quantity = book.quantity_of(symbol).quantize(NANO)
    row.washes_until = None
    _take_over(row, book, last=last)
    row.save()
    return row


def _take_over(row: LotBook, book: Book, *, last: tuple[datetime, int, str] | None) -> None:
    if last is not None:
        row.last_at, row.last_rank, row.last_name = last
    row.is_short = book.is_short(row.symbol)
    losses = (c for c in book.closings.values() if c.unmatched and c.wash_symbol == row.symbol)
    until = max((day_of(loss.closed_at) + _WASHES for loss in losses), default=None)
    if until is not None:
        row.washes_until = max(until, row.washes_until or until)


# What has happened


def _fills(account_id: UUID, symbols: set[str]) -> Iterator[Happening]:
    standing = Execution.objects.filter(
        account_id=account_id, symbol__in=symbols, is_busted=False
    ).select_related("order")
    multipliers = contracts.multipliers_of(sorted(symbols))
    executed: dict[UUID, tuple[Decimal, Decimal]] = {}
    for execution in standing:
        quantity, value = executed.get(execution.order_id, (ZERO, ZERO))
        spent = execution.quantity * execution.price
        executed[execution.order_id] = (quantity + execution.quantity, value + spent)
        yield _fill_of(execution, execution.order, multiplier=multipliers[execution.symbol])
    read = Order.objects.filter(
        account_id=account_id, symbol__in=symbols, read_quantity__gt=0, read_at__isnull=False
    )
    for order in read:
        told = executed.get(order.pk, (ZERO, ZERO))
        fill = _untold(order, *told, multiplier=multipliers[order.symbol])
        if fill is not None:
            yield fill


def _fill_of(execution: Execution, order: Order, *, multiplier: Decimal) -> Fill:
    method = LotMethod(execution.lot_method)
    return Fill(
        name=execution.execution_id,
        fill_id=execution.pk,
        lot_id=execution.lot_id or lot_id_of(execution.execution_id),
        order_id=order.pk,
        symbol=execution.symbol,
        is_buy=execution.side == Side.BUY,
        quantity=execution.quantity,
        price=execution.price,
        multiplier=multiplier,
        at=execution.at,
        method=method,
        choices=_choices_of(order) if method == LotMethod.SPECIFIC else (),
    )


def _choices_of(order: Order) -> tuple[LotChoice, ...]:
    return tuple(
        LotChoice(lot_id=UUID(each["lot_id"]), quantity=Decimal(each["quantity"]))
        for each in order.lot_choices
    )


def _untold(order: Order, executed: Decimal, value: Decimal, *, multiplier: Decimal) -> Fill | None:
    """Make one fill of what a reading shows as filled and nobody has told of."""
    missing = min(order.read_quantity, order.filled_quantity) - executed
    if missing <= 0 or not order.average_price or order.read_at is None:
        return None
    price = per_share(order.average_price * (executed + missing) - value, missing)
    name = uuid5(order.pk, "read")
    return Fill(
        name=f"read:{order.pk}",
        fill_id=name,
        lot_id=name,
        order_id=order.pk,
        symbol=order.symbol,
        is_buy=order.is_buy,
        quantity=missing,
        price=price if price > 0 else order.average_price,
        multiplier=multiplier,
        at=order.read_at,
        method=LotMethod.SPECIFIC if order.lot_choices else LotMethod.FIFO,
        choices=_choices_of(order),
        basis_source=BasisSource.READING,
    )


def _movements(account_id: UUID, symbols: set[str]) -> Iterator[Happening]:
    standing = ShareMovement.objects.filter(account_id=account_id, is_void=False)
    rows = list(standing.filter(symbol__in=symbols))
    # The lines of one action are one happening, however long it took the broker to write them.
    began: dict[str, datetime] = {}
    for row in rows:
        began[row.group] = min(row.at, began.get(row.group, row.at))
    for row in rows:
        row.at = began[row.group] if row.group else row.at
        yield _paid_out(row) if row.kind == MovementKind.CASH_IN_LIEU else _movement_of(row)


def _movement_of(row: ShareMovement) -> Movement:
    return Movement(
        name=row.external_id,
        movement_id=row.pk,
        kind=MovementKind(row.kind),
        symbol=row.symbol,
        quantity=row.quantity,
        at=row.at,
        cost=row.cost,
        group=row.group,
        basis_source=BasisSource(row.basis_source),
    )


def _paid_out(row: ShareMovement) -> Fill:
    """Sell the fraction of a share for which the broker has paid."""
    quantity, paid = abs(row.quantity), row.cost or ZERO
    return Fill(
        name=row.external_id,
        fill_id=row.pk,
        lot_id=row.pk,
        order_id=row.pk,
        symbol=row.symbol,
        is_buy=False,
        quantity=quantity,
        price=per_share(paid, quantity),
        at=row.at,
    )


def _chain(account_id: UUID, symbols: set[str]) -> set[str]:
    """Add the symbols that corporate actions lead to and from."""
    grouped = ShareMovement.objects.filter(account_id=account_id).exclude(group="")
    together: dict[str, set[str]] = {}
    for group, symbol in grouped.values_list("group", "symbol"):
        together.setdefault(group, set()).add(symbol)
    chain, before = set(symbols), 0
    while len(chain) > before:
        before = len(chain)
        chain.update(*(each for each in together.values() if each & chain))
    return chain


def _booked(account_id: UUID) -> dict[str, Decimal]:
    """Add up what the stored holdings contain of our own orders, by symbol."""
    signed = Case(When(side=Side.BUY, then=F("booked_quantity")), default=-F("booked_quantity"))
    orders = Order.objects.filter(account_id=account_id).exclude(booked_quantity=0)
    return dict(orders.values_list("symbol").annotate(total=Sum(signed)))
