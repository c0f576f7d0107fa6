"""Once a second the price leader tells monitoring how it is doing."""

from collections import Counter
from typing import Final

import redis
import structlog
from django.conf import settings

from core import metrics, metrics_shelf, realtime
from core.streams import Stop
from market.desk import Desk
from market.facts import is_coin

logger = structlog.get_logger()
PROCESS: Final = "prices"
_SECONDS: Final = 1.0
# A symbol may trade seldom; a feed may not. So this many times what makes a feed stale.
_PATIENCE: Final = 12


class Reporter:
    """Counts what the price book has judged, and puts the figures where they can be read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rejected: Counter[str] = Counter()
        self._is_lost = False

    def run(self, stop: Stop) -> None:
        """Report until told to stop."""
        while not stop.wait(_SECONDS):
            self.report()

    def report(self) -> None:
        """Bring the figures up to date and put them on the shelf."""
        with self._desk.lock:
            rejected = Counter(self._desk.book.rejected)
        for reason, count in (rejected - self._rejected).items():
            metrics.TICKS_REJECTED.labels(reason).inc(count)
        self._rejected = rejected
        metrics.STALE_SYMBOLS.set(self.count_stale())
        try:
            metrics_shelf.put(PROCESS, realtime.connection())
            self._is_lost = False
        except redis.RedisError as error:
            if not self._is_lost:
                logger.warning("prices.figures_not_told", error=type(error).__name__)
            self._is_lost = True

    def count_stale(self) -> int:
        """Count the symbols without a recent price whose market is open."""
        desk = self._desk
        since = desk.vendor_now_ns() - int(settings.FEED_STALE_SECONDS * _PATIENCE * 1e9)
        with desk.lock:
            recent = {entry.number for entry in desk.book.everything() if entry.at_ns >= since}
            numbers = {symbol: desk.book.number_of(symbol) for symbol in desk.wanted}
        is_open = {False: desk.is_in_session(desk.stocks), True: desk.is_in_session(desk.coins)}
        return sum(n not in recent and is_open[is_coin(s)] for s, n in numbers.items())
