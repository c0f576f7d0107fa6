"""What staff does with what is lost: each deed is asked about on a page, and is one service."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone

from core.auth import Principal
from core.backoffice.deeds import Deed, NothingForm, Question
from core.intents.states import IntentState
from funding.admin.forms import AttachForm
from funding.models import AchRelationship, ReviewVerdict, Transfer
from funding.services import verdicts
from funding.states import Verdict, VerdictState

Subject = Transfer | AchRelationship
LOST: Final = frozenset({IntentState.UNKNOWN, IntentState.NEEDS_REVIEW})
_NOT_THERE: Final = "The broker shows no trace of it."
_PROPOSED: Final = "Proposed. Somebody else, an approver, has to confirm it."


def may_propose(subject: Any) -> bool:
    """Say whether it is a member of staff's turn to find out what became of it."""
    return subject.state == IntentState.NEEDS_REVIEW and not subject.has_verdict


def _look_again(staff: Principal, subject: Subject, _: Mapping[str, Any]) -> str:
    at = timezone.now()
    looked: Subject
    if isinstance(subject, Transfer):
        looked = verdicts.look_again(staff=staff, transfer_id=subject.pk, at=at)
    else:
        looked = verdicts.look_again_for_bank(staff=staff, relationship_id=subject.pk, at=at)
    return _NOT_THERE if looked.state in LOST else "Found: the broker has it."


def _attach(staff: Principal, subject: Subject, given: Mapping[str, Any]) -> str:
    return _propose(staff, subject, Verdict.ATTACH, given)


def _dismiss(staff: Principal, subject: Subject, given: Mapping[str, Any]) -> str:
    return _propose(staff, subject, Verdict.DISMISS, given)


def _propose(staff: Principal, subject: Subject, verdict: Verdict, given: Mapping[str, Any]) -> str:
    broker_id, reason, at = given.get("broker_id", ""), given["reason"], timezone.now()
    if isinstance(subject, Transfer):
        verdicts.propose(
            staff=staff,
            transfer_id=subject.pk,
            verdict=verdict,
            broker_transfer_id=broker_id,
            reason=reason,
            at=at,
        )
    else:
        verdicts.propose_for_bank(
            staff=staff,
            relationship_id=subject.pk,
            verdict=verdict,
            broker_relationship_id=broker_id,
            reason=reason,
            at=at,
        )
    return _PROPOSED


def _confirm(staff: Principal, subject: Subject, _: Mapping[str, Any]) -> str:
    proposed = _demand_verdict(subject)
    verdict = verdicts.confirm(staff=staff, verdict_id=proposed.pk, at=timezone.now())
    if verdict.state == VerdictState.WITHDRAWN:
        return "The broker's list shows it now, so the proposal was withdrawn."
    return "Confirmed; it is settled."


def _withdraw(staff: Principal, subject: Subject, _: Mapping[str, Any]) -> str:
    proposed = _demand_verdict(subject)
    verdicts.withdraw(staff=staff, verdict_id=proposed.pk, at=timezone.now())
    return "Withdrawn."


def _demand_verdict(subject: Subject) -> ReviewVerdict:
    verdict = verdicts.open_verdict(subject)
    if verdict is None:
        raise verdicts.NotProposed("There is no proposal to decide about.")
    return verdict


LOOK_AGAIN: Final = Deed(
    title="Look again now",
    question="The broker's list is read now. What is found in it is settled at once.",
    button="Look",
    fits=lambda subject: subject.state in LOST,
    do=_look_again,
    form=NothingForm,
    asks_broker=True,
)
ATTACH: Final = Deed(
    title="Propose: it is this one",
    question="Name what it is in the broker's list. A transfer has to have the same direction, bank"
    " and amount, and nothing else of ours may be it. Somebody else has to confirm it.",
    button="Propose it",
    fits=may_propose,
    do=_attach,
    form=AttachForm,
    asks_broker=True,
)
DISMISS: Final = Deed(
    title="Propose: never got it",
    question="Propose this only when the broker's own records show that it never arrived. Once"
    " somebody else has confirmed it, it counts as refused and the customer may ask for it again:"
    " if the broker had a transfer after all, the money moves twice.",
    button="Propose it",
    fits=may_propose,
    do=_dismiss,
    is_grave=True,
)
CONFIRM: Final = Deed(
    title="Confirm",
    question="You confirm what somebody else has proposed. The broker's list is read once more"
    " before it is done; there is no way back.",
    button="Confirm",
    fits=lambda subject: subject.has_verdict,
    do=_confirm,
    form=NothingForm,
    is_grave=True,
    asks_broker=True,
)
WITHDRAW: Final = Deed(
    title="Withdraw the proposal",
    question="It stays under review, and something else may be proposed.",
    button="Withdraw",
    fits=lambda subject: subject.has_verdict,
    do=_withdraw,
    form=NothingForm,
)
OFFERS: Final[Mapping[str, Question]] = {
    "look_again": LOOK_AGAIN,
    "attach": ATTACH,
    "dismiss": DISMISS,
    "confirm": CONFIRM,
    "withdraw": WITHDRAW,
}
