"""The price leader's pulse: a frame whenever something changed, and once a second in any case."""

import threading
import time

import numpy as np
import redis
import structlog
from django.conf import settings

from core import realtime
from core.leases import Lease
from core.streams import Stop
from market import frames, publishing
from market.desk import Desk
from market.frames import Epoch, Frame
from market.price_book import Entry, nanoseconds

logger = structlog.get_logger()


class Ticker:
    """Turns the changes of the price book into numbered frames."""

    def __init__(self, desk: Desk, lease: Lease) -> None:
        self._desk = desk
        self._epoch = Epoch(lease.fence, nanoseconds(desk.clock()) // 1_000_000)
        self._seq = 0
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

        :raises FencedOff: a later leader has published.
        """
        desk = self._desk
        with desk.lock:
            changed, closes = desk.book.take_changes()
            if self._is_full_due:
                changed = closes = desk.book.everything()
        is_stale = desk.is_stale()
        is_silent = desk.monotonic() - self._sent_at >= frames.SILENCE_SECONDS
        if changed or closes or self._is_full_due or is_silent or is_stale != self._was_stale:
            self._publish(changed, closes, is_stale=is_stale)

    def _publish(self, changed: list[Entry], closes: list[Entry], *, is_stale: bool) -> None:
        self._seq += 1
        frame = self._frame(changed, closes, is_stale=is_stale)
        rows = {e.number: frames.row(e.price, e.close, e.at_ns) for e in (*changed, *closes)}
        try:
            publishing.publish(realtime.connection(), frame, rows.items())
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
        self._sent_at, self._was_stale = self._desk.monotonic(), is_stale
        return None

    def _frame(self, changed: list[Entry], closes: list[Entry], *, is_stale: bool) -> Frame:
        times = [entry.at_ns for entry in changed]
        self._as_of_ns = max([self._as_of_ns, *times])
        return Frame(
            epoch=self._epoch,
            seq=self._seq,
            as_of_ns=self._as_of_ns,
            sent_ms=nanoseconds(self._desk.clock()) // 1_000_000,
            is_stale=is_stale,
            is_full=self._is_full_due,
            numbers=np.array([entry.number for entry in changed], dtype="<u4"),
            prices=np.array([entry.price for entry in changed], dtype="<i8"),
            times=np.array(times, dtype="<i8"),
            close_numbers=np.array([entry.number for entry in closes], dtype="<u4"),
            closes=np.array([entry.close for entry in closes], dtype="<i8"),
        )
