"""Tokens that carry what they stand for, signed with the seed, so that nobody can make one up."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

_MAC_CHARACTERS = 20


class Tokens:
    """Makes and reads the vendor's tokens."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"clera-sandbox-plaid:{seed}".encode()).digest()

    def make(self, kind: str, **content: str) -> str:
        """Make a token such as `public-sandbox-...`."""
        text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
        body = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
        return f"{kind}-sandbox-{body}.{self._mac(kind, body)}"

    def read(self, kind: str, token: object) -> dict[str, Any] | None:
        """Give what a token carries, or None for one that this sandbox has not made."""
        prefix = f"{kind}-sandbox-"
        if not isinstance(token, str) or not token.startswith(prefix):
            return None
        body, _, mac = token.removeprefix(prefix).rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(kind, body).encode()):
            return None
        try:
            content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))
        except (binascii.Error, ValueError):
            return None
        return content

    def _mac(self, kind: str, body: str) -> str:
        mac = hmac.new(self._key, f"{kind}:{body}".encode(), hashlib.sha256)
        return mac.hexdigest()[:_MAC_CHARACTERS]
