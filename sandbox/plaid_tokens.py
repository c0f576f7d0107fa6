"""
Tokens that carry what they stand for, signed with the seed: nothing needs to be remembered.

A public token, the access token it is exchanged for and the processor tokens made from that all
name the same pretend bank login (an item), so they stay good after a restart.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

_MAC_CHARACTERS = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One login at one pretend bank."""

    nonce: str
    institution_id: str

    @property
    def id(self) -> str:
        """The vendor's id for it."""
        return "item" + hashlib.sha256(f"item:{self.nonce}".encode()).hexdigest()[:32]

    def account_id(self, kind: str) -> str:
        """Give the id of its checking or savings account."""
        return "acct" + hashlib.sha256(f"{kind}:{self.nonce}".encode()).hexdigest()[:32]

    def number(self, purpose: str, below: int) -> int:
        """Derive a number that always belongs to this login."""
        digest = hashlib.sha256(f"{purpose}:{self.nonce}".encode()).digest()
        return int.from_bytes(digest[:8]) % below

    @classmethod
    def new(cls, institution_id: str) -> "Item":
        """Log in at a bank."""
        return cls(uuid4().hex, institution_id)


class Tokens:
    """Makes and reads the vendor's tokens."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"clera-sandbox-plaid:{seed}".encode()).digest()

    def make(self, kind: str, content: dict[str, Any]) -> str:
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

    def make_for(self, kind: str, item: Item, **more: str) -> str:
        """Make a token that stands for a login."""
        return self.make(kind, {"n": item.nonce, "i": item.institution_id, **more})

    def item_of(self, kind: str, token: object) -> Item | None:
        """Give the login that a token stands for."""
        content = self.read(kind, token)
        return None if content is None else Item(content["n"], content["i"])

    def _mac(self, kind: str, body: str) -> str:
        mac = hmac.new(self._key, f"{kind}:{body}".encode(), hashlib.sha256)
        return mac.hexdigest()[:_MAC_CHARACTERS]
