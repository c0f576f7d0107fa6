"""How sign-ins at a bank pause and end; what ends or pauses says that no step may follow."""

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings

from accounts import services as account_services
from core.auth import SYSTEM, acting_as
from core.clock import Now
from funding.models import AchRelationship, LinkSession
from funding.services import items
from funding.states import ITEM_IN_USE, LinkPurpose, LinkState

logger = structlog.get_logger()
L = LinkState
SHORTEST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=5)
ENDED: Final = "bank.sign_in_ended"
_NOT_IN_TIME: Final = "The page was not finished in time."


def lease_end() -> Any:
    """Say until when whoever works on a sign-in has it to himself."""
    return Now() + timedelta(seconds=settings.INTENT_LEASE_SECONDS)


def pause(session: LinkSession) -> bool:
    """
    Come back after a quarter of its age: soon while the customer is at it, seldom later.

    News that came meanwhile have made it due, and are not overwritten.
    """
    with acting_as(SYSTEM):
        locked = LinkSession.objects.select_for_update(no_key=True).annotate(now=Now())
        row: Any = locked.get(pk=session.pk)
        row.looks = min(row.looks + 1, 32_000)
        row.lease_until = None
        if row.due_at == session.due_at:
            age = (row.now - row.created_at) / 4
            row.due_at = row.now + min(max(age, SHORTEST_PAUSE), LONGEST_PAUSE)
        row.save(update_fields=["looks", "lease_until", "due_at"])
    return False


def lock(session: LinkSession) -> LinkSession:
    """Read the row anew under its lock."""
    return LinkSession.objects.select_for_update(no_key=True).get(pk=session.pk)


def expire(session: LinkSession, *, at: datetime, reason: str = _NOT_IN_TIME) -> bool:
    """End a page of which nothing came."""
    with acting_as(SYSTEM):
        locked = lock(session)
        if locked.state == L.OPEN:
            end(locked, L.EXPIRED, at=at, reason=reason)
    return False


def second_bank(session: LinkSession, *, at: datetime) -> bool:
    """End a sign-in, whose row is locked, because the account has a bank."""
    reason = "This account has an active bank already; remove it before you link another."
    return end(session, L.FAILED, at=at, code="relationship_exists", reason=reason)


def fail(session: LinkSession, code: str, reason: str, *, at: datetime) -> bool:
    """End a sign-in that has come no further meanwhile."""
    with acting_as(SYSTEM):
        locked = lock(session)
        if locked.state in {session.state, L.EXCHANGING}:
            end(locked, L.FAILED, at=at, code=code, reason=reason)
    return False


def end(
    session: LinkSession,
    to: LinkState,
    *,
    at: datetime,
    code: str = "",
    reason: str = "",
    **changes: Any,
) -> bool:
    """End a sign-in, whose row is locked; give up an item nothing came of; tell the customer."""
    bank = changes.get("relationship")
    if bank is not None:
        # The commit checks its row; whoever settles it locks that before the feed, and so do we.
        AchRelationship.objects.locked(bank.pk)
    item = session.item
    is_new = session.purpose == LinkPurpose.NEW
    if is_new and item is not None and item.state in ITEM_IN_USE and to != L.LINKED:
        items.give_up(item_id=item.pk, at=at)
    session.advance(to, at=at, reason=reason, reason_code=code[:64], **changes)
    account_services.push(
        account_id=session.account_id,
        user_id=session.user_id,
        kind=ENDED,
        payload={"session_id": str(session.pk), "state": to.value, "reason": session.reason},
    )
    logger.info("bank_sign_in.ended", id=str(session.pk), state=to, code=code)
    return False
