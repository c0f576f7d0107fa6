"""Fills that trading knows only from a reading of the order, since their events were lost."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from ledger.models import Entry, Witness, books_of
from ledger.services import holds, posting
from ledger.states import CASH, WitnessKind

ZERO: Final = Decimal(0)


def confirm_filled(
    *, account_id: UUID, reference: UUID, broker_order_id: str, filled: Decimal, at: datetime
) -> Decimal:
    """
    Add trading's word to what the broker's books tell of an order of which `filled` was filled.

    Returns how much of it our books have. Nothing is written that the broker's do not tell; what
    is confirmed uses up what is held for `reference`. Runs in the caller's transaction and
    account lock.
    """
    of_order = posting.fill_key(broker_order_id, ZERO).removesuffix("0")
    told = books_of(account_id).filter(natural_key__startswith=of_order, reversed_by=None)
    covered = list(_within(filled, sorted(told, key=_cumulative)))
    heard = Witness.objects.filter(entry__in=covered, kind=WitnessKind.EXECUTION)
    known = set(heard.values_list("entry_id", flat=True))
    for entry in covered:
        if entry.pk not in known:
            _confirm(entry, reference=reference, at=at)
    return sum((entry.quantity or ZERO for entry in covered), ZERO)


def _confirm(entry: Entry, *, reference: UUID, at: datetime) -> None:
    Witness.objects.create(
        user_id=entry.user_id,
        entry=entry,
        kind=WitnessKind.EXECUTION,
        external_id=posting.read_name(entry.natural_key),
    )
    if entry.credit in CASH:
        holds.release(reference=reference, most=entry.amount, at=at)


def _within(filled: Decimal, entries: Iterable[Entry]) -> Iterator[Entry]:
    """
    Keep the first fills that make up no more than was filled.

    Their own sizes are added up: how far the order had come says nothing of fills that lack.
    """
    left = filled
    for entry in entries:
        left -= entry.quantity or ZERO
        if left >= 0:
            yield entry


def _cumulative(entry: Entry) -> Decimal:
    figure, _, _ = entry.natural_key.rpartition(":")[2].partition("#")
    return Decimal(figure)
