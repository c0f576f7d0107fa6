"""Differences with a broker's books: one person proposes how each is settled, another confirms."""

from typing import Final

from core.errors import CleraError, Invalid

_LONGEST_NOTE: Final = 300


class NotOpen(CleraError):
    """Nobody has to decide about it: it is only suspected yet, or settled, or proposed already."""

    code = "drift_not_open"
    status = 409
    detail = "Nothing can be proposed for this difference."


class NotProposed(CleraError):
    """There is no proposal, or it was withdrawn because the difference has changed."""

    code = "drift_not_proposed"
    status = 409
    detail = "Nobody has proposed how to settle this difference."


def demand_note(text: str) -> str:
    """
    Return why somebody does it, without needless space.

    :raises Invalid: they have not said why.
    """
    words = text.strip()
    if not words:
        rule = "Write why, in a few words."
        raise Invalid(rule, field_errors={"note": [rule]})
    return words[:_LONGEST_NOTE]
