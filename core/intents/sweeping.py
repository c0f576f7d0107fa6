"""Finding intents that wait too long, and learning from the vendor what became of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q

from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import CleraError, VendorError
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier
from core.intents.models import CLOSED, FREE, Intent, rows, take_lease
from core.intents.states import IntentState

logger = structlog.get_logger()
Row = TypeVar("Row", bound=Intent)
S = IntentState

# A request that just wrote the row is about to send it itself.
GRACE = timedelta(seconds=3)
BATCH = 100
LOOK_AGAIN_EVERY = timedelta(minutes=10)
LOOK_AGAIN_FOR = timedelta(days=3)
_MOST_LOOKS = 1_000  # one that is held back may be looked up for days


def sweep(*, through: Courier[Row], at: datetime) -> dict[str, int]:
    """
    Move on every intent of this kind that waits, and count what was touched.

    Cancels the stale, sends the forgotten, marks the abandoned UNKNOWN, looks the UNKNOWN up.
    Safe to run in many processes at once; one broken row does not stop the others.
    """
    return {
        "canceled": _each(_stale(through), _cancel, through, at),
        "sent": _each(_forgotten(through), _send, through, at),
        "abandoned": _each(_abandoned(through), _abandon, through, at),
        "looked_up": _each(_unknown(through), resolve, through, at),
    }


def look_again(*, through: Courier[Row], at: datetime) -> int:
    """
    See whether what is under review has turned up at the vendor after all, and count the looks.

    Whatever is still missing after `LOOK_AGAIN_FOR` is left to the operators.
    """
    young = Q(created_at__gt=Now() - LOOK_AGAIN_FOR)
    missing = _ids(through, young, Q(state=S.NEEDS_REVIEW, due_at__lte=Now()))
    return _each(missing, _look_again, through, at)


class _Act(Protocol):
    def __call__(self, intent_id: UUID, *, through: Courier[Any], at: datetime) -> object: ...


def _each(ids: Sequence[UUID], act: _Act, through: Courier[Row], at: datetime) -> int:
    for intent_id in ids:
        try:
            act(intent_id, through=through, at=at)
        except CleraError as error:
            logger.warning("sweep.row_failed", id=str(intent_id), error=error.code)
        except Exception:
            logger.exception("sweep.row_broken", id=str(intent_id))
    return len(ids)


def _ids(through: Courier[Row], *conditions: Q) -> list[UUID]:
    with acting_as(SYSTEM):
        waiting = rows(through.model).filter(*conditions).order_by("due_at")
        return list(waiting.values_list("pk", flat=True)[:BATCH])


def _is_stale(through: Courier[Row]) -> Q:
    too_old = Q(**{f"{through.ready_column}__lt": Now() - through.gives_up_after})
    return Q(state=S.PENDING) & (too_old | Q(sealed_until__lt=Now()))


def _stale(through: Courier[Row]) -> list[UUID]:
    return _ids(through, FREE, _is_stale(through))


def _forgotten(through: Courier[Row]) -> list[UUID]:
    return _ids(
        through,
        FREE,
        Q(state=S.PENDING, due_at__lte=Now(), created_at__lt=Now() - GRACE),
    )


def _abandoned(through: Courier[Row]) -> list[UUID]:
    return _ids(through, Q(state=S.SENDING, lease_until__lt=Now()))


def _unknown(through: Courier[Row]) -> list[UUID]:
    return _ids(through, FREE, Q(state=S.UNKNOWN, due_at__lte=Now()))


def _cancel(intent_id: UUID, *, through: Courier[Row], at: datetime) -> None:
    """Give up on what never reached the vendor; the customer submits again."""
    with acting_as(SYSTEM):
        through.lock_above(intent_id)
        waiting = rows(through.model).select_for_update(skip_locked=True, no_key=True)
        intent = waiting.filter(FREE, _is_stale(through), pk=intent_id).first()
        if intent is None or sending.put_aside(intent, through=through, at=at):
            return
        intent.advance(
            S.CANCELED,
            at=at,
            reason="It could not be sent in time and has had no effect; please submit again.",
            reason_code="not_sent",
            **CLOSED,
        )
        through.settled(intent, before=S.PENDING, at=at)


def _send(intent_id: UUID, *, through: Courier[Row], at: datetime) -> None:
    sending.send_once(intent_id, through=through, at=at)


def _abandon(intent_id: UUID, *, through: Courier[Row], at: datetime) -> None:
    """Whoever was sending died: the vendor may or may not have heard."""
    with acting_as(SYSTEM):
        waiting = rows(through.model).select_for_update(skip_locked=True, no_key=True)
        intent = waiting.filter(pk=intent_id, state=S.SENDING, lease_until__lt=Now()).first()
        if intent is not None:
            sending.lose_track(intent, at=at, reason="The sender stopped before the answer came.")


def resolve(intent_id: UUID, *, through: Courier[Row], at: datetime) -> None:
    """Look an UNKNOWN intent up at its vendor and settle it, wait, resend or hand it to people."""
    holder = new_id()
    with acting_as(SYSTEM):
        seconds = settings.INTENT_LEASE_SECONDS
        if not take_lease(through.model, intent_id, holder=holder, seconds=seconds):
            return
        intent = rows(through.model).get(pk=intent_id)
    if intent.state != S.UNKNOWN:
        return
    sending.release_connection()
    try:
        receipt = through.find(intent)
    except VendorError as error:
        logger.warning("intent.look_up_failed", id=str(intent_id), error=error.code)
        _wait(intent_id, through=through, holder=holder, counts=False)
        return
    if receipt is not None:
        sending.record(intent_id, receipt, through=through, at=at)
        return
    _no_trace(intent, through=through, holder=holder, at=at)


def _look_again(intent_id: UUID, *, through: Courier[Row], at: datetime) -> None:
    with acting_as(SYSTEM):
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        intent.due_at = Now() + LOOK_AGAIN_EVERY
        intent.save(update_fields=["due_at"])
        intent.refresh_from_db(fields=["due_at"])
    sending.release_connection()
    receipt = through.find(intent)
    if receipt is not None:
        sending.record(intent_id, receipt, through=through, at=at)


def _no_trace(intent: Row, *, through: Courier[Row], holder: UUID, at: datetime) -> None:
    looks, is_hopeless = intent.looks + 1, not through.resends
    if through.resends and looks >= 2:  # noqa: PLR2004 - two look-ups, at least 10 s apart
        again = sending.resend(intent.pk, through=through, holder=holder, at=at)
        if again is sending.Again.SENT:
            return
        is_hopeless = again is sending.Again.TOO_LATE
    if is_hopeless and looks >= through.looks_before_review:
        _hand_over(intent.pk, through=through, at=at)
    else:
        _wait(intent.pk, through=through, holder=holder, counts=True)


def _wait(intent_id: UUID, *, through: Courier[Row], holder: UUID, counts: bool) -> None:
    """Look again later; only a look-up that the vendor answered counts as a miss."""
    with acting_as(SYSTEM):
        waiting = rows(through.model).select_for_update(no_key=True)
        intent = waiting.filter(pk=intent_id, lease_holder=holder).first()
        if intent is None:
            return
        intent.looks = min(intent.looks + int(counts), _MOST_LOOKS)
        intent.due_at = Now() + timedelta(seconds=settings.INTENT_LOOK_SECONDS)
        intent.lease_holder = None
        intent.lease_until = None
        intent.save(update_fields=["looks", "due_at", "lease_holder", "lease_until"])


def _hand_over(intent_id: UUID, *, through: Courier[Row], at: datetime) -> None:
    with acting_as(SYSTEM):
        through.lock_above(intent_id)
        intent = rows(through.model).select_for_update(no_key=True).get(pk=intent_id)
        if intent.state != S.UNKNOWN:
            return
        intent.advance(
            S.NEEDS_REVIEW,
            at=at,
            reason="The vendor shows no trace of it; an operator has to decide.",
            reason_code="no_trace",
            **CLOSED,
        )
        through.settled(intent, before=S.UNKNOWN, at=at)
    logger.error("intent.needs_review", kind=intent.kind, id=str(intent_id))
