"""Sending an intent once: lease, commit, one call, and the outcome under the row's lock."""

from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.failpoints import failpoint
from core.ids import new_id
from core.intents.couriers import Courier, Receipt
from core.intents.models import CLOSED, Intent, rows
from core.intents.states import IntentState

logger = structlog.get_logger()
Row = TypeVar("Row", bound=Intent)
S = IntentState


def send_once(intent_id: UUID, *, through: Courier[Row], at: datetime) -> Row:
    """
    Send a PENDING intent to its vendor, unless somebody else is doing so, and return the row.

    The intent must be committed. The vendor hears of it at most once per call, and never while a
    transaction is open; whatever happens afterwards is found by the sweep.
    """
    failpoint("intent.committed")
    holder = new_id()
    intent, is_ours = _start(intent_id, through=through, holder=holder, at=at)
    if not is_ours:
        return intent
    failpoint("intent.leased")
    release_connection()
    return _deliver(intent, through=through, holder=holder, at=at)


def release_connection() -> None:
    """Give the database connection back before a long vendor call, unless a test wraps us."""
    if not connection.in_atomic_block:
        connection.close()


def _start(
    intent_id: UUID, *, through: Courier[Row], holder: UUID, at: datetime
) -> tuple[Row, bool]:
    """Take the lease and move PENDING → SENDING, if nobody else has; under the row's lock."""
    with acting_as(SYSTEM):
        intent = _locked(intent_id, through=through)
        is_free = intent.lease_until is None or intent.lease_until < intent.now
        if intent.state != S.PENDING or not is_free:
            return intent, False
        if put_aside(intent, through=through, at=at) or not through.may_send(intent):
            return intent, False
        _begin(intent, holder=holder, at=at)
        return intent, True


def _locked(intent_id: UUID, *, through: Courier[Row]) -> Any:
    """Lock the row, with the database's time as `now`."""
    return rows(through.model).select_for_update(no_key=True).annotate(now=Now()).get(pk=intent_id)


def _begin(intent: Any, *, holder: UUID, at: datetime, **changes: Any) -> None:
    """Move to SENDING under our lease and count the attempt, in one write."""
    intent.advance(
        S.SENDING,
        at=at,
        attempts=intent.attempts + 1,
        sent_at=intent.now,
        lease_holder=holder,
        lease_until=intent.now + timedelta(seconds=settings.INTENT_LEASE_SECONDS),
        **changes,
    )


def put_aside(intent: Intent, *, through: Courier[Any], at: datetime) -> bool:
    """Move a locked PENDING intent to HELD if there is a reason, and say whether it was."""
    hold = through.must_hold(intent)
    if hold is None:
        return False
    intent.advance(
        S.HELD,
        at=at,
        reason=hold.reason,
        reason_code=hold.reason_code,
        due_at=Now(),
        lease_holder=None,
        lease_until=None,
        **hold.changes,
    )
    intent.refresh_from_db(fields=["due_at"])
    through.held(intent, at=at)
    logger.info("intent.held", kind=intent.kind, id=str(intent.pk), rule=hold.reason_code)
    return True


class Again(Enum):
    """What became of the wish to send an intent a second time."""

    SENT = auto()
    NOT_NOW = auto()
    TOO_LATE = auto()


def resend(intent_id: UUID, *, through: Courier[Row], holder: UUID, at: datetime) -> Again:
    """
    Send again, with the same id, an UNKNOWN intent the vendor has no trace of.

    It is not sent while something forbids it, and not at all once it is too old.
    """
    with acting_as(SYSTEM):
        row: Row = _locked(intent_id, through=through)
        if row.state != S.UNKNOWN or row.lease_holder != holder or through.must_hold(row):
            return Again.NOT_NOW
        if _is_too_old(row, through=through):
            return Again.TOO_LATE
        if not through.may_send(row):
            return Again.NOT_NOW
        _begin(
            row,
            holder=holder,
            at=at,
            reason="The vendor has no trace of it; sent again.",
            looks=0,
        )
    release_connection()
    _deliver(row, through=through, holder=holder, at=at)
    return Again.SENT


def _is_too_old(row: Any, *, through: Courier[Row]) -> bool:
    ready_at: datetime = getattr(row, through.ready_column)
    return through.resends_for is not None and row.now > ready_at + through.resends_for


def _deliver(intent: Row, *, through: Courier[Row], holder: UUID, at: datetime) -> Row:
    try:
        receipt = through.send(intent)
    except VendorRejected as error:
        receipt = Receipt(error.vendor_code, is_accepted=False, reason=error.detail)
        if through.resends:
            return _take_refusal(intent.pk, receipt, through=through, holder=holder, at=at)
    except VendorUnavailable as error:
        return _put_back(intent.pk, through=through, holder=holder, error=error, at=at)
    except VendorUnclear as error:
        return _lose_track(intent.pk, through=through, holder=holder, error=error, at=at)
    failpoint("intent.answered")
    return record(intent.pk, receipt, through=through, at=at)


def record(intent_id: UUID, receipt: Receipt, *, through: Courier[Row], at: datetime) -> Row:
    """
    Write down what the vendor said, under the row's lock.

    Safe to repeat: an intent that is already decided keeps its decision.
    """
    with acting_as(SYSTEM):
        through.lock_above(intent_id)
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        before = IntentState(intent.state)
        if before not in {S.SENDING, S.UNKNOWN, S.NEEDS_REVIEW}:
            return intent
        changes = {**receipt.changes, "vendor_status": receipt.vendor_status[:64]}
        intent.advance(
            S.ACCEPTED if receipt.is_accepted else S.REJECTED,
            at=at,
            reason=receipt.reason,
            reason_code="" if receipt.is_accepted else "vendor_rejected",
            **CLOSED,
            **changes,
        )
        through.settled(intent, before=before, at=at)
    logger.info("intent.settled", kind=intent.kind, id=str(intent.pk), state=intent.state)
    return intent


def _take_refusal(
    intent_id: UUID, receipt: Receipt, *, through: Courier[Row], holder: UUID, at: datetime
) -> Row:
    """Believe a no only while the lease is ours: a later sending may have been accepted."""
    with acting_as(SYSTEM):
        through.lock_above(intent_id)
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        if intent.lease_holder != holder:
            return intent
        return record(intent_id, receipt, through=through, at=at)


def dismiss(intent_id: UUID, *, through: Courier[Row], at: datetime) -> Row:
    """
    Record an operator's finding that the vendor never got an intent under review.

    Any other intent stays as it is.
    """
    with acting_as(SYSTEM):
        through.lock_above(intent_id)
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        if intent.state != S.NEEDS_REVIEW:
            return intent
        never = Receipt("", is_accepted=False, reason="An operator found no trace of it.")
        return record(intent_id, never, through=through, at=at)


def _put_back(
    intent_id: UUID,
    *,
    through: Courier[Row],
    holder: UUID,
    error: VendorUnavailable,
    at: datetime,
) -> Row:
    """Return to PENDING: the vendor certainly did nothing. Each try waits longer, up to 60 s."""
    with acting_as(SYSTEM):
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        if intent.state != S.SENDING or intent.lease_holder != holder:
            return intent
        wait = max(error.retry_after_seconds or 0, min(60, 2**intent.attempts))
        intent.advance(
            S.PENDING,
            at=at,
            reason="The vendor could not be reached.",
            reason_code="vendor_unavailable",
            due_at=Now() + timedelta(seconds=wait),
            lease_holder=None,
            lease_until=None,
        )
        intent.refresh_from_db(fields=["due_at"])
    logger.warning("intent.not_sent", kind=intent.kind, id=str(intent_id))
    return intent


def _lose_track(
    intent_id: UUID, *, through: Courier[Row], holder: UUID, error: VendorUnclear, at: datetime
) -> Row:
    """Move to UNKNOWN: from here only reading the vendor leads on."""
    with acting_as(SYSTEM):
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        if intent.state != S.SENDING or intent.lease_holder != holder:
            return intent
        lose_track(intent, at=at, reason="The vendor's answer did not arrive.")
    logger.warning("intent.unknown", kind=intent.kind, id=str(intent_id), error=error.detail)
    return intent


def lose_track(intent: Intent, *, at: datetime, reason: str) -> None:
    """Make the move to UNKNOWN and erase the secret: it will not be sent a second time."""
    intent.advance(
        S.UNKNOWN,
        at=at,
        reason=reason,
        reason_code="vendor_unclear",
        looks=0,
        due_at=Now(),
        **CLOSED,
    )
    intent.refresh_from_db(fields=["due_at"])


__all__ = [
    "Again",
    "dismiss",
    "lose_track",
    "put_aside",
    "record",
    "release_connection",
    "resend",
    "send_once",
]
