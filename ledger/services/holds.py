"""Holding cash back for what is under way, so that nothing else can spend it."""

from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final
from uuid import UUID

from core.money import Money
from ledger.models import ZERO, Entry, EntryQuerySet
from ledger.states import Book, EntryKind

_CENT: Final = Decimal("0.01")


def hold(
    *, account_id: UUID, user_id: str, reference: UUID, amount: Decimal, at: datetime
) -> Entry:
    """
    Hold dollars back for what `reference` names, in the caller's transaction and account lock.

    A part of a cent is held as a whole one. Whether so much is available is the caller's question.

    :raises NotAnAmount: it is no finite amount.
    """
    whole = amount.quantize(_CENT, rounding=ROUND_CEILING) if amount.is_finite() else amount
    return Entry.objects.create(
        user_id=user_id,
        account_id=account_id,
        kind=EntryKind.HOLD,
        debit=Book.HELD,
        credit=Book.AVAILABLE,
        amount=Money(whole).amount,
        reference=reference,
        occurred_at=at,
    )


def release(*, reference: UUID, at: datetime, most: Decimal | None = None) -> Decimal:
    """
    Free what is still held for `reference`, or `most` dollars of it, and say how much that was.

    Runs in the caller's transaction and account lock; where nothing is held nothing happens.
    """
    lines = list(_lines(reference))
    held = sum((line.amount if line.debit == Book.HELD else -line.amount for line in lines), ZERO)
    freed = held if most is None else min(held, Money.rounded(most).amount)
    if freed <= 0:
        return ZERO
    Entry.objects.create(
        user_id=lines[0].user_id,
        account_id=lines[0].account_id,
        kind=EntryKind.RELEASE,
        debit=Book.AVAILABLE,
        credit=Book.HELD,
        amount=freed,
        reference=reference,
        occurred_at=at,
    )
    return freed


def remaining(reference: UUID) -> Decimal:
    """Say how many dollars are still held for it."""
    return _lines(reference).held()


def _lines(reference: UUID) -> EntryQuerySet:
    kinds = [EntryKind.HOLD, EntryKind.RELEASE]
    return Entry.objects.filter(reference=reference, kind__in=kinds)
