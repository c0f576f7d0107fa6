"""What the threads of the price leader share."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.conf import settings

from market.facts import Halted, Session, is_coin
from market.nanos import NANOS, nanoseconds
from market.price_book import PriceBook


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Feed:
    """
    One socket of the vendor's: what is wanted of it, what it sends, and when it last did.

    One that is not in use has no socket: what is wanted of it is asked for by REST. The newest
    moment that it has told of is `newest_ns`, which was `lag_ns` ago when it told something last.
    Until `rested_at` it was there while its market was closed, and had nothing to tell.
    """

    name: str
    is_always_open: bool = False
    is_in_use: bool = True
    wanted: frozenset[str] = frozenset()
    covered: frozenset[str] = frozenset()
    heard_at: float = float("-inf")
    rested_at: float = float("-inf")
    newest_ns: int = 0
    lag_ns: int = 0

    def measure(self, newest_ns: int, *, now_ns: int) -> None:
        """
        Note how old the newest is that it has told of until now.

        One late report among others is no lag; and what was told ahead of the time, or before our
        clock was put right, must not hide one for long.
        """
        self.newest_ns = max(min(self.newest_ns, now_ns), min(newest_ns, now_ns))
        self.lag_ns = now_ns - self.newest_ns

    def rest(self, now: float, *, now_ns: int) -> None:
        """Note that nothing is to be told now, so that the next session begins without blame."""
        self.rested_at, self.newest_ns, self.lag_ns = now, now_ns, 0


def _stocks() -> Feed:
    return Feed("stocks")


def _coins() -> Feed:
    return Feed("coins", is_always_open=True, is_in_use=False)


@dataclass
class Desk:
    """
    The price book with its lock, and the facts about the feeds around it.

    Everything but the book is replaced whole and never changed in place, so that reading it needs
    no lock; what two threads replace is replaced under it. `ahead` is how far the vendor's clock
    is ahead of ours: a pretend one may run fast.
    """

    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    book: PriceBook = field(default_factory=PriceBook)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_known: threading.Event = field(default_factory=threading.Event)  # what is wanted
    is_timed: threading.Event = field(default_factory=threading.Event)  # the broker was asked
    is_ready: threading.Event = field(default_factory=threading.Event)  # and the prices, too
    is_due: threading.Event = field(default_factory=threading.Event)  # something must be asked
    stocks: Feed = field(default_factory=_stocks)
    coins: Feed = field(default_factory=_coins)
    halts: "queue.SimpleQueue[Halted]" = field(default_factory=queue.SimpleQueue)
    session: Session | None = None
    is_extended: bool = False  # shares trade before or after the session
    day: date | None = None  # whose previous closes are all asked for
    ahead: timedelta = timedelta(0)
    wanted: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()  # wanted, but no instrument that we have heard of
    found_count: int = 0  # how many of those the broker knew
    corrected: frozenset[str] = frozenset()
    missed: frozenset[str] = frozenset()  # what may have happened before the socket sends it

    @property
    def feeds(self) -> tuple[Feed, Feed]:
        """Both sockets."""
        return self.stocks, self.coins

    @property
    def covered(self) -> frozenset[str]:
        """Everything that the vendor says it sends."""
        return self.stocks.covered | self.coins.covered

    def want(self, numbers: Mapping[str, int]) -> None:
        """Follow exactly these instruments from now on."""
        wanted = frozenset(numbers)
        with self.lock:
            self.book.forget(self.wanted - wanted)
            for symbol in wanted - self.wanted:
                self.book.add(symbol, numbers[symbol])
            self.corrected &= wanted
            self.missed &= wanted
        self.coins.wanted = frozenset(filter(is_coin, wanted))
        self.stocks.wanted = wanted - self.coins.wanted
        self.wanted = wanted
        self.is_known.set()
        self.is_due.set()

    def vendor_now(self) -> datetime:
        """Tell the time as the vendor sees it."""
        return self.clock() + self.ahead

    def vendor_now_ns(self) -> int:
        """Tell the time as the vendor sees it, in nanoseconds since 1970."""
        return nanoseconds(self.vendor_now())

    def heard(self, feed: Feed | None = None, *, ago: float = 0.0) -> None:
        """Note that data has come from a feed: that of stocks, unless another is named."""
        feed = feed or self.stocks
        feed.heard_at = max(feed.heard_at, self.monotonic() - max(ago, 0.0))

    def is_in_session(self, feed: Feed | None = None) -> bool:
        """Say whether a feed's prices should move now; not knowing means that they should."""
        if feed is not None and feed.is_always_open:
            return True
        session, now = self.session, self.vendor_now()
        return session is None or not session.is_good(at=now) or session.is_open

    def may_move(self, feed: Feed) -> bool:
        """Say whether a feed's prices can be others by now, though perhaps seldom."""
        return self.is_in_session(feed) or self.is_extended

    def is_dead(self, feed: Feed) -> bool:
        """Say whether a feed's market is open, and what it tells is not of now."""
        return self.is_silent(feed) or self.is_late(feed)

    def is_silent(self, feed: Feed) -> bool:
        """Say whether this feed should have told something by now."""
        if not feed.is_in_use or (feed.is_always_open and not feed.wanted):
            return False
        silence = self.monotonic() - max(feed.heard_at, feed.rested_at)
        return silence > settings.FEED_STALE_SECONDS and self.is_in_session(feed)

    def is_late(self, feed: Feed) -> bool:
        """Say whether this feed tells what was some time ago as if it were news."""
        most_ns = settings.FEED_LAG_SECONDS * NANOS
        return feed.is_in_use and feed.lag_ns > most_ns and self.is_in_session(feed)
