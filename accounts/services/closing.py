"""Marking an account as being closed, so that nothing new begins in it."""

from datetime import datetime
from uuid import UUID

from accounts.models import BrokerageAccount
from accounts.services.status import lock_account
from core import audit
from core.auth import Principal
from core.errors import CleraError


class AccountClosing(CleraError):
    """It is on its way to being closed already."""

    code = "account_closing"
    status = 409
    detail = "The account is being closed already."


def begin_closing(*, principal: Principal, account_id: UUID, at: datetime) -> BrokerageAccount:
    """
    Lock an account and let nothing new begin in it; joins the caller's transaction.

    :raises NotFound: there is no such account that the caller may see.
    :raises AccountClosing: it is being closed already.
    """
    account = lock_account(account_id=account_id)
    if account.is_closing:
        raise AccountClosing
    account.begin_closing(at=at)
    _record("account.closing_begun", principal, account)
    return account


def end_closing(*, principal: Principal, account_id: UUID) -> BrokerageAccount:
    """
    Let everything begin again in an account whose closing was left; joins the transaction.

    :raises NotFound: there is no such account that the caller may see.
    """
    account = lock_account(account_id=account_id)
    if account.is_closing:
        account.end_closing()
        _record("account.closing_left", principal, account)
    return account


def _record(action: str, principal: Principal, account: BrokerageAccount) -> None:
    audit.record(
        action,
        principal=principal,
        subject_kind="accounts.BrokerageAccount",
        subject_id=account.pk,
        user_id=account.user_id,
    )
