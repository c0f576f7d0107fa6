"""What staff does with accounts: each deed is asked about on a page, and done by one service."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone

from accounts.admin.forms import AddressForm, DocumentForm
from accounts.models import BrokerageAccount
from accounts.services import oversight
from core.auth import Principal
from core.backoffice.deeds import Deed, NothingForm, Question
from core.intents.states import UNDECIDED, IntentState
from core.jobs import enqueue

OPERATE: Final = "accounts.operate_brokerageaccount"
APPROVE: Final = "accounts.approve_brokerageaccount"
REVEAL: Final = "accounts.reveal_pii"


def _sync(staff: Principal, account: BrokerageAccount, _: Mapping[str, Any]) -> None:
    """Have a worker ask: the broker is not called while the page's transaction is open."""
    oversight.record_sync(staff=staff, account=account)
    if account.broker_account_id:
        enqueue("accounts.refresh_account", account_id=str(account.pk))
    else:
        enqueue("accounts.sweep_applications")
        enqueue("accounts.refresh_accounts")


def _request_document(
    staff: Principal, account: BrokerageAccount, given: Mapping[str, Any]
) -> None:
    oversight.request_document(staff=staff, account_id=account.pk, **given)


def _freeze(staff: Principal, account: BrokerageAccount, given: Mapping[str, Any]) -> None:
    at = timezone.now()
    oversight.freeze(staff=staff, account_id=account.pk, reason=given["reason"], at=at)


def _unfreeze(staff: Principal, account: BrokerageAccount, given: Mapping[str, Any]) -> None:
    oversight.unfreeze(staff=staff, account_id=account.pk, reason=given["reason"])


def _dismiss(staff: Principal, account: BrokerageAccount, given: Mapping[str, Any]) -> None:
    at = timezone.now()
    oversight.dismiss(staff=staff, account_id=account.pk, reason=given["reason"], at=at)


REVEAL_PERSON: Final = Question(
    title="Show personal data",
    question="You see name, contact data and date of birth as the broker has them. Who"
    " looked, when and why stays on record, in the customer's timeline.",
    button="Show it",
    fits=lambda account: bool(account.sealed_profile),
)
FIND: Final = Question(
    title="Find by e-mail",
    question="Leads to the account of whoever has applied with this address.",
    button="Find",
    form=AddressForm,
)
SYNC: Final = Deed(
    title="Ask the broker",
    question="The broker is asked for the status now, in the background. What it says appears in"
    " the timeline.",
    button="Ask now",
    done="Asked. Reload in a moment to see what the broker says.",
    fits=lambda account: bool(account.broker_account_id) or account.state in UNDECIDED,
    do=_sync,
    form=NothingForm,
)
REQUEST_DOCUMENT: Final = Deed(
    title="Ask for a document",
    question="The customer sees the request at once and can upload the document. Asking again for"
    " the same document replaces the words.",
    button="Ask the customer",
    done="The customer has been asked.",
    fits=lambda account: not account.is_over,
    do=_request_document,
    form=DocumentForm,
)
FREEZE: Final = Deed(
    title="Freeze",
    question="Orders and transfers are refused from now on; what was sent goes on. The customer"
    " sees that the account is frozen, but not why. Only somebody else, an approver, can lift it.",
    button="Freeze now",
    done="Frozen.",
    fits=lambda account: not account.is_frozen and not account.is_over,
    do=_freeze,
    is_grave=True,
)
UNFREEZE: Final = Deed(
    title="Lift the freeze",
    question="Orders and transfers pass again from now on, and the customer sees it.",
    button="Lift it now",
    done="The freeze is lifted.",
    fits=lambda account: account.is_frozen,
    do=_unfreeze,
)
DISMISS: Final = Deed(
    title="Dismiss the application",
    question="Do this only when the broker's own records show that the application never arrived."
    " It counts as refused, what we keep of the person is erased, and the customer may apply again."
    " There is no way back.",
    button="It never arrived",
    done="Dismissed; the customer may apply again.",
    fits=lambda account: account.state == IntentState.NEEDS_REVIEW,
    do=_dismiss,
    is_grave=True,
)
