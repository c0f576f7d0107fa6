"""Noticing where the ledger and the broker's books differ, and that they do no more."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from ledger.models import Drift, Entry, EntryQuerySet, LedgerBook, Witness, books_of
from ledger.states import (
    FILLS,
    TRANSFERS,
    UNSETTLED,
    DriftKind,
    DriftState,
    WitnessKind,
)

logger = structlog.get_logger()
# Both sides have told of a movement after so long, weekends and outages included.
PATIENCE: Final = timedelta(days=1)
MOST_AT_ONCE: Final = 100


def notice(
    book: LedgerBook,
    kind: DriftKind,
    *,
    difference: Decimal,
    evidence: dict[str, Any],
    at: datetime,
    entry: Entry | None = None,
) -> Drift:
    """
    Keep that there is a difference, with the account locked.

    It is SUSPECTED at first, and OPEN when it is still the same after LEDGER_DRIFT_SECONDS. One
    that has changed is not what anybody has proposed to settle.
    """
    subject = str(entry.pk) if entry else ""
    drift = _unsettled(book.account_id, kind).filter(subject=subject).first()
    if drift is None:
        return Drift.objects.create(
            user_id=book.user_id,
            account_id=book.account_id,
            kind=kind,
            subject=subject,
            entry=entry,
            difference=difference,
            evidence=evidence,
            created_at=at,
            seen_at=at,
        )
    has_changed = drift.difference != difference
    if has_changed and drift.state == DriftState.SUSPECTED:
        drift.created_at = at  # one that moves is news on its way
    drift.difference, drift.evidence, drift.seen_at = difference, evidence, at
    if has_changed and drift.state == DriftState.PROPOSED:
        drift.forget_proposal(at=at)
        _alarm(drift)
    elif drift.state == DriftState.SUSPECTED and not has_changed and _is_old(drift, at=at):
        drift.advance(DriftState.OPEN, at=at)
        _alarm(drift)
    else:
        drift.save()
    return drift


def heal(account_id: UUID, kind: DriftKind, *, at: datetime, still: set[str] | None = None) -> None:
    """Settle the differences of a kind whose cause is gone: all but those about `still`."""
    for drift in _unsettled(account_id, kind).exclude(subject__in=still or set()):
        drift.advance(DriftState.HEALED, at=at)
        logger.info("ledger.healed", id=str(drift.pk), kind=drift.kind)


def is_suspected(account_id: UUID) -> bool:
    """Say whether there is a difference that must be looked at again soon."""
    suspected = Drift.objects.filter(account_id=account_id, state=DriftState.SUSPECTED)
    return suspected.exists()


def notice_silence(book: LedgerBook, *, until: datetime, at: datetime) -> bool:
    """
    Notice entries from before `until` that a witness lacks who ought to have told of them.

    Of what happened before the broker's books were first read nobody but the broker must tell.
    Entries that were looked through when the book was closed are not read again, except for
    those that lacked one. Returns whether all were looked through; with the account locked.
    """
    is_done = _notice_all(book, DriftKind.NOT_AT_BROKER, until=until, at=at)
    if book.opened_at is not None:
        is_done &= _notice_all(book, DriftKind.NOT_OURS, until=until, at=at)
    return is_done


def is_lacking(drift: Drift) -> bool:
    """Say whether the entry that a difference is about still lacks its witness."""
    entries = _lacking(drift.account_id, DriftKind(drift.kind))
    return drift.entry_id is not None and entries.filter(pk=drift.entry_id).exists()


def _notice_all(book: LedgerBook, kind: DriftKind, *, until: datetime, at: datetime) -> bool:
    known = list(_unsettled(book.account_id, kind).values_list("entry_id", flat=True))
    lacking = _lacking(book.account_id, kind).filter(recorded_at__lt=until)
    if kind == DriftKind.NOT_OURS:
        lacking = lacking.filter(occurred_at__gt=book.opened_at, recorded_at__gt=book.opened_at)
    settled = Drift.objects.filter(
        account_id=book.account_id, kind=kind, state=DriftState.RESOLVED, entry=OuterRef("pk")
    )
    unknown = lacking.since(book.closed_until).exclude(pk__in=known).exclude(Exists(settled))
    room = max(MOST_AT_ONCE - len(known), 0)
    new = list(unknown.order_by("recorded_at")[: room + 1])
    still = [*lacking.filter(pk__in=known), *new[:room]]
    for entry in still:
        effect = entry.cash_effect
        notice(
            book,
            kind,
            # What the broker's cash has of it, less what ours has.
            difference=-effect if kind == DriftKind.NOT_AT_BROKER else Decimal("0.00"),
            evidence={"amount": str(effect), "told_by": entry.told_by()},
            at=at,
            entry=entry,
        )
    heal(book.account_id, kind, at=at, still={str(entry.pk) for entry in still})
    return len(new) <= room


def _lacking(account_id: UUID, kind: DriftKind) -> EntryQuerySet:
    """Keep standing transfers and fills of which the witness of this kind has not told."""
    lacks = (
        [WitnessKind.ACTIVITY]
        if kind == DriftKind.NOT_AT_BROKER
        else [WitnessKind.TRANSFER, WitnessKind.EXECUTION]
    )
    told = Witness.objects.filter(entry=OuterRef("pk"), kind__in=lacks)
    return (
        books_of(account_id)
        .filter(kind__in=sorted(TRANSFERS | FILLS), reverses__isnull=True, reversed_by__isnull=True)
        .exclude(Exists(told))
    )


def _unsettled(account_id: UUID, kind: DriftKind) -> QuerySet[Drift]:
    rows = Drift.objects.filter(account_id=account_id, kind=kind, state__in=sorted(UNSETTLED))
    return rows.select_for_update(no_key=True)


def _is_old(drift: Drift, *, at: datetime) -> bool:
    return at - drift.created_at >= timedelta(seconds=settings.LEDGER_DRIFT_SECONDS)


def _alarm(drift: Drift) -> None:
    logger.error(
        "ledger.drift", id=str(drift.pk), account_id=str(drift.account_id), kind=drift.kind
    )
