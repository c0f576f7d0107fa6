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
    head = key_id.encode()
    return bytes([len(head)]) + head + nonce + cipher.encrypt(nonce, plain, bound_to.encode())


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
    key = settings.BLIND_INDEX_KEY.encode()
    return hmac.new(key, f"{purpose}:{value}".encode(), hashlib.sha256).hexdigest()
