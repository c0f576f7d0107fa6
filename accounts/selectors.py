"""Questions about brokerage accounts; each says whose it is asking for."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from accounts import states
from accounts.models import BrokerageAccount, DocumentRequest, DocumentUpload, Preferences
from accounts.states import RequestState
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.auth.delegation import act_for
from core.auth.principals import ACT_FOR
from core.errors import Forbidden, NotFound
from core.intents.models import IntentStep
from core.intents.states import IntentState

NO_ACCOUNT = "There is no such account."


def get_account(*, principal: Principal, account_id: str | UUID) -> BrokerageAccount:
    """
    Return one account of the principal, named by our id or by the broker's.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        account = BrokerageAccount.objects.named(account_id).first()
    if account is None:
        raise NotFound(NO_ACCOUNT)
    return account


def list_accounts(*, principal: Principal) -> list[BrokerageAccount]:
    """List the principal's accounts, the oldest first, without refused applications."""
    with acting_as(principal):
        return list(BrokerageAccount.objects.live().order_by("id"))


def active_owners() -> QuerySet[BrokerageAccount, tuple[UUID, str]]:
    """Return a query for id and owner of every active account; the caller acts as the system."""
    active = BrokerageAccount.objects.filter(
        state=IntentState.ACCEPTED, vendor_status=states.ACTIVE
    )
    return active.order_by("pk").values_list("pk", "user_id")


def broker_id_of(account: BrokerageAccount) -> str:
    """
    Return the broker's id of an account.

    :raises NotFound: the broker has not given one yet.
    """
    if not account.broker_account_id:
        raise NotFound("The broker has not opened this account yet.")
    return account.broker_account_id


def owner_name_of(account: BrokerageAccount) -> str:
    """Return the name under which the account was opened; it is secret."""
    identity = account.person().identity
    return f"{identity.get('given_name', '')} {identity.get('family_name', '')}".strip()


def demand_customer(principal: Principal) -> str:
    """
    Return the customer whose data is meant.

    :raises NotFound: a service has named none.
    """
    if principal.user_id is None:
        raise NotFound("Name the customer that is meant, in X-Act-For.")
    return principal.user_id


def get_preferences(*, principal: Principal) -> Preferences:
    """
    Return the customer's preferences, or the defaults.

    :raises NotFound: the principal names no customer.
    """
    user_id = demand_customer(principal)
    with acting_as(principal):
        return Preferences.objects.first() or Preferences(user_id=user_id)


def list_uploads(*, principal: Principal, account_id: str | UUID) -> list[DocumentUpload]:
    """
    List what the customer has handed in, the newest first.

    :raises NotFound: there is no such account of the principal.
    """
    account = get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        uploads = DocumentUpload.objects.filter(account=account).defer("sealed_payload")
        return list(uploads.order_by("-created_at"))


def list_open_requests(*, principal: Principal, account_id: str | UUID) -> list[DocumentRequest]:
    """
    List the documents that our staff asks the customer for, the oldest request first.

    :raises NotFound: there is no such account of the principal.
    """
    account = get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        waiting = DocumentRequest.objects.filter(account=account, state=RequestState.OPEN)
        return list(waiting.order_by("created_at"))


def principal_for(*, principal: Principal, account_id: str | UUID) -> Principal:
    """
    Let a service that may act for customers act for the owner of an account.

    A customer, or a service that has named its customer already, stays who it is.

    :raises Forbidden: a key without `act_for`.
    :raises NotFound: there is no such account.
    """
    if principal.kind is not Kind.SERVICE or principal.user_id is not None:
        return principal
    if not principal.can(ACT_FOR):
        raise Forbidden("This credential may not act for a customer.")
    with acting_as(SYSTEM):
        owner = BrokerageAccount.objects.named(account_id).values_list("user_id", flat=True).first()
    if owner is None:
        raise NotFound(NO_ACCOUNT)
    return act_for(principal, owner, via="account")


def owners_of(*, account_ids: Collection[UUID]) -> dict[UUID, str]:
    """Say whose these accounts are now, for a process that serves their sockets."""
    with acting_as(SYSTEM):
        accounts = BrokerageAccount.objects.filter(pk__in=account_ids)
        return dict(accounts.values_list("pk", "user_id"))


def list_steps(*, principal: Principal, account_id: str | UUID) -> list[IntentStep]:
    """
    List what has become of an account, the oldest step first.

    :raises NotFound: there is no such account of the principal.
    """
    account = get_account(principal=principal, account_id=account_id)
    return list(IntentStep.objects.filter(intent_id=account.pk).order_by("id"))
