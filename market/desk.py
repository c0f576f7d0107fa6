"""What the price leader's three threads share."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings

from market.facts import Session
from market.price_book import PriceBook, nanoseconds


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Desk:
    """
    The price book with its lock, and the facts about the feed around it.

    Everything but the book is replaced whole and never changed in place, so that reading it needs
    no lock. `ahead` is how far the vendor's clock is ahead of ours: a pretend one may run fast.
    """

    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    book: PriceBook = field(default_factory=PriceBook)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ready: threading.Event = field(default_factory=threading.Event)
    session: Session | None = None
    ahead: timedelta = timedelta(0)
    wanted: frozenset[str] = frozenset()
    covered: frozenset[str] = frozenset()
    corrected: frozenset[str] = frozenset()
    heard_at: float = float("-inf")

    def vendor_now(self) -> datetime:
        """Tell the time as the vendor sees it."""
        return self.clock() + self.ahead

    def vendor_now_ns(self) -> int:
        """Tell the time as the vendor sees it, in nanoseconds since 1970."""
        return nanoseconds(self.vendor_now())

    def heard(self) -> None:
        """Note that data has come from the feed."""
        self.heard_at = self.monotonic()

    def is_in_session(self) -> bool:
        """Say whether prices should move now; not knowing means that they should."""
        session, now = self.session, self.vendor_now()
        return session is None or not session.is_good(at=now) or session.is_open

    def is_stale(self) -> bool:
        """Say whether the feed has been silent for too long while the market is open."""
        silence = self.monotonic() - self.heard_at
        return silence > settings.FEED_STALE_SECONDS and self.is_in_session()
