"""What a server says when it will not serve, or not now."""

from typing import Final, TypedDict

import httpx
from websockets.exceptions import InvalidStatus

UNAUTHENTICATED: Final = 4401
NOT_YOURS: Final = 4404
TOO_MANY: Final = 4429
# What no second try would change; the last two answer a token in the address.
FINAL: Final = frozenset({4400, NOT_YOURS, 4001, 4003})


def is_final(code: int | None, *, has_others: bool) -> bool:
    """Say so, but when it may be one of several accounts: asked again, the server says which."""
    return code in FINAL and not (code == NOT_YOURS and has_others)


def wait_told(error: Exception) -> float:
    """Read for how long an HTTP server asks us to wait, if it was one that turned us away."""
    if not isinstance(error, InvalidStatus | httpx.HTTPStatusError):
        return 0.0
    told = error.response.headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else 0.0


class Problem(TypedDict, total=False):
    """What the server said was wrong, and with which code it closed."""

    type: str
    error: str
    detail: str
    account_id: str
    accounts: list[str]  # that it would not let us follow besides
    retry_after: float
    code: int


def not_connected(error: Exception) -> Problem:
    """Say that no connection could be had, and when to try again if that was told."""
    return {"error": "not_connected", "detail": str(error), "retry_after": wait_told(error)}


class Refused(Exception):
    """The server will not have us, and no second try would change that."""

    def __init__(self, problem: Problem) -> None:
        self.code = problem.get("code")
        self.error = problem.get("error")
        super().__init__(problem.get("detail") or f"The server closed with {self.code}.")
