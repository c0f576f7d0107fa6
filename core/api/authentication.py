"""Turns the credentials of a request into a principal; nothing else in it says who asks."""

from typing import ClassVar

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from core.auth import api_keys
from core.auth.delegation import act_for
from core.auth.principals import Principal, UserMismatch
from core.auth.sockets import authenticate_token
from core.errors import Unauthenticated

ACT_FOR_HEADER = "X-Act-For"


class BearerToken(BaseAuthentication):
    """
    `Authorization: Bearer <access token>`.

    Comes first: when a frontend's server sends its key as well, the customer is who asks, and a
    bad token is refused instead of being rescued by the key.
    """

    keyword: ClassVar[str] = "bearer"

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        keyword, _, token = header.partition(" ")
        if keyword.lower() != self.keyword or not token.strip():
            raise Unauthenticated
        return authenticate_token(token.strip()), None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return "Bearer"


class ApiKeyHeader(BaseAuthentication):
    """`X-API-Key: clr_…`, the key of a service."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        text = request.headers.get("X-API-Key")
        if text is None:
            return None
        return api_keys.authenticate(text.strip(), at=timezone.now()), None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return "Bearer"


def principal_of(request: Request, *, user_id: str | None = None) -> Principal:
    """
    Return who asks, as the customer whose data is meant.

    `user_id` is what a reference route's body names; elsewhere a service names the customer by
    `X-Act-For`. A customer may only name themself.

    :raises Unauthenticated: nobody is signed in.
    :raises UserMismatch: another customer than the credential's, or header and body differ.
    :raises Forbidden: a key without `act_for` names a customer.
    """
    principal = request.user
    if not isinstance(principal, Principal):
        raise Unauthenticated
    named = request.headers.get(ACT_FOR_HEADER)
    if named is not None and user_id is not None and named != user_id:
        raise UserMismatch
    if user_id is not None:
        return act_for(principal, user_id, via="body")
    return principal if named is None else act_for(principal, named, via="header")
