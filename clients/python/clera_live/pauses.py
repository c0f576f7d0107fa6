"""How long a client waits for what."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Timing:
    """How long a client waits for what; changed mostly by tests."""

    connect_seconds: float = 10.0
    heartbeat_seconds: float = 15.0
    silence_heartbeats: float = 2.5  # then the connection counts as dead
    settled_seconds: float = 5.0  # a connection that ends sooner counts as a failed try
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0
    stale_after_seconds: float = 5.0
    poll_seconds: float = 5.0
    tries_before_polling: int = 3

    @property
    def silence_seconds(self) -> float:
        """How long nothing is heard until the connection counts as dead."""
        return self.heartbeat_seconds * self.silence_heartbeats


USUAL: Final = Timing()
_TOO_MANY_PAUSE_SECONDS: Final = 30.0
# A server that asks for a longer wait is asked again all the same.
_LONGEST_RETRY_AFTER_SECONDS: Final = 300.0


def pause_after(
    tries: int, *, timing: Timing = USUAL, draw: Callable[[], float] = random.random
) -> float:
    """
    Draw the seconds to wait before try number `tries`, counted from 0.

    It is anything below a doubling limit, so that clients which were cut off together do not come
    back together.
    """
    limit = timing.first_pause_seconds * 2.0 ** min(tries, 30)
    return draw() * min(timing.longest_pause_seconds, limit)


def wait_before(tries: int, *, told: float, is_too_many: bool, timing: Timing) -> float:
    """Choose the seconds to wait before a try, of which the server may have told some."""
    told = min(told, _LONGEST_RETRY_AFTER_SECONDS)
    if is_too_many:
        told = max(told, _TOO_MANY_PAUSE_SECONDS)
        return told + random.uniform(0, told)  # noqa: S311 - no secret
    # Whoever is told when to come comes then: the server has told each of us another time.
    return told + pause_after(0 if told else tries, timing=timing)


def wait_between_polls(failures: int, *, told: float, timing: Timing) -> float:
    """Choose the seconds to wait before the next round of polling, after so many failures."""
    longest = max(timing.poll_seconds, timing.longest_pause_seconds)
    pause = min(timing.poll_seconds * 2.0 ** min(failures, 30), longest)
    told = min(told, _LONGEST_RETRY_AFTER_SECONDS)
    return told + pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
