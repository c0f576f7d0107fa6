"""API keys of services: made once, shown once, kept as a hash."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from core import audit
from core.auth.api_key_model import ApiKey
from core.auth.principals import ACT_FOR, ROUTE_SCOPES, Kind, Principal
from core.errors import CleraError, Invalid, NotFound, Unauthenticated
from core.ids import new_id

logger = structlog.get_logger()
KEY_SCOPES = ROUTE_SCOPES | {ACT_FOR}
LIFE: Final = timedelta(days=365)
OVERLAP: Final = timedelta(hours=24)
MAX_LIVE: Final = 2
COMMAND: Final = "manage.py"
LOCAL_OWNER: Final = "Local run"
_LONGEST: Final = 100
_SHAPE = re.compile(r"clr_(live|test)_([0-9a-f]{16})_([0-9a-f]{48})", re.ASCII)
_NO_SECRET = hashlib.sha256(b"").hexdigest()


class TooManyLiveKeys(CleraError):
    code = "too_many_live_keys"
    status = 409
    detail = "Two keys of this family are live already; revoke the older one first."


class KeyExists(CleraError):
    code = "key_exists"
    status = 409
    detail = "This key has been made already, and its text was shown once. Make another one."


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


def create(
    *,
    label: str,
    scopes: Collection[str],
    owner: str = LOCAL_OWNER,
    expires_at: datetime | None = None,
    by: Principal | str = COMMAND,
    key_id: UUID | None = None,
) -> NewKey:
    """
    Make a key; the caller shows its text once.

    :param owner: the person or team that answers for it.
    :param expires_at: without one it lives until it is revoked.
    :param key_id: chosen by a form, so that sending it twice makes one key.
    :raises Invalid: an unknown scope, or no label or owner.
    :raises KeyExists: there is a key of this id.
    """
    _check(label=label, owner=owner, scopes=scopes)
    pk = key_id or new_id()
    described = {"label": label.strip(), "owner": owner.strip(), "scopes": sorted(set(scopes))}
    with transaction.atomic():
        new = _make(pk=pk, family=pk, expires_at=expires_at, **described)
        _record("api_key.created", new.key, by=by, scopes=new.key.scopes, expires_at=expires_at)
    return new


def rotate(
    *, public_id: str, at: datetime, overlap: timedelta, by: Principal | str = COMMAND
) -> NewKey:
    """
    Make a second key like the first, which ends after `overlap`; until then both work.

    :raises NotFound: there is no such live key.
    :raises TooManyLiveKeys: the one before it is still live; the error names it.
    """
    with transaction.atomic():
        old = _locked_with_family(public_id)
        if old is None or not old.is_live(at=at):
            raise NotFound("There is no such live key.")
        _refuse_third(old.family, at=at)
        new = _make(
            pk=new_id(),
            family=old.family,
            label=old.label,
            owner=old.owner,
            scopes=old.scopes,
            expires_at=_end_of_successor(old.family, at=at),
        )
        end = at + overlap
        old.expires_at = min(old.expires_at, end) if old.expires_at else end
        old.save(update_fields=["expires_at"])
        successor = new.key.public_id
        _record("api_key.rotated", old, by=by, successor=successor, expires_at=old.expires_at)
        _record("api_key.created", new.key, by=by, scopes=old.scopes, predecessor=public_id)
    return new


def revoke(*, public_id: str, at: datetime, by: Principal | str = COMMAND) -> None:
    """
    End a key now, in every process: nothing about keys is cached.

    :raises NotFound: there is no such key.
    """
    with transaction.atomic():
        key = ApiKey.objects.select_for_update().filter(public_id=public_id).first()
        if key is None:
            raise NotFound("There is no such key.")
        if key.revoked_at is not None:
            return
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        _record("api_key.revoked", key, by=by)


def list_keys() -> list[ApiKey]:
    """List every key, the newest first, without secrets."""
    return list(ApiKey.objects.order_by("-created_at"))


def list_live(family: UUID, *, at: datetime) -> list[ApiKey]:
    """List the keys of a family that open something, the oldest first."""
    is_live = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=at))
    return list(ApiKey.objects.filter(is_live, family=family).order_by("created_at", "pk"))


def authenticate(text: str, *, at: datetime) -> Principal:
    """
    Turn a key's text into the service it belongs to.

    :raises Unauthenticated: unknown, malformed, expired, revoked or of another environment.
    """
    match = _SHAPE.fullmatch(text)
    if match is None or match[1] != _environment():
        raise Unauthenticated
    key = ApiKey.named(match[2])
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


def live_among(public_ids: Collection[str], *, at: datetime) -> set[str]:
    """Say which of these keys open anything now, with one question for all of them."""
    keys = ApiKey.objects.filter(public_id__in=public_ids)
    return {key.public_id for key in keys if key.is_live(at=at)}


def _check(*, label: str, owner: str, scopes: Collection[str]) -> None:
    unknown = sorted(set(scopes) - KEY_SCOPES)
    if unknown:
        raise Invalid(f"Unknown scope: {', '.join(unknown)}.", field_errors={"scopes": unknown})
    named = {"label": (label, "Say who uses the key."), "owner": (owner, "Say who answers for it.")}
    for name, (value, advice) in named.items():
        if not value.strip():
            raise Invalid(advice, field_errors={name: ["May not be empty."]})
        if len(value) > _LONGEST:
            raise Invalid(f"The {name} is too long.", field_errors={name: ["At most 100 letters."]})


def _make(*, pk: UUID, **columns: Any) -> NewKey:
    public_id, secret = secrets.token_hex(8), secrets.token_hex(24)
    columns |= {"public_id": public_id, "secret_sha256": _hashed(secret)}
    key, is_new = ApiKey.objects.get_or_create(pk=pk, defaults=columns)
    if not is_new:
        raise KeyExists
    return NewKey(key, f"clr_{_environment()}_{public_id}_{secret}")


def _locked_with_family(public_id: str) -> ApiKey | None:
    """
    Lock the family of a key and then read the key.

    The lock comes first, in a statement of its own: the statements after it see whatever another
    rotation of the family has committed meanwhile.
    """
    of_family = ApiKey.objects.filter(public_id=public_id).values("family")
    locked = ApiKey.objects.select_for_update().filter(family__in=of_family)
    list(locked.order_by("created_at", "pk").values_list("pk"))
    return ApiKey.objects.filter(public_id=public_id).first()


def _refuse_third(family: UUID, *, at: datetime) -> None:
    older, *others = list_live(family, at=at)
    if len(others) + 1 >= MAX_LIVE:
        raise TooManyLiveKeys(
            f"{older.public_id} and {others[-1].public_id} are live already."
            f" Revoke {older.public_id} once nobody uses it, then rotate {others[-1].public_id}.",
            extra={"revoke": older.public_id},
        )


def _record(action: str, key: ApiKey, *, by: Principal | str, **details: Any) -> None:
    audit.record(
        action,
        principal=by,
        subject_kind="core.ApiKey",
        subject_id=key.public_id,
        **details,
    )
    logger.info(action, key_id=key.public_id)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _environment() -> str:
    """Name what the key opens, so that a test key never reaches live money, nor the reverse."""
    return "live" if settings.ENVIRONMENT == "production" else "test"


def _end_of_successor(family: UUID, *, at: datetime) -> datetime | None:
    """
    Give the successor the span of life that its family has, counted from now.

    The longest one is asked for, because rotations have cut the others short.
    """
    spans = [
        end - start if end else None
        for start, end in ApiKey.objects.filter(family=family).values_list(
            "created_at", "expires_at"
        )
    ]
    return None if None in spans else at + max(span for span in spans if span)
