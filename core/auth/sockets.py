"""Credentials of sockets, which browsers cannot put into a header."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.utils import timezone

from core.auth import api_keys, tokens
from core.auth.delegation import act_for as acting_for
from core.auth.principals import Principal
from core.errors import Forbidden

SUBPROTOCOL = "clera.v1"
_BEARER = "bearer."


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """An account that somebody may see, the id by which they named it, and whose it is."""

    account_id: UUID
    named: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Admission:
    """
    Somebody who may see accounts, until their credential runs out.

    `owner` is whose sockets are counted together. `unknown` is what they named besides: it does
    not exist, or is somebody else's.
    """

    principal: Principal
    owner: str
    accounts: tuple[NamedAccount, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """
    Accounts that somebody wants to see through a socket, each named by our id or by the broker's.

    They show a token or key, or are a `principal` that was let in before. Nothing named means all
    of theirs. With `is_for_one` a single account is meant, and not to find it is an error.
    """

    scope: str
    account_ids: tuple[str, ...] | None
    is_for_one: bool = False
    token: str = field(default="", repr=False)
    act_for: str | None = None
    principal: Principal | None = None


def authenticate_token(text: str) -> Principal:
    """
    Turn an access token or an API key into a principal; blocking, so call it in a thread.

    :raises Unauthenticated: it is not valid.
    :raises ServiceBusy: the issuer's keys were never reachable.
    """
    if api_keys.looks_like_key(text):
        return api_keys.authenticate(text, at=timezone.now())
    return tokens.verify(text)


def bearer_of(wish: Wish) -> Principal:
    """
    Turn what a socket was opened with into the principal it acts as, and record who was named.

    :raises Unauthenticated: the token is not valid.
    :raises Forbidden: it lacks the scope, or names a customer and may not.
    :raises UserMismatch: a customer names somebody else.
    """
    if wish.principal is not None:
        return wish.principal
    principal = authenticate_token(wish.token)
    if not principal.can(wish.scope):
        raise Forbidden(f"This credential lacks the scope {wish.scope}.")
    return principal if wish.act_for is None else acting_for(principal, wish.act_for, via="socket")


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
