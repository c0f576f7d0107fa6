"""What all views of funding begin with."""

from rest_framework import status
from rest_framework.request import Request

from accounts import selectors as accounts
from core.api import permissions
from core.api.authentication import principal_of
from core.auth import Principal

SCOPES = permissions.scopes("funding")
READING = dict.fromkeys(("GET", "POST"), "funding:read")


def principal_for(request: Request, account_id: str) -> Principal:
    """Let a service that names only an account act for its owner, as the reference has it."""
    return accounts.principal_for(principal=principal_of(request), account_id=account_id)


def created(*, is_accepted: bool) -> int:
    return status.HTTP_201_CREATED if is_accepted else status.HTTP_202_ACCEPTED
