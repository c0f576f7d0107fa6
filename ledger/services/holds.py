"""Holding cash back for what is under way, so that nothing else can spend it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from core.money import Money
from ledger.models import ZERO, Entry
from ledger.states import Book, EntryKind


def hold(
    *, account_id: UUID, user_id: str, reference: UUID, amount: Decimal, at: datetime
) -> Entry:
    """
    Hold dollars back for what `reference` names, in the caller's transaction and account lock.

    Whether so much is available is the caller's question.
    """
    return Entry.objects.create(
        user_id=user_id,
        account_id=account_id,
        kind=EntryKind.HOLD,
        debit=Book.HELD,
        credit=Book.AVAILABLE,
        amount=Money(amount).amount,
        reference=reference,
        occurred_at=at,
    )


def release(*, reference: UUID, at: datetime, most: Decimal | None = None) -> Decimal:
    """
    Free what is still held for `reference`, or `most` dollars of it, and say how much that was.

    Runs in the caller's transaction and account lock; where nothing is held nothing happens.
    """
    held = remaining(reference)
    freed = held if most is None else min(held, most)
    if freed <= 0:
        return ZERO
    first = Entry.objects.filter(reference=reference, kind=EntryKind.HOLD).first()
    assert first is not None  # noqa: S101 - something is held
    Entry.objects.create(
        user_id=first.user_id,
        account_id=first.account_id,
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
    return Entry.objects.filter(reference=reference).held()
