"""The identity provider's public keys: fetched rarely, kept when it cannot be reached."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from core import exact_json
from core.errors import ServiceBusy

logger = structlog.get_logger()
REFRESH_SECONDS = 600.0
_AHEAD_SECONDS = 540.0  # from here on it is refreshed beside the work, and nobody waits for it
COOLDOWN_SECONDS = 30.0
COLD_COOLDOWN_SECONDS = 1.0
_FETCH_SECONDS = 3.0
_LARGEST_ANSWER = 64 * 1024
_SMALLEST_RSA_BITS = 2048


@dataclass(frozen=True)
class VerificationKey:
    """A public key and the one algorithm it may be used with."""

    algorithm: str
    key: EllipticCurvePublicKey | RSAPublicKey


class KeysUnreachable(Exception):
    """The identity provider did not give a readable set of keys."""


class KeySet:
    """
    The keys at one URL, shared by the threads of a process.

    A known key keeps working while the provider is away. An unknown key id causes a fetch, but
    at most one per cooldown, so that random ids cannot be used to flood the provider.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, VerificationKey] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._has_failed = False

    def has(self, key_id: str) -> bool:
        """Say whether a key can be found at once, without asking the provider."""
        is_due = self._age() >= REFRESH_SECONDS and not self._has_failed
        return key_id in self._keys and not is_due

    @property
    def is_empty(self) -> bool:
        """Say whether no key was ever fetched."""
        return not self._keys

    def find(self, key_id: str) -> VerificationKey | None:
        """
        Find a key by its id, looking it up anew when it is unknown or the set is old.

        :raises ServiceBusy: no key has ever been fetched and the provider is away, so nobody's
            token can be judged.
        """
        known = self._keys.get(key_id)
        if known and self._age() < _AHEAD_SECONDS:
            return known
        if known and self.has(key_id):
            self._refresh_beside()
            return known
        # Who holds a known key does not queue behind somebody else's slow fetch.
        if self._lock.acquire(blocking=known is None):
            try:
                if key_id not in self._keys or self._age() >= REFRESH_SECONDS:
                    self._refresh_unless_cooling()
            finally:
                self._lock.release()
        if not self._keys:
            raise ServiceBusy(
                "Sign-in cannot be checked right now; try again shortly.", retry_after_seconds=2
            )
        return self._keys.get(key_id)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _refresh_beside(self) -> None:
        """Refresh in a thread of its own, unless somebody does so already."""
        if self._is_cooling() or not self._lock.acquire(blocking=False):
            return

        def refresh() -> None:
            try:
                self._refresh_unless_cooling()
            finally:
                self._lock.release()

        threading.Thread(target=refresh, name="signing-keys", daemon=True).start()

    def _is_cooling(self) -> bool:
        cooldown = COOLDOWN_SECONDS if self._keys else COLD_COOLDOWN_SECONDS
        return self._clock() - self._tried_at < cooldown

    def _refresh_unless_cooling(self) -> None:
        if self._is_cooling():
            return
        asked_at = self._clock()
        try:
            self._keys = fetch(self._url)
            self._fetched_at, self._has_failed = asked_at, False
        except KeysUnreachable as error:
            self._has_failed = True
            logger.warning("auth.keys_unreachable", error=str(error))
        finally:
            # Counted from the end: one that hangs longer than that is not asked again at once.
            self._tried_at = self._clock()


def fetch(url: str) -> dict[str, VerificationKey]:
    """
    Fetch a JSON Web Key Set and keep the keys that can verify ES256 or RS256.

    :raises KeysUnreachable: no answer in time, too large, not JSON, or no usable key in it.
    """
    try:
        answer = exact_json.loads(_read(url))
    except (httpx.HTTPError, httpx.InvalidURL, exact_json.NotStrictJson) as error:
        raise KeysUnreachable(type(error).__name__) from error
    entries = answer.get("keys") if isinstance(answer, dict) else None
    keys: dict[str, VerificationKey] = {}
    for entry in entries if isinstance(entries, list) else []:
        usable = _usable(entry)
        if usable:
            keys[entry["kid"]] = usable
    if not keys:
        raise KeysUnreachable("no usable key")
    return keys


def _read(url: str) -> bytes:
    """Read at most `_LARGEST_ANSWER` bytes within `_FETCH_SECONDS`, however slowly they come."""
    deadline = time.monotonic() + _FETCH_SECONDS
    body = b""
    with httpx.stream(
        "GET", url, timeout=_FETCH_SECONDS, headers={"Accept-Encoding": "identity"}
    ) as response:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _LARGEST_ANSWER or time.monotonic() > deadline:
                raise KeysUnreachable("too large or too slow")
    return body


def _usable(entry: Any) -> VerificationKey | None:
    """Read one key, or nothing when it is private, symmetric, weak or meant for encryption."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    algorithm = {"EC": "ES256", "RSA": "RS256"}.get(str(entry.get("kty")))
    if algorithm is None or entry.get("alg", algorithm) != algorithm or not _verifies(entry):
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError):
        return None
    return VerificationKey(algorithm, key) if _is_strong(key) else None


def _verifies(entry: dict[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and "verify" in operations and "d" not in entry


def _is_strong(key: object) -> bool:
    if isinstance(key, RSAPublicKey):
        return key.key_size >= _SMALLEST_RSA_BITS
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
