"""What our staff does with accounts; each action is on record."""

from datetime import datetime
from uuid import UUID

from accounts.models import BrokerageAccount, DocumentRequest, Person
from accounts.services import notices, opening
from accounts.states import RequestState
from core import audit
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, Invalid, NotFound
from core.ids import new_id
from core.intents.states import IntentState


class NotFreezable(CleraError):
    """It is frozen already, or there is nothing to freeze."""

    code = "not_freezable"
    status = 409
    detail = "The account is frozen already."


class NotUnderReview(CleraError):
    """Nobody has to decide about it: the broker has it, or it is still on its way."""

    code = "not_under_review"
    status = 409
    detail = "The application is not under review."


class SamePerson(CleraError):
    """Two people are needed, so that nobody lifts their own freeze."""

    code = "same_person"
    status = 403
    detail = "Somebody else than who froze the account has to lift the freeze."


def freeze(*, staff: Principal, account_id: UUID, reason: str, at: datetime) -> BrokerageAccount:
    """
    Stop an account's orders and transfers until somebody lifts it; what was sent goes on.

    :raises NotFound: there is no such account.
    :raises Invalid: no reason is given.
    :raises NotFreezable: it is frozen already.
    """
    why = _demand_reason(reason)
    with acting_as(staff):
        account = _locked(account_id)
        if account.is_frozen:
            raise NotFreezable
        account.freeze(by=staff.name, reason=why, at=at)
        _record("account.frozen", staff, account, reason=why)
        notices.tell_status(account)
    return account


def restrict(*, account_id: UUID, reason: str, at: datetime) -> bool:
    """
    Freeze an account because of what has happened to it, and say whether that changed anything.

    Joins the caller's transaction. An account that is frozen already stays as it is, and whoever
    may lift a freeze of our staff's may lift this one.

    :raises NotFound: there is no such account.
    """
    with acting_as(SYSTEM):
        account = _locked(account_id)
        if account.is_frozen:
            return False
        account.freeze(by=SYSTEM.name, reason=reason, at=at)
        _record("account.frozen", SYSTEM, account, reason=reason)
        notices.tell_status(account)
    return True


def unfreeze(*, staff: Principal, account_id: UUID, reason: str) -> BrokerageAccount:
    """
    Let an account's orders and transfers pass again; it takes another person than froze it.

    :raises NotFound: there is no such account.
    :raises Invalid: no reason is given.
    :raises NotFreezable: it is not frozen.
    :raises SamePerson: the same person froze it.
    """
    why = _demand_reason(reason)
    with acting_as(staff):
        account = _locked(account_id)
        if not account.is_frozen:
            raise NotFreezable("The account is not frozen.")
        if account.frozen_by == staff.name:
            raise SamePerson
        account.unfreeze()
        _record("account.unfrozen", staff, account, reason=why)
        notices.tell_status(account)
    return account


def request_document(
    *, staff: Principal, account_id: UUID, document_type: str, note: str
) -> DocumentRequest:
    """
    Ask a customer for a document; asking again for the same replaces the words.

    :raises NotFound: there is no such account.
    :raises Invalid: the customer is told nothing.
    """
    words = _demand_reason(note, field="note")
    with acting_as(staff):
        account = _locked(account_id)
        request, _ = DocumentRequest.objects.update_or_create(
            account=account,
            document_type=document_type,
            state=RequestState.OPEN,
            defaults={"note": words, "requested_by": staff.name},
            create_defaults={
                "id": new_id(),
                "user_id": account.user_id,
                "note": words,
                "requested_by": staff.name,
            },
        )
        _record("document.requested", staff, account, document_type=document_type)
        notices.tell_document_wanted(request)
    return request


def withdraw_request(*, staff: Principal, request_id: UUID, at: datetime) -> DocumentRequest:
    """
    Take a request for a document back; one that has ended stays as it is.

    :raises NotFound: there is no such request.
    """
    with acting_as(staff):
        request = DocumentRequest.objects.select_for_update().filter(pk=request_id).first()
        if request is None:
            raise NotFound("There is no such request.")
        if request.state == RequestState.OPEN:
            request.settle(RequestState.WITHDRAWN, at=at)
            notices.tell_document_wanted(request)
    return request


def dismiss(*, staff: Principal, account_id: UUID, reason: str, at: datetime) -> BrokerageAccount:
    """
    Settle an application under review that the broker never got; the customer may apply again.

    :raises NotFound: there is no such account.
    :raises Invalid: no reason is given.
    :raises NotUnderReview: nobody has to decide about it.
    """
    why = _demand_reason(reason)
    with acting_as(staff):
        account = _locked(account_id)
        if account.state != IntentState.NEEDS_REVIEW:
            raise NotUnderReview
        _record("account.dismissed", staff, account, reason=why)
        return opening.dismiss(account_id=account_id, at=at)


def reveal_person(*, staff: Principal, account_id: UUID, reason: str) -> Person:
    """
    Open what we keep of a customer for a member of staff, who says why.

    The look is on record before anything is shown.

    :raises NotFound: there is no such account, or nothing is kept of an application refused.
    :raises Invalid: no reason is given.
    """
    why = _demand_reason(reason)
    with acting_as(staff):
        account = BrokerageAccount.objects.filter(pk=account_id).first()
        if account is None or not account.sealed_profile:
            raise NotFound("Nothing is kept of this customer.")
        _record("pii.revealed", staff, account, reason=why)
    return account.person()


def record_sync(*, staff: Principal, account: BrokerageAccount) -> None:
    """Put on record that a member of staff had the broker asked."""
    with acting_as(staff):
        _record("account.synced", staff, account)


def _locked(account_id: UUID) -> BrokerageAccount:
    account = BrokerageAccount.objects.locking().filter(pk=account_id).first()
    if account is None or account.state == IntentState.REJECTED:
        raise NotFound("There is no such account.")
    return account


def _demand_reason(text: str, *, field: str = "reason") -> str:
    words = text.strip()
    if not words:
        rule = "Write why, in a few words." if field == "reason" else "Write what to tell them."
        raise Invalid(rule, field_errors={field: [rule]})
    return words[:300]


def _record(action: str, staff: Principal, account: BrokerageAccount, **details: object) -> None:
    audit.record(
        action,
        principal=staff,
        subject_kind="accounts.BrokerageAccount",
        subject_id=account.pk,
        user_id=account.user_id,
        **details,
    )
