"""The keys that sign webhooks: made from the seed, so that a restart keeps them."""

import base64
import hashlib
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.plaid.books import Books
from sandbox.plaid.records import SigningKey

_CURVE = ec.SECP256R1()
_COORDINATE_BYTES = 32


class KeyRing:
    """
    All signing keys; the newest signs.

    Their times, and that of a signature, are of real time: whoever checks one has no other.
    """

    def __init__(self, seed: int, books: Books) -> None:
        self._seed = seed
        self._books = books
        self.begin()

    def begin(self) -> None:
        """Have a key that is good, and all of them in the store."""
        for key in self.all():
            self._books.save(key)
        if not self._books.keys or self.current.expired_at is not None:
            self._add()

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return max(self._books.keys.values(), key=lambda key: key.number)

    def all(self) -> list[SigningKey]:
        """List the keys, the oldest first."""
        return sorted(self._books.keys.values(), key=lambda key: key.number)

    def rotate(self, *, expires_old: bool) -> SigningKey:
        """Sign with a new key from now on; the old one ceases to be good, or lives on."""
        if expires_old:
            self.expire(self.current.kid)
        return self._add()

    def expire(self, kid: str) -> bool:
        """Let a key cease to be good; False when there is none of this id."""
        key = self._books.keys.get(kid)
        if key is None:
            return False
        key.expired_at = key.expired_at or int(time.time())
        self._books.save(key)
        return True

    def find(self, kid: object) -> SigningKey | None:
        """Find a key by its id."""
        return self._books.keys.get(kid) if isinstance(kid, str) else None

    def public(self, key: SigningKey) -> dict[str, Any]:
        """Show the public half as a JWK."""
        numbers = self._private(key).public_key().public_numbers()
        return {
            "alg": "ES256",
            "created_at": key.created_at,
            "crv": "P-256",
            "expired_at": key.expired_at,
            "kid": key.kid,
            "kty": "EC",
            "use": "sig",
            "x": _coordinate(numbers.x),
            "y": _coordinate(numbers.y),
        }

    def sign(self, raw: bytes, *, issued_at: int | None = None, kid: str | None = None) -> str:
        """Give the value of `Plaid-Verification` for exactly these bytes."""
        key = self.find(kid) or self.current
        claims = {
            "iat": int(time.time()) if issued_at is None else issued_at,
            "request_body_sha256": hashlib.sha256(raw).hexdigest(),
        }
        return jwt.encode(claims, self._private(key), "ES256", headers={"kid": key.kid})

    def _add(self) -> SigningKey:
        number = len(self._books.keys) + 1
        kid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"clera-sandbox-plaid:{self._seed}:{number}"))
        key = SigningKey(number=number, kid=kid, created_at=int(time.time()))
        self._books.save(key)
        return key

    def _private(self, key: SigningKey) -> ec.EllipticCurvePrivateKey:
        digest = hashlib.sha256(f"clera-sandbox-plaid-key:{self._seed}:{key.number}".encode())
        # Halved, the number is sure to lie below the order of the curve.
        return ec.derive_private_key(int.from_bytes(digest.digest()) >> 1, _CURVE)


def _coordinate(number: int) -> str:
    raw = number.to_bytes(_COORDINATE_BYTES)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
