"""Whether Plaid has sent a webhook: a signature over its exact bytes, made a moment ago."""

import base64
import binascii
import hashlib
import hmac
import json
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from jwt.algorithms import ECAlgorithm

from core.errors import CleraError, ServiceBusy, VendorUnavailable
from funding.gateways import WebhookKey, get_bank_sign_in

logger = structlog.get_logger()
OLDEST: Final = timedelta(seconds=300)
FURTHEST_AHEAD: Final = timedelta(seconds=60)
LONGEST_SIGNATURE: Final = 4096
ALGORITHM: Final = "ES256"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SIGNATURE_BYTES: Final = 64
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Forged(CleraError):
    """Which of the checks has failed is nobody's business."""

    code = "unauthenticated"
    status = 401
    detail = "This is not a webhook that Plaid has signed."


@dataclass(frozen=True)
class _Claim:
    """What a signature says of itself, before anything of it is believed."""

    key_id: str
    text: str


def verify(*, body: bytes, signatures: Sequence[str], at: datetime) -> None:
    """
    Let pass what Plaid has signed within the last five minutes.

    What can be checked without the key comes first, so that nonsense costs nobody a call.

    :raises Forged: it has not.
    :raises ServiceBusy: the key that would tell cannot be had at the moment.
    """
    claim = _read(body, signatures, at=at)
    key = KEYS.get(claim.key_id, at=at)
    if key is None:
        raise Forged
    try:
        jwt.decode(claim.text, key, algorithms=[ALGORITHM], options=_ONLY_THE_SIGNATURE)
    except (jwt.PyJWTError, ValueError) as error:
        raise Forged from error


# The claims are checked by `_read`, with our own clock and bounds.
_ONLY_THE_SIGNATURE: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
}


def _read(body: bytes, signatures: Sequence[str], *, at: datetime) -> _Claim:
    if len(signatures) != 1 or len(signatures[0]) > LONGEST_SIGNATURE:
        raise Forged
    parts = signatures[0].split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise Forged
    header, claims = (_object(_decoded(part)) for part in parts[:2])
    key_id, moment = header.get("kid"), claims.get("iat")
    told_hash = claims.get("request_body_sha256")
    if header.get("alg") != ALGORITHM or "crit" in header or "b64" in header:
        raise Forged
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise Forged
    if not _is_recent(moment, at=at) or len(_decoded(parts[2])) != _SIGNATURE_BYTES:
        raise Forged
    if not isinstance(told_hash, str) or not _HASH.fullmatch(told_hash):
        raise Forged
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), told_hash):
        raise Forged
    return _Claim(key_id=key_id, text=signatures[0])


def _decoded(part: str) -> bytes:
    """
    Read a part of the signature, written in the one way there is.

    Bits beyond the last byte would let one signature be written in many ways.
    """
    if not _PART.fullmatch(part):
        raise Forged
    try:
        plain = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise Forged from error
    if base64.urlsafe_b64encode(plain).rstrip(b"=").decode() != part:
        raise Forged
    return plain


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Forged from error
    if not isinstance(found, dict):
        raise Forged
    return found


def _is_recent(moment: object, *, at: datetime) -> bool:
    if isinstance(moment, bool) or not isinstance(moment, int):
        return False
    try:
        age = at - datetime.fromtimestamp(moment, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return False
    return -FURTHEST_AHEAD <= age <= OLDEST


@dataclass(frozen=True)
class _Held:
    key: EllipticCurvePublicKey
    expired_at: datetime | None
    fetched_at: float

    def age(self) -> float:
        return time.monotonic() - self.fetched_at


class Keys:
    """
    The keys this process has fetched, and the names of which it knows that there are none.

    Anybody can invent names of keys. However many come, Plaid is asked for a handful a minute,
    and those that are known go on to work.
    """

    FRESH_SECONDS: Final = 3600.0
    # One that Plaid has shown us serves on for so long while nobody can tell whether it ended.
    KEPT_SECONDS: Final = 24 * 3600.0
    UNKNOWN_SECONDS: Final = 300.0
    AWAY_SECONDS: Final = 5.0
    PATIENCE_SECONDS: Final = 2.0
    UNKNOWN_KEPT: Final = 1000
    FETCHES_A_MINUTE: Final = 6
    _MINUTE: Final = 60.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a new process does."""
        self._held: dict[str, _Held] = {}
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._fetches: deque[float] = deque(maxlen=self.FETCHES_A_MINUTE)
        self._away_until = 0.0

    def get(self, key_id: str, *, at: datetime) -> EllipticCurvePublicKey | None:
        """
        Return a key that is still in use, or nothing.

        :raises ServiceBusy: nobody can tell at the moment.
        """
        held = self._held.get(key_id)
        if held is None:
            held = self._look_alone(key_id, patience=self.PATIENCE_SECONDS)
        elif held.age() > self.FRESH_SECONDS:
            held = self._renewed(key_id, held)
        if held is None or (held.expired_at is not None and held.expired_at <= at):
            return None
        return held.key

    def _renewed(self, key_id: str, held: _Held) -> _Held | None:
        """Ask whether a key is still there, and go on with it while nobody can tell."""
        try:
            return self._look_alone(key_id, patience=0)
        except ServiceBusy:
            if held.age() > self.KEPT_SECONDS:
                raise
            return held

    def _look_alone(self, key_id: str, *, patience: float) -> _Held | None:
        """Let one at a time ask Plaid; the others wait for its answer, but not for long."""
        if not self._lock.acquire(timeout=patience):
            raise ServiceBusy(retry_after_seconds=int(self.AWAY_SECONDS))
        try:
            return self._look(key_id)
        finally:
            self._lock.release()

    def _look(self, key_id: str) -> _Held | None:
        now = time.monotonic()
        held = self._held.get(key_id)
        if held is not None and held.age() <= self.FRESH_SECONDS:
            return held
        if self._unknown.get(key_id, 0.0) > now:
            return None
        self._demand_room(now, is_known=held is not None)
        try:
            told = get_bank_sign_in().find_webhook_key(key_id)
        except VendorUnavailable as error:
            self._away_until = time.monotonic() + self.AWAY_SECONDS
            raise ServiceBusy(retry_after_seconds=int(self.AWAY_SECONDS)) from error
        return self._keep(key_id, told)

    def _demand_room(self, now: float, *, is_known: bool) -> None:
        if now < self._away_until:
            raise ServiceBusy(retry_after_seconds=int(self.AWAY_SECONDS))
        if is_known:
            return
        is_full = len(self._fetches) == self.FETCHES_A_MINUTE
        if is_full and now - self._fetches[0] < self._MINUTE:
            raise ServiceBusy(retry_after_seconds=int(self._MINUTE - (now - self._fetches[0])) + 1)
        self._fetches.append(now)

    def _keep(self, key_id: str, told: WebhookKey | None) -> _Held | None:
        key = _public_key(told.jwk, key_id) if told else None
        now = time.monotonic()
        if told is None or key is None:
            self._held.pop(key_id, None)
            self._unknown[key_id] = now + self.UNKNOWN_SECONDS
            while len(self._unknown) > self.UNKNOWN_KEPT:
                self._unknown.popitem(last=False)
            return None
        self._held[key_id] = _Held(key, told.expired_at, now)
        return self._held[key_id]


def _public_key(jwk: Mapping[str, Any], key_id: str) -> EllipticCurvePublicKey | None:
    """Read a key, if it is the one that was asked for and of the one kind there is."""
    wanted = {"kty": "EC", "crv": "P-256", "kid": key_id}
    is_right = all(jwk.get(name) == value for name, value in wanted.items())
    is_right = is_right and jwk.get("alg", ALGORITHM) == ALGORITHM
    points = [str(jwk.get(name) or "") for name in ("x", "y")]
    if is_right and all(_COORDINATE.fullmatch(point) for point in points):
        try:
            key = ECAlgorithm.from_jwk(
                {"kty": "EC", "crv": "P-256", "x": points[0], "y": points[1]}
            )
        except (jwt.PyJWTError, ValueError):
            key = None
        if isinstance(key, EllipticCurvePublicKey):
            return key
    logger.error("plaid_webhook.key_unreadable")
    return None


KEYS: Final = Keys()
