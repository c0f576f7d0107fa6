"""What became of what is under review: one member of staff finds it out, another confirms."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core import audit
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, Invalid, NotFound
from core.intents import sending, sweeping
from core.intents.states import IntentState
from funding.models import AchRelationship, ReviewVerdict, Transfer
from funding.services import review
from funding.services.review import BANK, TRANSFER, DoesNotFit, Found, Kind, NotUnderReview
from funding.states import Verdict, VerdictState

_LONGEST_REASON: Final = 300
_FOUND: Final = "It was found meanwhile; there is nothing left to decide."

__all__ = [
    "AlreadyProposed",
    "DoesNotFit",
    "NotProposed",
    "NotUnderReview",
    "SamePerson",
    "confirm",
    "look_again",
    "look_again_for_bank",
    "open_verdict",
    "propose",
    "propose_for_bank",
    "withdraw",
    "withdraw_settled",
]


class AlreadyProposed(CleraError):
    """One proposal at a time."""

    code = "already_proposed"
    status = 409
    detail = "Somebody has proposed what to do already; confirm or withdraw that first."


class NotProposed(CleraError):
    """It is settled."""

    code = "not_proposed"
    status = 409
    detail = "This proposal is settled already."


class SamePerson(CleraError):
    """Two people are needed, so that nobody settles money by themselves."""

    code = "same_person"
    status = 403
    detail = "Somebody else than who proposed it has to confirm it."


def look_again(*, staff: Principal, transfer_id: UUID, at: datetime) -> Transfer:
    """
    Look a lost transfer up at the broker now, and settle it when it is there.

    :raises NotFound: there is no such transfer.
    :raises VendorError: the broker could not be read.
    """
    looked: Transfer = _look_again(TRANSFER, transfer_id, staff=staff, at=at)
    return looked


def look_again_for_bank(
    *, staff: Principal, relationship_id: UUID, at: datetime
) -> AchRelationship:
    """
    Do the same for a lost bank.

    :raises NotFound: there is no such bank.
    :raises VendorError: the broker could not be read.
    """
    looked: AchRelationship = _look_again(BANK, relationship_id, staff=staff, at=at)
    return looked


def _look_again(kind: Kind, pk: UUID, *, staff: Principal, at: datetime) -> Any:
    with acting_as(staff):
        subject = kind.get(pk)
        _record("review.looked_up", staff, subject)
    if subject.state == IntentState.UNKNOWN:
        sweeping.resolve(pk, through=kind.courier(), at=at)
    elif subject.state == IntentState.NEEDS_REVIEW:
        review.find(kind, subject, at=at)
    with acting_as(staff):
        return kind.get(pk)


def propose(
    *,
    staff: Principal,
    transfer_id: UUID,
    verdict: str,
    broker_transfer_id: str = "",
    reason: str,
    at: datetime,  # noqa: ARG001 - the database writes when
) -> ReviewVerdict:
    """
    Write down what became of a transfer under review; it takes somebody else to make it so.

    :raises NotFound: there is no such transfer.
    :raises Invalid: no reason is given, or not which of the broker's transfers it is.
    :raises NotUnderReview: nobody has to decide about it.
    :raises AlreadyProposed: somebody has proposed something.
    :raises DoesNotFit: the broker has no such transfer, or it is another one.
    :raises VendorError: the broker could not be read.
    """
    said = (Verdict(verdict), broker_transfer_id, reason)
    return _propose(TRANSFER, transfer_id, said, staff=staff)


def propose_for_bank(
    *,
    staff: Principal,
    relationship_id: UUID,
    verdict: str,
    broker_relationship_id: str = "",
    reason: str,
    at: datetime,  # noqa: ARG001 - the database writes when
) -> ReviewVerdict:
    """
    Do the same for a bank under review.

    :raises NotFound: there is no such bank.
    :raises Invalid: no reason is given, or not which of the broker's banks it is.
    :raises NotUnderReview: nobody has to decide about it.
    :raises AlreadyProposed: somebody has proposed something.
    :raises DoesNotFit: the broker has no such bank, or it cannot be this one.
    :raises VendorError: the broker could not be read.
    """
    said = (Verdict(verdict), broker_relationship_id, reason)
    return _propose(BANK, relationship_id, said, staff=staff)


def _propose(
    kind: Kind, pk: UUID, said: tuple[Verdict, str, str], *, staff: Principal
) -> ReviewVerdict:
    verdict, named, why = said[0], said[1].strip(), _demand_reason(said[2])
    if (verdict == Verdict.ATTACH) != bool(named):
        rule = f"Name one of the broker's {kind.word}s if, and only if, it is this one."
        raise Invalid(rule, field_errors={"broker_id": [rule]})
    with acting_as(staff):
        subject = kind.get(pk)
        review.demand_review(subject)
    found = review.shown_by_broker(subject, named) if named else None
    with acting_as(staff):
        subject = kind.locked(pk)
        review.demand_review(subject)
        if subject.verdicts.filter(state=VerdictState.PROPOSED).exists():
            raise AlreadyProposed
        if found is not None:
            review.demand_fit(found, subject)
        proposed = ReviewVerdict.propose(
            subject, verdict=verdict, broker_id=named, reason=why, by=staff.name
        )
        _record("verdict.proposed", staff, subject, **_told(proposed), reason=why)
    return proposed


def confirm(*, staff: Principal, verdict_id: UUID, at: datetime) -> ReviewVerdict:
    """
    Settle what is under review as somebody else has proposed, after one more look at the broker.

    What was found meanwhile settles itself, and the proposal is withdrawn.

    :raises NotFound: there is no such proposal.
    :raises NotProposed: it is settled already.
    :raises SamePerson: the same person proposed it.
    :raises DoesNotFit: what the broker has has come to fit no longer.
    :raises VendorError: the broker could not be read, so nothing was settled.
    """
    with acting_as(staff):
        verdict = _get_verdict(verdict_id)
        _demand_other_person(verdict, staff)
        kind = review.kind_of(verdict)
        subject = kind.get(_subject_id(verdict))
    found = None
    if subject.state == IntentState.NEEDS_REVIEW:
        if verdict.verdict == Verdict.ATTACH:
            found = review.shown_by_broker(subject, verdict.broker_id)
        else:
            review.find(kind, subject, at=at)
    return _settle(staff, kind, verdict, found, at=at)


def _settle(
    staff: Principal, kind: Kind, verdict: ReviewVerdict, found: Found | None, *, at: datetime
) -> ReviewVerdict:
    """Carry the proposal out, in one transaction with its own end."""
    with acting_as(staff):
        subject = kind.locked(_subject_id(verdict))
        verdict = ReviewVerdict.objects.select_for_update().get(pk=verdict.pk)
        _demand_other_person(verdict, staff)
        if subject.state != IntentState.NEEDS_REVIEW:
            verdict.settle(VerdictState.WITHDRAWN, at=at)
            _record("verdict.withdrawn", staff, subject, **_told(verdict), reason=_FOUND)
            return verdict
        if found is not None:
            receipt = review.demand_fit(found, subject)
            sending.record(subject.pk, receipt, through=kind.courier(), at=at)
        else:
            sending.dismiss(subject.pk, through=kind.courier(), at=at)
        verdict.settle(VerdictState.CONFIRMED, at=at, by=staff.name)
        _record("verdict.confirmed", staff, subject, **_told(verdict))
    return verdict


def withdraw(*, staff: Principal, verdict_id: UUID, at: datetime) -> ReviewVerdict:
    """
    Take a proposal back; whoever may propose may do so.

    :raises NotFound: there is no such proposal.
    :raises NotProposed: it is settled already.
    """
    with acting_as(staff):
        verdict = _get_verdict(verdict_id)
        subject = review.kind_of(verdict).locked(_subject_id(verdict))
        verdict = ReviewVerdict.objects.select_for_update().get(pk=verdict_id)
        _demand_proposed(verdict)
        verdict.settle(VerdictState.WITHDRAWN, at=at)
        _record("verdict.withdrawn", staff, subject, **_told(verdict))
    return verdict


def withdraw_settled(*, at: datetime) -> int:
    """Take back the proposals about what has been found meanwhile, and count them."""
    under_review = IntentState.NEEDS_REVIEW
    with acting_as(SYSTEM):
        proposed = ReviewVerdict.objects.filter(state=VerdictState.PROPOSED)
        moot = proposed.exclude(transfer__state=under_review).exclude(
            relationship__state=under_review
        )
        rows = list(moot.select_for_update(of=["self"]))
        for verdict in rows:
            verdict.settle(VerdictState.WITHDRAWN, at=at)
            subject = review.kind_of(verdict).get(_subject_id(verdict))
            _record("verdict.withdrawn", SYSTEM, subject, **_told(verdict), reason=_FOUND)
    return len(rows)


def open_verdict(subject: Transfer | AchRelationship) -> ReviewVerdict | None:
    """Return the proposal about it that nobody has settled, if there is one."""
    with acting_as(SYSTEM):
        return subject.verdicts.filter(state=VerdictState.PROPOSED).first()


def _subject_id(verdict: ReviewVerdict) -> Any:
    return verdict.transfer_id or verdict.relationship_id


def _get_verdict(verdict_id: UUID) -> ReviewVerdict:
    verdict = ReviewVerdict.objects.filter(pk=verdict_id).first()
    if verdict is None:
        raise NotFound("There is no such proposal.")
    return verdict


def _demand_reason(text: str) -> str:
    words = text.strip()
    if not words:
        rule = "Write why, in a few words."
        raise Invalid(rule, field_errors={"reason": [rule]})
    return words[:_LONGEST_REASON]


def _demand_proposed(verdict: ReviewVerdict) -> None:
    if verdict.state != VerdictState.PROPOSED:
        raise NotProposed


def _demand_other_person(verdict: ReviewVerdict, staff: Principal) -> None:
    _demand_proposed(verdict)
    if verdict.proposed_by == staff.name:
        raise SamePerson


def _told(verdict: ReviewVerdict) -> dict[str, Any]:
    return {
        "verdict": verdict.verdict,
        "broker_id": verdict.broker_id,
        "proposed_by": verdict.proposed_by,
    }


def _record(action: str, staff: Principal, subject: Any, **details: object) -> None:
    audit.record(
        action,
        principal=staff,
        subject_kind=subject.kind,
        subject_id=subject.pk,
        user_id=subject.user_id,
        **details,
    )
