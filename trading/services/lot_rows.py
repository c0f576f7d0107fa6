"""Lots between the fold and the tables."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import F, QuerySet

from trading.lots import Book, Closing, Fill, Lot
from trading.lots.cents import ZERO
from trading.lots.dates import day_of
from trading.models import Lot as LotRow
from trading.models import LotClosing
from trading.states import BasisSource, LotMethod, Term

_AT_ONCE: Final = 20
# A day of New York may have begun a day earlier elsewhere.
_NEARLY: Final = timedelta(days=32)
_LOT: Final = (
    "symbol",
    "root_id",
    "acquired_at",
    "held_since",
    "quantity",
    "remaining",
    "cost",
    "wash_added",
    "may_replace",
)
_CLOSING: Final = (
    "fill_id",
    "order_id",
    "opened_by",
    "root_id",
    "symbol",
    "wash_symbol",
    "quantity",
    "proceeds",
    "basis",
    "disallowed",
    "unmatched",
    "acquired_at",
    "held_since",
    "closed_at",
)
_ALL_OF_LOT: Final = [*_LOT, "cost_left", "basis_source", "order"]
_ALL_OF_CLOSING: Final = [*_CLOSING, "lot", "gain", "term", "closed_on"]


def lot_of(row: LotRow) -> Lot:
    """Read a lot out of its row."""
    return Lot(
        id=row.pk,
        left=row.cost_left,
        basis_source=BasisSource(row.basis_source),
        order_id=row.order_id,
        **_named(row, _LOT),
    )


def closing_of(row: LotClosing) -> Closing:
    """Read what was sold out of its row."""
    return Closing(id=row.pk, lot_id=row.lot_id, term=Term(row.term), **_named(row, _CLOSING))


def needed_for(sale: Fill, account_id: UUID) -> list[Lot]:
    """
    Read as many open lots as the fold of one more sale looks at, of an account that owes none.

    These are the oldest ones that suffice and, if it may be at a loss, those in whose place the
    law puts them: the first of the last thirty days that suffice, which were not bought with them.
    """
    open_ones = LotRow.objects.filter(account_id=account_id, symbol=sale.symbol)
    rows = open_ones.exclude(remaining=0).order_by(F("acquired_at").asc(nulls_first=True), "id")
    if sale.method != LotMethod.FIFO:
        return [lot_of(row) for row in rows]
    taken = {row.pk: row for row in _until(rows, sale.quantity, lambda _: True)}
    if not _loses(taken.values(), sale):
        return [lot_of(row) for row in taken.values()]
    sold_from = {(row.root_id, row.order_id) for row in taken.values()}
    roots, orders = {root for root, _ in sold_from}, {order for _, order in sold_from}
    near = rows.filter(may_replace=True, acquired_at__gte=sale.at - _NEARLY)
    others = _until(
        near,
        sale.quantity,
        lambda row: row.root_id not in roots and row.order_id not in orders,
    )
    return [lot_of(row) for row in {**taken, **{row.pk: row for row in others}}.values()]


def _until(
    rows: QuerySet[LotRow], quantity: Decimal, counts: Callable[[LotRow], bool]
) -> list[LotRow]:
    """Read the first rows of which those that count have so many shares left."""
    found: list[LotRow] = []
    while True:
        more = list(rows[len(found) : len(found) + _AT_ONCE])
        found += more
        enough = sum((row.remaining for row in found if counts(row)), ZERO) >= quantity
        if enough or len(more) < _AT_ONCE:
            return found


def _loses(rows: Iterable[LotRow], sale: Fill) -> bool:
    """Try the sale out, and say whether a part of it is at a loss."""
    trial = Book([lot_of(row) for row in rows])
    trial.apply([sale])
    return any(closing.is_loss for closing in trial.closings.values())


def keep(account_id: UUID, user_id: str, lots: Iterable[Lot], closings: Iterable[Closing]) -> None:
    """Write lots, then what was sold of them, over what stands under the same ids."""
    rows = [
        LotRow(
            id=lot.id,
            account_id=account_id,
            user_id=user_id,
            cost_left=lot.left,
            basis_source=lot.basis_source,
            order_id=lot.order_id,
            **_named(lot, _LOT),
        )
        for lot in lots
    ]
    sold = [
        LotClosing(
            id=closing.id,
            account_id=account_id,
            user_id=user_id,
            lot_id=closing.lot_id,
            gain=closing.gain,
            term=closing.term,
            closed_on=day_of(closing.closed_at),
            **_named(closing, _CLOSING),
        )
        for closing in closings
    ]
    if rows:
        _write(LotRow, rows, _ALL_OF_LOT)
    if sold:
        _write(LotClosing, sold, _ALL_OF_CLOSING)


def _write(model: Any, rows: list[Any], columns: list[str]) -> None:
    model.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["id"], update_fields=columns
    )


def _named(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
