"""
What a vendor repeats of a person when it says no.

A refusal is kept, shown and logged, and may quote the very values that it is about.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from core.logs import HIDDEN, redact

# A tax id or the number of a bank account, whoever sent it.
_LONG_NUMBER: Final = re.compile(r"(?<![\w-])\d{7,}(?![\w-])", re.ASCII)
_UNBROKEN: Final = r"[^\s,;:\"'()\[\]{}<>&=]+"
_WORD: Final = re.compile(rf"{_UNBROKEN}(?::{_UNBROKEN})*")  # a time has colons within it
_PIECE: Final = 6  # a word this long is taken for a part of a value that contains it
_LONGEST_TEXT: Final = 1000  # what is longer is a file, in which any short word stands by chance


def without_numbers(text: str) -> str:
    """Blot out of a vendor's words what looks like a secret."""
    return _LONG_NUMBER.sub(HIDDEN, redact(text))


def without_values(text: str, sent: Any) -> str:
    """Blot out of a vendor's words whatever the body of our request, as JSON, holds too."""
    values = [_plain(value) for value in _values(sent)]
    texts = (value for value in values if len(value) <= _LONGEST_TEXT)
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    said = "\n".join(values)

    def judged(found: re.Match[str]) -> str:
        parts = re.findall(r"\w{2,}", _plain(found.group()))
        is_ours = any(part in words or (len(part) >= _PIECE and part in said) for part in parts)
        return HIDDEN if is_ours else found.group()

    return _WORD.sub(judged, text)


def _values(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for inner in part.values():
            yield from _values(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _values(inner)
    elif part is not None and not isinstance(part, bool):
        yield str(part)


def _plain(text: str) -> str:
    """Write a text without accents and capitals, as vendors like to."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold()
