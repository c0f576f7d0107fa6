"""Sealing secrets that must rest for a while, and fingerprints to find them again."""

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from core.errors import CleraError

_NONCE_BYTES = 12


class Unsealable(CleraError):
    """The sealed text was made for another row, with another key, or has been changed."""

    code = "unsealable"
    status = 500
    detail = "A sealed value cannot be opened."


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> dict[str, AESGCM]:
    pairs = (entry.split(":", 1) for entry in keys)
    return {key_id: AESGCM(base64.b64decode(key)) for key_id, key in pairs}


def seal(plain: bytes, *, bound_to: str) -> bytes:
    """
    Encrypt with AES-256-GCM under the newest key of `FIELD_KEYS`.

    :param bound_to: table, column and row; the same words are needed to open it, so a sealed
        value copied to another row is useless.
    """
    ring = _ring(tuple(settings.FIELD_KEYS))
    key_id, cipher = next(iter(ring.items()))
    nonce = os.urandom(_NONCE_BYTES)
    return prefix_of(key_id) + nonce + cipher.encrypt(nonce, plain, bound_to.encode())


def unseal(sealed: bytes, *, bound_to: str) -> bytes:
    """
    Open what `seal` made.

    :raises Unsealable: another row, an unknown key, or a changed byte.
    """
    sealed = bytes(sealed)
    start = 1 + sealed[0] if sealed else 0
    cipher = _ring(tuple(settings.FIELD_KEYS)).get(sealed[1:start].decode(errors="replace"))
    if cipher is None:
        raise Unsealable
    nonce, text = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, text, bound_to.encode())
    except (InvalidTag, ValueError) as error:
        raise Unsealable from error


def blind_index(value: str, *, purpose: str) -> str:
    """Fingerprint a secret with a key, so that equal ones are found without storing them."""
    return fingerprint(value.encode(), purpose=purpose)


def fingerprint(content: bytes, *, purpose: str) -> str:
    """Fingerprint secret bytes, such as a document, with a key."""
    key = settings.BLIND_INDEX_KEY.encode()
    return hmac.new(key, purpose.encode() + b":" + content, hashlib.sha256).hexdigest()


def key_ids() -> list[str]:
    """Name the keys of `FIELD_KEYS`, the newest first."""
    return list(_ring(tuple(settings.FIELD_KEYS)))


def prefix_of(key_id: str) -> bytes:
    """Return what every value sealed with this key begins with."""
    head = key_id.encode()
    return bytes([len(head)]) + head


def key_id_of(sealed: bytes) -> str:
    """Name the key that a value was sealed with."""
    return bytes(sealed)[1 : 1 + sealed[0]].decode(errors="replace") if sealed else ""
