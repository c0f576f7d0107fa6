"""What a model's words look like once a person may see them: no links, images or hidden signs."""

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_KEPT = "\n\t"
# A link or an image could carry what the model knows to somebody else's server.
_LINK_TARGET = re.compile(r"\]\([^)\s]*\)?|\]\[[^\]\s]*\]?")
_ADDRESS = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//\S+|\bwww\.\S+|\b(?:data|mailto|javascript):\S+"
)
_BRACKET = re.compile(r"!?\[")
_TAG = re.compile(r"<\/?[A-Za-z!][^\s>]*>?")
_WORD = re.compile(r"\S+")
REMOVED = "(link removed)"


def clean(text: str) -> str:
    """Take out of the text whatever a screen could follow, load or hide."""
    return _WORD.sub(lambda word: _clean_word(word.group()), _visible(text))


def _visible(text: str) -> str:
    return "".join(
        character
        for character in text
        if character in _KEPT or unicodedata.category(character) not in _HIDDEN
    )


def _clean_word(word: str) -> str:
    word = _LINK_TARGET.sub("", word)
    word = _ADDRESS.sub(REMOVED, word)
    word = _TAG.sub("", word)
    return _BRACKET.sub("", word)


class Cleaner:
    """Cleans a text that arrives in pieces; what it lets through adds up to the clean text."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece and return what is safe to show: everything up to the last whole word."""
        held = self._held + _visible(piece)
        end = max((i + 1 for i, character in enumerate(held) if character.isspace()), default=0)
        self._held = held[end:]
        return clean(held[:end])

    def flush(self) -> str:
        """Return the rest; the text is over."""
        rest, self._held = self._held, ""
        return clean(rest)
