"""What every view of trading needs."""

from rest_framework.request import Request

from accounts import selectors as accounts
from core.api import permissions
from core.api.authentication import principal_of
from core.auth import Principal

SCOPES = permissions.scopes("trading")


def principal_for(request: Request, account_id: str) -> Principal:
    """Say who asks; a service that may act for customers acts for the account's owner."""
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)
