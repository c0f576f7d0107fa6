"""What our staff does with a closure that does not go on by itself."""

from datetime import datetime
from uuid import UUID

from accounts import services as accounts
from closure import selectors
from closure.models import ClosingRequest, Closure
from closure.services import notices, steering
from closure.states import ASKS_ANEW, STOPPABLE, ClosureState
from core import audit
from core.auth import SYSTEM, Principal, acting_as
from core.clock import database_now
from core.errors import CleraError, Invalid, NotFound
from core.intents.states import UNDECIDED, IntentState


class NotUnderReview(CleraError):
    """It goes on by itself, or is over."""

    code = "not_under_review"
    status = 409
    detail = "The closure is not under review."


class NothingToConfirm(CleraError):
    """Nobody has asked for it to go on."""

    code = "nothing_to_confirm"
    status = 409
    detail = "Nobody has asked for this closure to go on."


class SamePerson(CleraError):
    """Two people are needed where money is sent once more."""

    code = "same_person"
    status = 403
    detail = "Somebody else than who asked for it has to confirm it."


class NotStoppable(CleraError):
    """It is over, or the broker is closing the account."""

    code = "closure_not_stoppable"
    status = 409
    detail = "The closure can no longer be stopped."


class NoBank(CleraError):
    """The money has nowhere to go."""

    code = "no_approved_bank"
    status = 409
    detail = "The bank cannot be used any more; the customer has to link another one first."


class Busy(CleraError):
    """A worker is at it right now."""

    code = "closure_busy"
    status = 409
    detail = "The closure is being worked on this moment; try again shortly."


def resume(*, staff: Principal, closure_id: UUID, reason: str, at: datetime) -> Closure:
    """
    Let a closure under review go on; where money is sent once more, somebody else has to confirm.

    :raises NotFound: there is no such closure.
    :raises Invalid: no reason is given.
    :raises NotUnderReview: it goes on by itself, or is over.
    :raises NoBank: the money has nowhere to go.
    """
    why = _demand_reason(reason)
    with acting_as(staff):
        closure = _locked(closure_id)
        _demand_review(closure)
        if closure.takes_two:
            _bank_for(closure)
            closure.resume_asked_at, closure.resume_asked_by = at, staff.name[:300]
            closure.resume_reason = why
            closure.save()
            closure.log("resume_asked", at=at)
            _record("closure.resume_asked", staff, closure, reason=why)
        else:
            _go_on(closure, staff, reason=why, at=at)
    return closure


def confirm_resume(*, staff: Principal, closure_id: UUID, at: datetime) -> Closure:
    """
    Confirm what somebody else has asked for: the closure goes on and sends the money again.

    :raises NotFound: there is no such closure.
    :raises NotUnderReview: it goes on by itself, or is over.
    :raises NothingToConfirm: nobody has asked for it.
    :raises SamePerson: the same person has asked for it.
    :raises NoBank: the money has nowhere to go.
    """
    with acting_as(staff):
        closure = _locked(closure_id)
        _demand_review(closure)
        if closure.resume_asked_at is None:
            raise NothingToConfirm
        if closure.resume_asked_by == staff.name:
            raise SamePerson
        _go_on(closure, staff, reason=closure.resume_reason, at=at)
    return closure


def _bank_for(closure: Closure) -> UUID:
    """Name the closure's bank, or the account's other one when that takes nothing any more."""
    usable = selectors.usable_banks(principal=SYSTEM, account_id=closure.account_id)
    ids = [bank.pk for bank in usable]
    if not ids:
        raise NoBank
    own: UUID = closure.relationship_id
    return own if own in ids else ids[0]


def _go_on(closure: Closure, staff: Principal, *, reason: str, at: datetime) -> None:
    # Where no money is sent, the bank stays as its owner has named it.
    bank_id = _bank_for(closure) if closure.takes_two else closure.relationship_id
    if bank_id != closure.relationship_id:
        closure.relationship_id = bank_id
        closure.log("bank_changed", at=at, bank=str(bank_id))
    closure.excused = sorted({*closure.excused, *closure.about})
    if closure.problem_kind in ASKS_ANEW:
        closure.number += 1
    closure.clear_problem()
    closure.resume_asked_at, closure.resume_asked_by, closure.resume_reason = None, "", ""
    closure.next_at = at
    closure.advance(ClosureState.RUNNING, at=at)
    closure.log("resumed", at=at)
    _record("closure.resumed", staff, closure, reason=reason)
    notices.tell(closure)
    steering.request_advance(closure.pk)


def hand_back(*, staff: Principal, closure_id: UUID, reason: str, at: datetime) -> Closure:
    """
    Stop a closure and leave the account to its owner; what is on its way to the bank goes on.

    Before money is paid out it is stopped as its owner would, sales included.

    :raises NotFound: there is no such closure.
    :raises Invalid: no reason is given.
    :raises NotStoppable: it is over, or the broker may be closing the account.
    :raises Busy: a worker is at it right now.
    """
    why = _demand_reason(reason)
    with acting_as(staff):
        closure = _locked(closure_id)
        if not closure.is_live or _may_be_closing(closure):
            raise NotStoppable
        _record("closure.handed_back", staff, closure, reason=why)
        closure.log("handed_back", at=at)
        if closure.step in STOPPABLE:
            _ask_to_stop(closure, staff, at=at)
        else:
            if closure.lease_until is not None and closure.lease_until > database_now():
                raise Busy
            closure.clear_problem()
            closure.advance(ClosureState.CANCELED, at=at)
            accounts.end_closing(principal=staff, account_id=closure.account_id)
            notices.tell(closure)
    return closure


def _ask_to_stop(closure: Closure, staff: Principal, *, at: datetime) -> None:
    if closure.stop_asked_at is None:
        closure.stop_asked_at, closure.stop_asked_by = at, staff.name[:600]
    closure.next_at = at
    if closure.state == ClosureState.NEEDS_REVIEW:
        closure.advance(ClosureState.RUNNING, at=at)
    else:
        closure.save()
    steering.request_advance(closure.pk)


def _may_be_closing(closure: Closure) -> bool:
    states = [*UNDECIDED, IntentState.ACCEPTED]
    return ClosingRequest.objects.filter(closure=closure, state__in=states).exists()


def _locked(closure_id: UUID) -> Closure:
    """Lock the account, then the closure."""
    account_id = Closure.objects.filter(pk=closure_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound("There is no such closure.")
    accounts.lock_account(account_id=account_id)
    return Closure.objects.locked(closure_id)


def _demand_review(closure: Closure) -> None:
    if closure.state != ClosureState.NEEDS_REVIEW:
        raise NotUnderReview


def _demand_reason(text: str) -> str:
    words = text.strip()
    if not words:
        rule = "Write why, in a few words."
        raise Invalid(rule, field_errors={"reason": [rule]})
    return words[:300]


def _record(action: str, staff: Principal, closure: Closure, **details: object) -> None:
    audit.record(
        action,
        principal=staff,
        subject_kind="closure.Closure",
        subject_id=closure.pk,
        user_id=closure.user_id,
        **details,
    )
