"""The price leader's pulse: a frame whenever something changed, and once a second in any case."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import redis
import structlog
from django.conf import settings

from core import metrics, realtime
from core.leases import Lease
from core.streams import Stop
from market import days, frames, publishing
from market.desk import Desk
from market.frames import Epoch, Frame, Row
from market.gates import Entry
from market.liveness import Liveness
from market.nanos import NANOS, UNKNOWN, nanoseconds
from market.price_book import Changes

logger = structlog.get_logger()


class Ticker:
    """Turns the changes of the price book into numbered frames."""

    def __init__(self, desk: Desk, lease: Lease) -> None:
        self._desk = desk
        self._liveness = Liveness(desk)
        self._epoch = Epoch(lease.fence, nanoseconds(desk.clock()) // 1_000_000)
        self._seq = 0
        self._day = UNKNOWN
        self._as_of_ns = 0
        self._sent_at = float("-inf")
        self._was_stale = False
        self._is_full_due = True
        self._is_redis_lost = False

    def run(self, stop: Stop) -> None:
        """Publish at a steady pace until told to stop, or until a later leader does."""
        pause = threading.Event()
        interval = settings.FRAME_INTERVAL_MS / 1000
        due = time.monotonic()
        while not stop:
            try:
                self.tick()
            except publishing.FencedOff:
                logger.warning("prices.fenced_off", fence=self._epoch.fence)
                stop.set()
            due = max(due + interval, time.monotonic())
            pause.wait(due - time.monotonic())

    def tick(self) -> None:
        """
        Publish what is new, or that nothing is if the last frame was a second ago.

        A frame without news is the sign of life by which everybody knows that prices are current.
        The numbers have no gap but before a full frame, which needs none before it.

        :raises FencedOff: a later leader has published.
        """
        desk = self._desk
        is_silent = desk.monotonic() - self._sent_at >= frames.SILENCE_SECONDS
        with desk.lock:
            day = UNKNOWN if desk.day is None else days.number_of(desk.day)
            self._liveness.judge()
            is_stale = self._liveness.is_all_stale
            changes = desk.book.take_changes()
            if day != self._day:
                # No close of an earlier day may stay in force, not even in the hash, for a symbol
                # that is followed again later.
                self._day, self._is_full_due = day, True
            if self._is_full_due:
                everything = desk.book.everything()
                changes = changes._replace(prices=everything, closes=everything)
            is_news = any((*changes[:4], self._is_full_due, is_stale != self._was_stale))
            if not (is_news or is_silent):
                return
            frame = self._frame(changes, is_stale=is_stale)
            # Whoever reads of it from now on asks the vendor, as for what was never followed.
            rows = {e.number: Row(UNKNOWN) for e in changes.forgotten}
            rows |= {e.number: e.row for group in changes[:3] for e in group}
        self._publish(frame, rows, heard_ns=changes.heard_ns)

    def _publish(self, frame: Frame, rows: dict[int, Row], *, heard_ns: int) -> None:
        packed = ((number, frames.row(row)) for number, row in rows.items())
        try:
            publishing.publish(realtime.connection(), frame, packed)
        except publishing.HashIsGone:
            self._is_full_due = True
            return self.tick()
        except redis.RedisError as error:
            self._is_full_due = True  # nobody knows what arrived
            if not self._is_redis_lost:
                logger.warning("prices.not_published", error=type(error).__name__)
            self._is_redis_lost = True
            return None
        self._is_full_due = self._is_redis_lost = False
        self._sent_at, self._was_stale = self._desk.monotonic(), frame.is_stale
        metrics.FRAMES.labels("published").inc()
        if heard_ns:
            waited_ns = max(self._desk.vendor_now_ns() - heard_ns, 0)
            metrics.TICK_TO_FRAME.observe(waited_ns / NANOS)
        return None

    def _frame(self, changes: Changes, *, is_stale: bool) -> Frame:
        # One that is followed again already counts as what it is now: the later of two is in force.
        prices, closes = [*changes.forgotten, *changes.prices], changes.closes
        times = [entry.at_ns for entry in prices]
        self._seq += 1
        self._as_of_ns = max([self._as_of_ns, *times])
        return Frame(
            epoch=self._epoch,
            seq=self._seq,
            as_of_ns=self._as_of_ns,
            sent_ms=nanoseconds(self._desk.clock()) // 1_000_000,
            is_stale=is_stale,
            is_full=self._is_full_due,
            day=self._day,
            numbers=_numbers(prices),
            prices=np.array([entry.price for entry in prices], dtype="<i8"),
            times=np.array(times, dtype="<i8"),
            flags=np.array([entry.flags for entry in prices], dtype="u1"),
            close_numbers=_numbers(closes),
            closes=np.array([entry.close for entry in closes], dtype="<i8"),
        )


def _numbers(entries: Sequence[Entry]) -> frames.Numbers:
    return np.array([entry.number for entry in entries], dtype="<u4")
