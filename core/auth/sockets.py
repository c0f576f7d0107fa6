"""Credentials of sockets, which browsers cannot put into a header."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from core.auth import api_keys, tokens
from core.auth.delegation import act_for as acting_for
from core.auth.principals import Principal
from core.errors import Forbidden

SUBPROTOCOL = "clera.v1"
_BEARER = "bearer."


@dataclass(frozen=True)
class Admission:
    """
    Somebody who may see an account, until their credential runs out.

    `owner` is whose sockets are counted together; `key_id` names the key, when it was one.
    """

    account_id: UUID
    owner: str
    key_id: str | None
    expires_at: datetime | None


def authenticate_token(text: str) -> Principal:
    """
    Turn an access token or an API key into a principal; blocking, so call it in a thread.

    :raises Unauthenticated: it is not valid.
    :raises ServiceBusy: the issuer's keys were never reachable.
    """
    if api_keys.looks_like_key(text):
        return api_keys.authenticate(text, at=timezone.now())
    return tokens.verify(text)


def bearer_of(token: str, *, scope: str, act_for: str | None = None) -> Principal:
    """
    Turn what a socket was opened with into the principal it acts as, and record who was named.

    :raises Unauthenticated: the token is not valid.
    :raises Forbidden: it lacks the scope, or names a customer and may not.
    :raises UserMismatch: a customer names somebody else.
    """
    principal = authenticate_token(token)
    if not principal.can(scope):
        raise Forbidden(f"This credential lacks the scope {scope}.")
    return principal if act_for is None else acting_for(principal, act_for, via="socket")


def token_in(subprotocols: Iterable[str]) -> str | None:
    """
    Find the token among the subprotocols `clera.v1, bearer.<token>` that a client offers.

    The server must then accept with `clera.v1` alone: echoing the token would put it in logs.
    """
    offered = list(subprotocols)
    bearers = [entry.removeprefix(_BEARER) for entry in offered if entry.startswith(_BEARER)]
    if SUBPROTOCOL not in offered or len(bearers) != 1:
        return None
    return bearers[0] or None
