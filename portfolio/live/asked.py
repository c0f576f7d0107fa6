"""What clients of live values ask for, read from what they say."""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings

from core.sockets import codes
from core.sockets.visits import Refused
from portfolio.live.seats import Resume

DETAIL: Final = "positions"
_LONGEST_TEXT: Final = 64


def has_detail(said: Mapping[str, Any]) -> bool:
    """
    Say whether the client wants to hear of positions as well.

    :raises Refused: it wants something that there is not.
    """
    detail = said.get("detail")
    if detail not in (None, DETAIL):  # no set: what a client says may be unhashable
        raise _bad_frame("`detail` is `positions`, or absent.")
    return detail == DETAIL


def resume_of(said: object) -> Resume | None:
    """Read what a returning client has; what cannot be read is as good as nothing."""
    if not isinstance(said, dict):
        return None
    epoch, seq, revision = said.get("epoch"), said.get("seq"), said.get("revision")
    if isinstance(epoch, str) and type(seq) is int and isinstance(revision, str):
        return Resume(epoch, seq, revision)
    return None


def resumes_of(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read what a returning client has of each of several accounts."""
    resumes = said.get("resume")
    return resumes if isinstance(resumes, dict) else {}


def account_ids(said: Mapping[str, Any]) -> list[str] | None:
    """
    Read which accounts are named, each once; nothing says that none were.

    :raises Refused: they are not a list of ids.
    """
    named = said.get("accounts")
    if named is None:
        return None
    if isinstance(named, str):  # in an address
        named = named.split(",")
    if not isinstance(named, list) or not all(map(_is_id, named)):
        raise _bad_frame("`accounts` is a list of account ids.")
    return list(dict.fromkeys(named))


def some_account_ids(said: Mapping[str, Any]) -> list[str]:
    """
    Read which accounts are named.

    :raises Refused: none are, or it is as above.
    """
    named = account_ids(said)
    if not named:
        raise _bad_frame("`accounts` names at least one account.")
    return named


def check_count(count: int) -> None:
    """
    Refuse what is more than one socket serves.

    :raises Refused: always then.
    """
    most = settings.ACCOUNTS_PER_SOCKET
    if count > most:
        detail = f"One socket looks at {most} accounts at most."
        raise Refused(codes.TOO_MANY, "too_many_accounts", detail)


def _is_id(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _LONGEST_TEXT


def _bad_frame(detail: str) -> Refused:
    return Refused(codes.BAD_FRAME, "bad_frame", detail)
