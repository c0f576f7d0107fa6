"""Questions about brokerage accounts; each says whose it is asking for."""

from uuid import UUID

from accounts.models import BrokerageAccount
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.auth.principals import ACT_FOR
from core.errors import Forbidden, NotFound

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
    profile = account.profile()
    return f"{profile['given_name']} {profile['family_name']}".strip()


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
    return principal.acting_for(owner)
