"""API keys of services: made once, shown once, kept as a hash."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from core.auth.api_key_model import ApiKey
from core.auth.principals import ACT_FOR, ROUTE_SCOPES, Kind, Principal
from core.errors import Invalid, NotFound, Unauthenticated

logger = structlog.get_logger()
KEY_SCOPES = ROUTE_SCOPES | {ACT_FOR}
_SHAPE = re.compile(r"clr_(live|test)_([0-9a-f]{16})_([0-9a-f]{48})", re.ASCII)
_NO_SECRET = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class NewKey:
    """A key just made; `text` is shown once and kept nowhere."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.public_id})"


def looks_like_key(text: str) -> bool:
    """Say whether the text claims to be one of our keys rather than a token."""
    return text.startswith("clr_")


def create(*, label: str, scopes: Collection[str], expires_at: datetime | None = None) -> NewKey:
    """
    Make a key; the caller shows its text once.

    :raises Invalid: an unknown scope, or no label.
    """
    unknown = sorted(set(scopes) - KEY_SCOPES)
    if unknown:
        raise Invalid(f"Unknown scope: {', '.join(unknown)}.", field_errors={"scopes": unknown})
    if not label.strip():
        raise Invalid("Say who uses the key.", field_errors={"label": ["May not be empty."]})
    public_id, secret = secrets.token_hex(8), secrets.token_hex(24)
    key = ApiKey.objects.create(
        public_id=public_id,
        secret_sha256=_hashed(secret),
        label=label.strip(),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    logger.info("api_key.created", key_id=public_id)
    return NewKey(key, f"clr_{_environment()}_{public_id}_{secret}")


def rotate(*, public_id: str, at: datetime, overlap: timedelta) -> NewKey:
    """
    Make a second key like the first, which ends after `overlap`; until then both work.

    :raises NotFound: there is no such live key.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().filter(public_id=public_id).first()
        if old is None or not old.is_live(at=at):
            raise NotFound("There is no such live key.")
        new = create(label=old.label, scopes=old.scopes, expires_at=_as_long(old, at=at))
        end = at + overlap
        old.expires_at = min(old.expires_at, end) if old.expires_at else end
        old.save(update_fields=["expires_at"])
    return new


def revoke(*, public_id: str, at: datetime) -> None:
    """
    End a key now, in every process: nothing about keys is cached.

    :raises NotFound: there is no such key.
    """
    changed = ApiKey.objects.filter(public_id=public_id, revoked_at=None).update(revoked_at=at)
    if not changed and not ApiKey.objects.filter(public_id=public_id).exists():
        raise NotFound("There is no such key.")
    logger.info("api_key.revoked", key_id=public_id)


def list_keys() -> list[ApiKey]:
    """List every key, the newest first, without secrets."""
    return list(ApiKey.objects.order_by("-created_at"))


def authenticate(text: str, *, at: datetime) -> Principal:
    """
    Turn a key's text into the service it belongs to.

    :raises Unauthenticated: unknown, malformed, expired, revoked or of another environment.
    """
    match = _SHAPE.fullmatch(text)
    if match is None or match[1] != _environment():
        raise Unauthenticated
    key = ApiKey.objects.filter(public_id=match[2]).first()
    expected = key.secret_sha256 if key else _NO_SECRET
    if not hmac.compare_digest(expected, _hashed(match[3])) or key is None:
        raise Unauthenticated
    if not key.is_live(at=at):
        raise Unauthenticated
    if key.was_used_before(at=at):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=at)
    return Principal(
        kind=Kind.SERVICE,
        key_id=key.public_id,
        scopes=frozenset(key.scopes),
        expires_at=key.expires_at,
    )


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _environment() -> str:
    """Name what the key opens, so that a test key never reaches live money, nor the reverse."""
    return "live" if settings.ENVIRONMENT == "production" else "test"


def _as_long(key: ApiKey, *, at: datetime) -> datetime | None:
    """Give the successor the same span of life, counted from now."""
    return at + (key.expires_at - key.created_at) if key.expires_at else None
