"""Which lots a sale takes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from trading.lots.cents import ZERO, per_share
from trading.lots.happenings import Fill
from trading.lots.records import Lot
from trading.states import LotMethod

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


def choose(
    lots: Iterable[Lot], fill: Fill, *, taken: Mapping[tuple[UUID, UUID], Decimal]
) -> list[tuple[Lot, Decimal]]:
    """
    Find how much each lot gives to a sale; together less than was sold when there is no more.

    Of lots that the customer has named, `taken` says how much earlier fills of the order took.
    What they do not suffice for comes from the oldest ones.
    """
    there = [lot for lot in lots if lot.remaining > 0]
    by_age = oldest_first(there)
    parts: dict[UUID, Decimal] = {}
    missing = fill.quantity
    if fill.method == LotMethod.SPECIFIC:
        missing = _take_named(by_age, fill, parts, taken=taken)
    order = dearest_first(there) if fill.method == LotMethod.HIFO else by_age
    for lot in order:
        part = min(lot.remaining - parts.get(lot.id, ZERO), missing)
        if part:
            parts[lot.id] = parts.get(lot.id, ZERO) + part
            missing -= part
    return [(lot, parts[lot.id]) for lot in order if lot.id in parts]


def oldest_first(lots: Iterable[Lot]) -> list[Lot]:
    """Sort by when they were acquired; what nobody knows that of was there before us."""
    return sorted(
        (lot for lot in lots if lot.remaining > 0), key=lambda lot: (_acquired(lot), lot.id)
    )


def dearest_first(lots: Iterable[Lot]) -> list[Lot]:
    """Sort by the cost of a share, the highest first; of equals, and unknown ones, the oldest."""
    return sorted(oldest_first(lots), key=lambda lot: -(cost_of_share(lot) or ZERO))


def cost_of_share(lot: Lot) -> Decimal | None:
    """Divide what the remaining shares have cost by their number."""
    return None if lot.left is None else per_share(lot.left, lot.remaining)


def _take_named(
    lots: Iterable[Lot],
    fill: Fill,
    parts: dict[UUID, Decimal],
    *,
    taken: Mapping[tuple[UUID, UUID], Decimal],
) -> Decimal:
    """Take from the lots named, or from what was split off them; return how much is missing."""
    missing, lots = fill.quantity, list(lots)
    for choice in fill.choices:
        wanted = choice.quantity - taken.get((fill.order_id, choice.lot_id), ZERO)
        for lot in lots:
            if choice.lot_id in {lot.id, lot.root_id}:
                part = max(min(lot.remaining - parts.get(lot.id, ZERO), wanted, missing), ZERO)
                if part:
                    parts[lot.id] = parts.get(lot.id, ZERO) + part
                    wanted, missing = wanted - part, missing - part
    return missing


def _acquired(lot: Lot) -> datetime:
    return _LONG_AGO if lot.acquired_at is None else lot.acquired_at
