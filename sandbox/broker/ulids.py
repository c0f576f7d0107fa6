"""ULIDs that only ever grow, as cursors of the event streams need."""

import random
from datetime import UTC, datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LENGTH = 26
_SOURCE = random.Random()  # noqa: S311 - an identifier, not a secret


class Ulids:
    """Makes the next ULID; two of the same millisecond still come in order."""

    def __init__(self) -> None:
        self._last = 0

    def after(self, text: str) -> None:
        """Continue behind a ULID made in an earlier run."""
        self._last = max(self._last, _decode(text))

    def next(self, at: datetime) -> str:
        """Make one for this moment, greater than every one before."""
        milliseconds = int(at.astimezone(UTC).timestamp() * 1000)
        value = (milliseconds << _RANDOM_BITS) | _SOURCE.getrandbits(_RANDOM_BITS - 1)
        self._last = max(value, self._last + 1)
        return _encode(self._last)


def is_ulid(text: str) -> bool:
    """Say whether a text can be a ULID."""
    return len(text) == _LENGTH and all(letter in _ALPHABET for letter in text.upper())


def _encode(value: int) -> str:
    return "".join(_ALPHABET[(value >> 5 * place) & 31] for place in reversed(range(_LENGTH)))


def _decode(text: str) -> int:
    value = 0
    for letter in text.upper():
        value = value << 5 | _ALPHABET.index(letter)
    return value
