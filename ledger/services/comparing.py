"""Comparing an account's ledger with the broker's books."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Self
from uuid import UUID

import structlog
from django.conf import settings

from accounts import selectors as accounts
from accounts import services as account_services
from core.auth import SYSTEM, acting_as
from core.clock import database_now
from core.errors import CleraError
from core.jobs import enqueue
from ledger import selectors
from ledger.gateways import Activity, get_books
from ledger.models import ZERO, LedgerBook, books_of
from ledger.services import activities, noticing
from ledger.states import DriftKind

logger = structlog.get_logger()
BATCH: Final = 50
# The broker may book something days after it happened, and at that day.
LOOK_BACK: Final = timedelta(days=7)
# Whoever dies while comparing has it done by another after this long.
_CLAIM: Final = timedelta(minutes=1)
_SOON: Final = timedelta(seconds=5)
# A broker that hangs must not keep the workers from orders and transfers.
_LONGEST_SECONDS: Final = 20.0
_PASSES: Final = 4
# So many lines are entered under one lock of the account, which orders and transfers want too.
_LINES: Final = 50
# So many are looked through under it when a book is closed, which is once an hour at most.
_CLOSED_AT_ONCE: Final = 5_000
_CLOSED_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """
    Both figures of an account's cash, and how many lines of the broker's were new to us.

    It `is_settled` when nothing moved meanwhile; otherwise the figures say nothing.
    """

    account_id: UUID
    ours: Decimal
    theirs: Decimal
    new: int
    is_settled: bool

    @property
    def difference(self) -> Decimal:
        """The broker's figure less ours."""
        return self.theirs - self.ours


def request_comparison(*, account_id: UUID) -> None:
    """Have an account compared soon in the background; its first time opens its ledger."""
    enqueue("ledger.compare_account", account_id=str(account_id))


def compare_account(*, account_id: UUID, at: datetime) -> Comparison:
    """
    Enter what the broker's books have and ours lack, then compare the cash.

    The broker is read outside any transaction. What differs becomes a `Drift`, and one whose
    cause is gone heals.

    :raises NotFound: there is no such account, or the broker has not opened it.
    :raises VendorError: the broker could not be read.
    """
    account = accounts.get_account(principal=SYSTEM, account_id=account_id)
    broker_account_id = accounts.broker_id_of(account)
    book = _book_of(account.pk, user_id=account.user_id)
    since = book.agreed_at - LOOK_BACK if book.agreed_at else None
    books, new = get_books(), 0
    for _ in range(_PASSES):
        with acting_as(SYSTEM):
            mark = _Mark.of(account.pk, since=book.closed_until)
        lines = books.list_activities(broker_account_id, after=since)
        theirs = books.cash_of(broker_account_id)
        found = _enter(account.pk, lines)
        new += found
        if not found and (since is None or _agrees(account.pk, theirs)):
            break
        # Something has moved meanwhile, or is older than we have looked.
        since = since if found else None
    with acting_as(SYSTEM):
        return _compare(account.pk, theirs, mark=mark, new=new, at=at)


def compare_due(*, at: datetime) -> int:
    """
    Compare the accounts whose turn it is and say how many; each active account gets a book first.

    One account that cannot be compared does not stop the others.
    """
    with acting_as(SYSTEM):
        _give_books(at=at)
        due = LedgerBook.objects.filter(due_at__lte=at).order_by("due_at")
        chosen = due.select_for_update(skip_locked=True, no_key=True)[:BATCH]
        ids = list(chosen.values_list("pk", flat=True))
        LedgerBook.objects.filter(pk__in=ids).update(due_at=at + _CLAIM)
    ends = time.monotonic() + _LONGEST_SECONDS
    for account_id in ids:
        if time.monotonic() > ends:
            break  # the rest has its turn again when the claim is over
        try:
            compare_account(account_id=account_id, at=at)
        except CleraError as error:
            logger.warning("ledger.compare_failed", id=str(account_id), error=error.code)
        except Exception:
            logger.exception("ledger.compare_broken", id=str(account_id))
    return len(ids)


def _give_books(*, at: datetime) -> None:
    """Open a book for active accounts that have none, because the news of it was lost."""
    known = LedgerBook.objects.values("account_id")
    new = accounts.active_owners().exclude(pk__in=known)[:BATCH]
    LedgerBook.objects.bulk_create(
        (LedgerBook(account_id=pk, user_id=user_id, due_at=at) for pk, user_id in new),
        ignore_conflicts=True,
    )


def _book_of(account_id: UUID, *, user_id: str) -> LedgerBook:
    with acting_as(SYSTEM):
        book, _ = LedgerBook.objects.get_or_create(
            account_id=account_id, defaults={"user_id": user_id}
        )
    return book


@dataclass(frozen=True)
class _Mark:
    """How many entries there are that were written down since then: none is ever removed."""

    since: datetime | None
    count: int

    @classmethod
    def of(cls, account_id: UUID, *, since: datetime | None) -> Self:
        return cls(since, books_of(account_id).since(since).moving_cash().count())


def _enter(account_id: UUID, lines: Sequence[Activity]) -> int:
    new = 0
    for start in range(0, len(lines), _LINES):
        some = lines[start : start + _LINES]
        with acting_as(SYSTEM):
            new += activities.take_in(account_id=account_id, lines=some).new
    return new


def _agrees(account_id: UUID, theirs: Decimal) -> bool:
    with acting_as(SYSTEM):
        explained = LedgerBook.objects.values_list("explained", flat=True).get(pk=account_id)
        return theirs - selectors.cash_of(account_id=account_id).total in {ZERO, explained}


def _compare(
    account_id: UUID, theirs: Decimal, *, mark: _Mark, new: int, at: datetime
) -> Comparison:
    account_services.lock_account(account_id=account_id)
    book = LedgerBook.objects.select_for_update(no_key=True).get(pk=account_id)
    ours = selectors.cash_of(account_id=account_id).total
    is_settled = _Mark.of(account_id, since=mark.since) == mark
    if is_settled:
        _settle(book, ours=ours, theirs=theirs, at=at)
    is_closed = _close(book, at=at)
    book.due_at = at + _wait(account_id, is_settled=is_settled and is_closed)
    book.save()
    return Comparison(
        account_id=account_id, ours=ours, theirs=theirs, new=new, is_settled=is_settled
    )


def _close(book: LedgerBook, *, at: datetime) -> bool:
    """
    Look once through what is old enough for both to have told of it, and add it up.

    Nothing is written down with a time so long ago: no transaction lasts a day. It is all added
    up anew each time, so that whatever might be wrong with the last sum does not stay. Returns
    whether that is done for now.
    """
    entries, until = books_of(book.account_id), database_now() - noticing.PATIENCE
    waiting = entries.since(book.closed_until).filter(recorded_at__lt=until)
    times = waiting.order_by("recorded_at").values_list("recorded_at", flat=True)
    next_one = times[_CLOSED_AT_ONCE : _CLOSED_AT_ONCE + 1].first()
    if next_one is not None:
        until = next_one
    elif book.closed_until is not None and until - book.closed_until < _CLOSED_EVERY:
        until = book.closed_until
    if noticing.notice_silence(book, until=until, at=at) and until != book.closed_until:
        sums = entries.filter(recorded_at__lt=until).available_and_held()
        book.closed_available, book.closed_held = sums
        book.closed_until = until
    return next_one is None


def _settle(book: LedgerBook, *, ours: Decimal, theirs: Decimal, at: datetime) -> None:
    difference = theirs - ours
    book.broker_cash, book.compared_at = theirs, at
    if not difference:
        book.explained = ZERO
    if difference == book.explained:
        book.agreed_at = at
        # By the clock that stamps entries: all of them until now are the broker's past.
        book.opened_at = book.opened_at or database_now()
        noticing.heal(book.account_id, DriftKind.BALANCE, at=at)
    else:
        noticing.notice(
            book,
            DriftKind.BALANCE,
            difference=difference,
            evidence={"broker": str(theirs), "ours": str(ours), "read_at": at.isoformat()},
            at=at,
        )


def _wait(account_id: UUID, *, is_settled: bool) -> timedelta:
    if not is_settled:
        return _SOON
    if noticing.is_suspected(account_id):
        return timedelta(seconds=settings.LEDGER_DRIFT_SECONDS)
    return timedelta(seconds=settings.LEDGER_COMPARE_SECONDS)
