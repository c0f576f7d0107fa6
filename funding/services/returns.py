"""What a returned transfer leads to: a case for an operator, a word, perhaps a restriction."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from accounts import services as accounts
from core import audit
from core.auth import Principal, acting_as
from core.errors import CleraError, Invalid, NotFound
from funding import return_codes
from funding.models import Transfer, TransferReturn
from funding.states import Direction, ReturnState

logger = structlog.get_logger()
RETURNED: Final = "transfer.returned"


class AlreadyResolved(CleraError):
    """The case has been closed."""

    code = "already_resolved"
    status = 409
    detail = "The case of this return has been closed already."


def open_case(
    transfer: Transfer, *, had_arrived: bool, was_asked: bool, at: datetime
) -> TransferReturn:
    """
    Keep that a bank has sent a transfer back, in the caller's transaction and locks.

    A deposit that had arrived and went back stops the account, once: the broker has paid for what
    may have been bought with it. Events name no reason, so the customer is told as soon as there
    is one, or as soon as the broker `was_asked` and has none. Repeating it changes nothing.
    """
    case, is_new = TransferReturn.objects.get_or_create(
        transfer=transfer,
        defaults={
            "user_id": transfer.user_id,
            "account_id": transfer.account_id,
            "was_complete": had_arrived,
        },
    )
    changed = _take_reason(case, transfer)
    if had_arrived and (is_new or not case.was_complete):
        case.was_complete = True
        case.has_restricted = _restrict(transfer, at=at)
        changed += ["was_complete", "has_restricted"]
    if case.told_at is None and (case.code or was_asked):
        _tell(case, transfer)
        case.told_at = at
        changed.append("told_at")
    if changed:
        case.save(update_fields=changed)
    if is_new:
        outcome = "taken_back" if had_arrived else "never_arrived"
        logger.warning("transfer.returned", id=str(transfer.pk), outcome=outcome)
    return case


def _take_reason(case: TransferReturn, transfer: Transfer) -> list[str]:
    """Take over the broker's words once they are there; a code that is known stays."""
    if case.code or not transfer.reason or transfer.reason == case.words:
        return []
    case.words, case.code = transfer.reason, return_codes.read_code(transfer.reason)
    return ["words", "code"]


def _restrict(transfer: Transfer, *, at: datetime) -> bool:
    if transfer.direction != Direction.INCOMING:
        return False
    why = f"The bank has taken back a deposit that had arrived: transfer {transfer.pk}."
    return accounts.restrict(account_id=transfer.account_id, reason=why, at=at)


def _tell(case: TransferReturn, transfer: Transfer) -> None:
    explained = return_codes.explain(case.code)
    accounts.push(
        account_id=transfer.account_id,
        user_id=transfer.user_id,
        kind=RETURNED,
        payload={
            "id": transfer.public_id,
            "transfer_id": str(transfer.pk),
            "direction": transfer.direction,
            "amount": str(transfer.amount),
            "code": case.code or None,
            "meaning": explained.meaning,
            "is_restricted": case.has_restricted,
            "needs_new_bank": explained.ends_bank,
        },
    )


def resolve(*, staff: Principal, return_id: UUID, note: str, at: datetime) -> TransferReturn:
    """
    Close the case of a return with a note; a restriction is lifted for itself, by an approver.

    :raises NotFound: there is no such case.
    :raises Invalid: no note is given.
    :raises AlreadyResolved: it has been closed.
    """
    words = note.strip()
    if not words:
        rule = "Write how it was settled, in a few words."
        raise Invalid(rule, field_errors={"note": [rule]})
    with acting_as(staff):
        case = TransferReturn.objects.select_for_update(no_key=True).filter(pk=return_id).first()
        if case is None:
            raise NotFound("There is no such case.")
        if case.state != ReturnState.OPEN:
            raise AlreadyResolved
        case.state, case.note = ReturnState.RESOLVED, words[:300]
        case.resolved_by, case.settled_at = staff.name, at
        case.save(update_fields=["state", "note", "resolved_by", "settled_at"])
        audit.record(
            "transfer_return.resolved",
            principal=staff,
            subject_kind="funding.TransferReturn",
            subject_id=case.pk,
            user_id=case.user_id,
            code=case.code,
        )
    return case
