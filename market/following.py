"""
The price leader: holds the vendor's sockets, judges prices, publishes a frame every 100 ms.

Its threads share one price book, and none waits for what another waits for: one reads each socket,
one publishes at a steady pace, two ask the vendor by REST, one learns what is wanted, one writes
halts down, and one reports. When one of them fails all end, and the next leader begins anew.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import redis
import structlog
from django.db import close_old_connections

from core import realtime, streams
from core.leases import Lease
from core.streams import Stop, Terms
from market import days, frames, gateways, halts
from market.asking import Asker, BrokerAsker
from market.collecting import Collector
from market.desk import Desk
from market.frames import STALE, Frame
from market.gateways import PriceStream
from market.nanos import NANOS, UNKNOWN, nanoseconds
from market.reading import Reader
from market.reporting import Reporter
from market.ticking import Ticker

logger = structlog.get_logger()
STREAM: Final = "prices"
# A leader that is killed is followed by its standby when its lease has run out.
TERMS: Final = Terms(lease_seconds=4.0, renew_seconds=1.0, look_seconds=0.3)
_READY_SECONDS: Final = 5.0
_TIMED_SECONDS: Final = 0.5
_JOIN_SECONDS: Final = 1.0


def lead() -> bool:
    """Follow prices while this process leads; see `core.streams.lead` for the standby."""
    desk = Desk()
    collector = Collector(desk)

    def keep_warm() -> None:
        """Have everything at hand that can be had without the vendor."""
        gateways.get()
        collector.round()

    def work(lease: Lease, stop: Stop) -> None:
        follow(lease, stop, desk=desk, collector=collector)

    return streams.lead(STREAM, work, terms=TERMS, stand_by=keep_warm)


def follow(
    lease: Lease, stop: Stop, *, desk: Desk | None = None, collector: Collector | None = None
) -> None:
    """Follow and publish prices until told to stop."""
    desk = desk or Desk()
    collector = collector or Collector(desk)
    works = (
        collector.run,
        BrokerAsker(desk).run,
        Asker(desk).run,
        lambda stop: _publish(desk, lease, stop),
        lambda stop: halts.write(desk.halts, stop),
        Reporter(desk).run,
        Reader(desk, desk.stocks, _stocks).run,
        Reader(desk, desk.coins, _coins).run,
    )
    with _threads(works, stop):
        while not stop.wait(_READY_SECONDS):
            continue


def _stocks() -> PriceStream:
    return gateways.get().stream


def _coins() -> PriceStream | None:
    return gateways.get().coin_stream


def _publish(desk: Desk, lease: Lease, stop: Stop) -> None:
    """Publish at once what an earlier leader knew, or else as soon as prices are known."""
    _wait_for(desk.is_known, stop)
    if _restore(desk):
        # While nobody knows whether anything trades, a silent socket counts as a dead one.
        _wait_for(desk.is_timed, stop, seconds=_TIMED_SECONDS)
    else:
        _wait_for(desk.is_ready, stop)
    Ticker(desk, lease).run(stop)


def _wait_for(event: threading.Event, stop: Stop, *, seconds: float = _READY_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not (stop or event.wait(0.05)) and time.monotonic() < until:
        continue


def _restore(desk: Desk) -> bool:
    """Fill gaps with what an earlier leader has published, so that no value drops meanwhile."""
    with desk.lock:
        numbers = {symbol: desk.book.number_of(symbol) for symbol in desk.wanted}
    try:
        head, found = _published([number for number in numbers.values() if number is not None])
    except (redis.RedisError, frames.NotAFrame) as error:
        logger.warning("prices.not_restored", error=type(error).__name__)
        return False
    day, kept_ns = head.day, head.sent_ms * NANOS // 1000
    live = {s for s, n in numbers.items() if n in found and _is_live(found[n])}
    for feed in desk.feeds:
        if live & feed.wanted:  # what was heard then counts for a moment, as when a socket is lost
            desk.heard(feed, ago=(nanoseconds(desk.clock()) - kept_ns) / NANOS)
    with desk.lock:
        if desk.day is None and day:
            desk.day = days.date_of(day)
        # A close is nothing without its day: it would be taken for that of today.
        are_closes_good = desk.day is not None and days.number_of(desk.day) == day
        for symbol, number in numbers.items():
            if number in found:
                row = found[number] if are_closes_good else found[number]._replace(close=UNKNOWN)
                desk.book.restore(symbol, **row._asdict(), kept_ns=kept_ns)
    return bool(found)


def _is_live(row: frames.Row) -> bool:
    return bool(row.price) and not row.flags & STALE


def _published(numbers: Sequence[int]) -> tuple[Frame, dict[int, frames.Row]]:
    """Read the rows of these, and the head of the last frame."""
    fields = [frames.HEAD_FIELD, *(str(number).encode() for number in numbers)]
    head, *rows = cast("list[Any]", realtime.connection().hmget(frames.SNAPSHOT_KEY, fields))
    if head is None:
        return Frame(frames.NO_EPOCH, 0, as_of_ns=0, sent_ms=0), {}
    found = zip(numbers, rows, strict=True)
    return frames.decode(head), {n: frames.read_row(data) for n, data in found if data}


@contextmanager
def _threads(works: Sequence[Callable[[Stop], None]], stop: Stop) -> Iterator[None]:
    """Do all of these beside the block, and end everything when one of them or the block ends."""

    def run(work: Callable[[Stop], None]) -> None:
        try:
            work(stop)
        except Exception:
            logger.exception("prices.thread_failed")
        finally:
            stop.set()
            close_old_connections()

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        # One that still waits for a vendor is left behind: it looks at `stop` before it acts.
        until = time.monotonic() + _JOIN_SECONDS
        for thread in threads:
            thread.join(timeout=max(until - time.monotonic(), 0))
