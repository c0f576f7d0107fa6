"""
The price leader: holds the vendor's socket, judges prices, publishes a frame every 100 ms.

Three threads share one price book. The calling one reads the socket, a second one publishes at a
steady pace whatever the first is waiting for, and a third asks by REST.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import redis
import structlog
from django.conf import settings
from django.db import close_old_connections

from core import realtime
from core.errors import VendorError, VendorRejected, VendorUnavailable
from core.leases import Lease
from core.streams import Stop
from market import frames, gateways, halts
from market.asking import Asker
from market.desk import Desk
from market.facts import Corrected, Covered, Halted, News, Refused, Trade
from market.gateways import OpenStream
from market.ticking import Ticker

logger = structlog.get_logger()
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 8.0
_PAUSE_WHEN_REJECTED_SECONDS: Final = 30.0
_READ_SECONDS: Final = 0.2
_READY_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 3.0


def follow(lease: Lease, stop: Stop, *, desk: Desk | None = None) -> None:
    """Follow and publish prices until told to stop; `core.streams.lead` calls this."""
    desk = desk or Desk()

    def publish(stop: Stop) -> None:
        desk.ready.wait(_READY_SECONDS)
        _restore(desk)
        Ticker(desk, lease).run(stop)

    with _thread(Asker(desk).run, stop), _thread(publish, stop):
        _Reader(desk).run(stop)


def _restore(desk: Desk) -> None:
    """Fill gaps with what an earlier leader has published, so that no value drops meanwhile."""
    try:
        earlier = frames.decode_snapshot(realtime.connection().hgetall(frames.SNAPSHOT_KEY))
    except (redis.RedisError, frames.NotAFrame) as error:
        logger.warning("prices.not_restored", error=type(error).__name__)
        return
    if earlier is None:
        return
    rows = zip(
        earlier.prices.tolist(), earlier.times.tolist(), earlier.closes.tolist(), strict=True
    )
    by_number = dict(zip(earlier.numbers.tolist(), rows, strict=True))
    with desk.lock:
        for symbol in desk.wanted:
            found = by_number.get(desk.book.number_of(symbol))
            if found is not None:
                price, at_ns, close = found
                desk.book.restore(symbol, price=price, at_ns=at_ns, close=close)


class _Reader:
    """Keeps one connection to the vendor's socket, or a pause between two."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pause = _FIRST_PAUSE_SECONDS
        self._refusals: set[int] = set()

    def run(self, stop: Stop) -> None:
        self._desk.ready.wait(_READY_SECONDS)
        while not stop:
            try:
                with gateways.get().stream.open() as opened:
                    self._read(opened, stop)
            except VendorRejected as error:
                logger.warning("prices.rejected", vendor_code=error.vendor_code)
                self._pause = _PAUSE_WHEN_REJECTED_SECONDS
            except VendorError as error:
                logger.warning("prices.disconnected", vendor_code=error.vendor_code)
            self._desk.covered = frozenset()
            # Half of it by chance, so that several deployments do not come back in step.
            stop.wait(self._pause * (0.5 + random.random() / 2))  # noqa: S311 - no secret
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    def _read(self, opened: OpenStream, stop: Stop) -> None:
        desk = self._desk
        asked: frozenset[str] = frozenset()
        opened_at = desk.monotonic()
        while not stop:
            if desk.wanted != asked:
                asked = desk.wanted
                opened.cover(asked)
            news = opened.read(timeout_seconds=_READ_SECONDS)
            if news:
                self._take(news)
            silence = desk.monotonic() - max(desk.heard_at, opened_at)
            if silence > settings.FEED_STALE_SECONDS and desk.is_in_session():
                raise VendorUnavailable("alpaca-stream", "The price socket is silent.")

    def _take(self, news: Sequence[News]) -> None:
        desk = self._desk
        trades = [item for item in news if type(item) is Trade]
        if trades:
            with desk.lock:
                desk.book.offer(trades, now_ns=desk.vendor_now_ns())
            desk.heard()
            self._pause = _FIRST_PAUSE_SECONDS
        if len(trades) == len(news):
            return
        for item in news:
            if isinstance(item, Corrected):
                with desk.lock:
                    desk.corrected |= {item.symbol}
            elif isinstance(item, Halted):
                halts.note(item)
            elif isinstance(item, Covered):
                desk.covered = item.symbols
            elif isinstance(item, Refused):
                self._note_refusal(item.code)

    def _note_refusal(self, code: int) -> None:
        """Say it once: symbols that the socket does not send are asked for by REST."""
        if code not in self._refusals:
            self._refusals.add(code)
            logger.error("prices.subscription_refused", code=code)


@contextmanager
def _thread(work: Callable[[Stop], None], stop: Stop) -> Iterator[None]:
    """Run work beside the block, and end both when either ends."""

    def run() -> None:
        try:
            work(stop)
        except Exception:
            logger.exception("prices.thread_failed")
        finally:
            stop.set()
            close_old_connections()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=_JOIN_SECONDS)
