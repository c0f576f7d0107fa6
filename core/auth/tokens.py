"""Says which customer an access token of Supabase was issued to."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings

from core import exact_json
from core.auth.jwks import KeySet
from core.auth.principals import Kind, Principal, is_user_id
from core.errors import Unauthenticated

LEEWAY_SECONDS = 30
_LONGEST_TOKEN = 8 * 1024
_LONGEST_HEADER = 1024
_LONGEST_KEY_ID = 128
_LONGEST_LIFE_SECONDS = 7 * 24 * 3600  # the most that Supabase lets a project choose
_SHORTEST_SHARED_SECRET = 32
_REQUIRED = ["exp", "iat", "sub", "aud", "iss"]
_LEVELS = ("aal1", "aal2")  # no set: what the claim holds may be unhashable
# Parameters by which a token would bring its own key, or demand what we do not know.
_REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "zip", "b64"})


def verify(token: str) -> Principal:
    """
    Turn a valid access token into the customer it was issued to.

    Every failure looks the same from outside; which check failed helps only a forger.

    :raises Unauthenticated: the token is not valid.
    :raises ServiceBusy: the issuer's keys were never reachable, so no token can be judged.
    """
    try:
        header = _header_of(token)
        key, algorithm = _key_for(header)
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=settings.SUPABASE_AUDIENCE,
            issuer=f"{settings.SUPABASE_URL}/auth/v1",
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED, "strict_aud": True},
        )
    except (jwt.PyJWTError, _Unreadable, ValueError, TypeError) as error:
        raise Unauthenticated from error
    if not _is_customer(claims):
        raise Unauthenticated
    return Principal(
        kind=Kind.CUSTOMER,
        user_id=claims["sub"],
        aal=claims["aal"] if claims.get("aal") in _LEVELS else None,
        expires_at=datetime.fromtimestamp(claims["exp"], tz=UTC),
    )


def may_have_to_wait(token: str) -> bool:
    """
    Say whether the issuer may have to be asked for this token's key, and for nobody else's.

    Before the first keys have come everybody waits for the same answer.
    """
    head = token.partition(".")[0]
    if not 0 < len(head) <= _LONGEST_HEADER:
        return False
    try:
        key_id = _object(_decoded(head)).get("kid")
    except (_Unreadable, ValueError, TypeError):
        return False  # refused without asking anybody
    keys = _keys()
    return isinstance(key_id, str) and not keys.is_empty and not keys.has(key_id)


class _Unreadable(Exception):
    """The token is not three parts of strict JSON within our limits."""


def _header_of(token: str) -> Mapping[str, Any]:
    """Read header and claims strictly first: PyJWT would let the last of two equal keys win."""
    segments = token.split(".")
    if len(token) > _LONGEST_TOKEN or len(segments) != 3 or len(segments[0]) > _LONGEST_HEADER:  # noqa: PLR2004
        raise _Unreadable
    header_bytes, claims_bytes, _ = (_decoded(segment) for segment in segments)
    header, _ = _object(header_bytes), _object(claims_bytes)
    if _REFUSED_HEADERS & header.keys():
        raise _Unreadable
    return header


def _decoded(segment: str) -> bytes:
    """Decode the one spelling these bytes have; PyJWT would pass over what is no base64."""
    padded = segment + "=" * (-len(segment) % 4)
    raw = base64.b64decode(padded, altchars=b"-_")
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise _Unreadable
    return raw


def _object(raw: bytes) -> dict[str, Any]:
    value = exact_json.loads(raw)
    if not isinstance(value, dict):
        raise _Unreadable
    return value


def _key_for(header: Mapping[str, Any]) -> tuple[Any, str]:
    """Choose key and algorithm by what we hold, never by what the token would like."""
    algorithm = header.get("alg")
    if algorithm == "HS256":
        return _shared_secret(), "HS256"
    key_id = header.get("kid")
    if algorithm not in {"ES256", "RS256"} or not isinstance(key_id, str):
        raise _Unreadable
    if len(key_id) > _LONGEST_KEY_ID:
        raise _Unreadable
    found = _keys().find(key_id)
    if found is None or found.algorithm != algorithm:
        raise _Unreadable
    return found.key, found.algorithm


def _shared_secret() -> str:
    secret: str = settings.SUPABASE_JWT_SECRET
    if not settings.SUPABASE_ALLOW_HS256 or len(secret.encode()) < _SHORTEST_SHARED_SECRET:
        raise _Unreadable
    return secret


def _keys() -> KeySet:
    return key_set(f"{settings.SUPABASE_URL}/auth/v1/.well-known/jwks.json")


@lru_cache(maxsize=8)
def key_set(url: str) -> KeySet:
    """Return this process's cache of the keys at a URL."""
    return KeySet(url)


def _is_customer(claims: Mapping[str, Any]) -> bool:
    expires, issued = claims["exp"], claims["iat"]
    return (
        is_user_id(claims["sub"])
        and claims.get("role") == "authenticated"
        and not claims.get("is_anonymous")
        and type(expires) is int
        and type(issued) is int
        and 0 < expires - issued <= _LONGEST_LIFE_SECONDS
    )
