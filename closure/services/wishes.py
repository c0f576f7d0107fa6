"""What the owner of an account may do with its closure: have it go on, confirm, or stop it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from accounts import services as accounts
from closure import selectors
from closure.models import Closure
from closure.services import steering
from closure.states import ORDER, ClosureState, Step
from core.auth import Principal, acting_as
from core.errors import CleraError, Invalid
from funding import selectors as funding


class ClosureOver(CleraError):
    """It has ended."""

    code = "closure_over"
    status = 409
    detail = "This closure is over; ask for another one."


class UnderReview(CleraError):
    """Our staff has to look at it first."""

    code = "closure_under_review"
    status = 409
    detail = "Our staff is looking at this closure; it goes on when they have decided."


class StepNotReached(CleraError):
    """What is asked for comes later."""

    code = "closure_step_not_reached"
    status = 409
    detail = "The closure has not come so far yet."


class NotStoppable(CleraError):
    """Money is on its way to the bank, or it is over."""

    code = "closure_not_stoppable"
    status = 409
    detail = "The closure can no longer be stopped; ask support."


class OtherBank(CleraError):
    """The closure sends the money to another bank."""

    code = "closure_other_bank"
    status = 422
    detail = "The money goes to the bank that was named when the closure was asked for."


def go_on(
    *,
    principal: Principal,
    account_id: str | UUID,
    at: datetime,
    steps: Sequence[Step] = (),
    confirmed: str = "",
    relationship_id: str | UUID | None = None,
) -> Closure:
    """
    Have a closure look now whether it can go on; asking again changes nothing.

    :param steps: where it has to be for that; what comes after them is fine, too.
    :param confirmed: what the owner confirms by it, once.
    :raises NotFound: there is no closure, or it is somebody else's.
    :raises ClosureOver: it was stopped, or could not begin.
    :raises UnderReview: our staff has to look at it first.
    :raises StepNotReached: it has not come so far.
    :raises OtherBank: another bank is named than the closure's.
    """
    seen = selectors.get_closure(principal=principal, account_id=account_id)
    if relationship_id is not None:
        _demand_same_bank(principal, seen, relationship_id)
    with acting_as(principal):
        accounts.lock_account(account_id=seen.account_id)
        closure = Closure.objects.locked(seen.pk)
        if closure.state == ClosureState.DONE:
            return closure
        _demand_running(closure)
        if steps and ORDER.index(Step(closure.step)) < min(ORDER.index(each) for each in steps):
            raise StepNotReached(extra={"step": closure.step})
        if confirmed and all(each["what"] != confirmed for each in closure.confirmations):
            closure.confirm([confirmed], by=principal.name, at=at)
        closure.next_at = min(closure.next_at, at)
        closure.save(update_fields=["next_at"])
        steering.request_advance(closure.pk)
    return closure


def _demand_running(closure: Closure) -> None:
    if not closure.is_live:
        raise ClosureOver
    if closure.state == ClosureState.NEEDS_REVIEW:
        raise UnderReview(closure.problem or None)


def _demand_same_bank(principal: Principal, closure: Closure, relationship_id: str | UUID) -> None:
    bank = funding.get_relationship(
        principal=principal, account_id=closure.account_id, relationship_id=relationship_id
    )
    if bank.pk != closure.relationship_id:
        raise OtherBank


def demand_final(given: object) -> None:
    """
    Let only a clear yes pass.

    :raises Invalid: it is anything else.
    """
    if given is not True:
        rule = "Confirm that the account is to be closed for good."
        raise Invalid(rule, field_errors={"final_confirmation": [rule]})


def stop(*, principal: Principal, account_id: str | UUID, at: datetime) -> Closure:
    """
    Ask for a closure to be stopped; it is as soon as whoever works on it looks.

    The owner may, until the first withdrawal; what was sold by then stays sold. Asking again
    changes nothing.

    :raises NotFound: there is no closure, or it is somebody else's.
    :raises NotStoppable: money is on its way, or it is over.
    """
    seen = selectors.get_closure(principal=principal, account_id=account_id)
    with acting_as(principal):
        accounts.lock_account(account_id=seen.account_id)
        closure = Closure.objects.locked(seen.pk)
        if closure.state == ClosureState.CANCELED:
            return closure
        if not closure.is_stoppable:
            raise NotStoppable
        if closure.stop_asked_at is None:
            closure.stop_asked_at, closure.stop_asked_by = at, principal.name[:600]
            closure.log("stop_asked", at=at)
        closure.next_at = min(closure.next_at, at)
        if closure.state == ClosureState.NEEDS_REVIEW:
            closure.advance(ClosureState.RUNNING, at=at)
        else:
            closure.save()
        steering.request_advance(closure.pk)
    return closure
