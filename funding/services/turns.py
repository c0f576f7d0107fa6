"""Taking turns at Plaid, so that one that hangs does not hold the workers that move money."""

import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from django.conf import settings

from core import leases

logger = structlog.get_logger()
# A turn may last this long; what is not reached stays due.
TURN_SECONDS: Final = 10.0
# Who has met a vendor that hangs keeps the turn, and with it everybody away, for this long.
REST_SECONDS: Final = 30.0
# Pages and removals share one, so that one process at most waits for them.
LINKS: Final = "links"
ITEMS: Final = "items"
# One thing to be done at Plaid.
Act = Callable[[], None]


def take(name: str, *, due: Callable[[], Sequence[Act]]) -> int:
    """
    Do each thing that is due, and what comes due meanwhile, in one process at a time.

    Returns how many there were; somebody else's turn is none of ours. Whoever is turned away may
    go: the one at work looks once more after the turn has been given back. So `due` must find
    whatever anybody might want this turn for.
    """
    count, ends = 0, time.monotonic() + TURN_SECONDS
    while (
        time.monotonic() < ends
        and due()
        and (lease := leases.acquire(f"funding.{name}", seconds=REST_SECONDS))
    ):
        acted, is_slow = _turn(name, due=due, ends=ends)
        count += acted
        if is_slow:
            break  # the lease runs out by itself
        leases.release(lease)
    return count


def _turn(name: str, *, due: Callable[[], Sequence[Act]], ends: float) -> tuple[int, bool]:
    """Act until nothing is due, time is up or Plaid hangs; return how often, and whether it did."""
    count = 0
    while time.monotonic() < ends and (acts := due()):
        for act in acts:
            began = time.monotonic()
            act()
            count += 1
            now = time.monotonic()
            if now - began >= settings.VENDOR_TOTAL_SECONDS:
                logger.warning("plaid.slow", operation=name, seconds=round(now - began, 1))
                return count, True
            if now >= ends:
                break
    return count, False
