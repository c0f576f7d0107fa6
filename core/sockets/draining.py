"""A process that is about to end: who is here is sent elsewhere, and nobody else is let in."""

import json
import random
from typing import Final

from django.conf import settings

from core.sockets.loops import PerLoop

_LEAST_SECONDS: Final = 0.1


class _Drain:
    """Whether this process lets nobody in any more."""

    is_on = False


def begin() -> None:
    """Let nobody in from now on."""
    _DRAINS.get().is_on = True


def is_on() -> bool:
    """Say whether this process lets nobody in any more."""
    return _DRAINS.get().is_on


def pause_seconds() -> float:
    """Choose when a client comes back: each at another moment, so that not all come at once."""
    spread = max(settings.SOCKET_DRAIN_SPREAD_SECONDS, _LEAST_SECONDS)
    return round(random.uniform(_LEAST_SECONDS, spread), 2)  # noqa: S311 - no secret


def farewell() -> bytes:
    """Write what a socket is told before it is closed."""
    return json.dumps({"type": "draining", "retry_after": pause_seconds()}).encode()


_DRAINS: Final = PerLoop(_Drain)
