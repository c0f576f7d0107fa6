"""Credentials of sockets, which browsers cannot put into a header."""

from collections.abc import Iterable

from django.utils import timezone

from core.auth import api_keys, tokens
from core.auth.principals import Principal

SUBPROTOCOL = "clera.v1"
_BEARER = "bearer."


def authenticate_token(text: str) -> Principal:
    """
    Turn an access token or an API key into a principal; blocking, so call it in a thread.

    :raises Unauthenticated: it is not valid.
    :raises ServiceBusy: the issuer's keys were never reachable.
    """
    if api_keys.looks_like_key(text):
        return api_keys.authenticate(text, at=timezone.now())
    return tokens.verify(text)


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
