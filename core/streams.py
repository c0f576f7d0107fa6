"""Long-running loops in Celery's `streams` worker: one leader each, a standby, and a clean stop."""

import fcntl
import math
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from django.db import OperationalError, close_old_connections

from core import leases, metrics

logger = structlog.get_logger()
_RETRY_SECONDS: Final = 0.5
_STEP_SECONDS: Final = 0.2

# Made before the pool forks, so that the parent's signal reaches every child.
_stopping = multiprocessing.Event()


@dataclass(frozen=True)
class Terms:
    """How long a lease lasts, how often its holder renews it, and how often a standby looks."""

    lease_seconds: float = 10.0
    renew_seconds: float = 3.0
    look_seconds: float = 0.4


def _nameless_file() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


# Made before the pool forks, too. A lock on it belongs to one process and goes with it, however
# that ends.
_standby_slot: Final = _nameless_file()


def ask_all_to_stop(**_: object) -> None:
    """End every stream of this worker; Celery's shutdown signal is connected to it."""
    _stopping.set()


def is_stopping() -> bool:
    """Say whether this worker has been asked to stop."""
    return _stopping.is_set()


class Stop:
    """Says whether a stream must end: the worker stops, or the lease was lost or has run out."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._good_until = math.inf

    def __bool__(self) -> bool:
        # A process that was asleep finds out by its own clock, before it asks or tells anybody.
        if time.monotonic() >= self._good_until:
            self._ended.set()
        return self._ended.is_set() or is_stopping()

    def set(self) -> None:
        self._ended.set()

    def is_good_until(self, moment: float) -> None:
        """Stop by itself at this moment of the monotonic clock, unless told of a later one."""
        self._good_until = moment

    def wait(self, seconds: float) -> bool:
        """Wait, at most this long, and say whether to stop."""
        until = time.monotonic() + seconds
        while not self and (left := until - time.monotonic()) > 0:
            self._ended.wait(min(_STEP_SECONDS, left))
        return bool(self)


def lead(
    name: str,
    work: Callable[[leases.Lease, Stop], None],
    *,
    terms: Terms | None = None,
    stand_by: Callable[[], None] | None = None,
) -> bool:
    """
    Run `work` while this process holds the lease `name`; false when another does.

    `work` gets the lease, whose fence later writes may carry, and a `Stop` to look at often. With
    `stand_by`, which is called again and again to keep warm, one process of each worker waits
    for the lease until it gets it or the worker stops; the others return at once, as all do
    without it.
    """
    terms = terms or Terms()
    asked_at, lease = _acquire(name, terms)
    if lease is None and stand_by is not None:
        asked_at, lease = _wait_for(name, terms, stand_by)
    if lease is None:
        return False
    stop = Stop()
    stop.is_good_until(asked_at + terms.lease_seconds)
    _work(lease, work, stop, terms)
    return True


def _work(
    lease: leases.Lease, work: Callable[[leases.Lease, Stop], None], stop: Stop, terms: Terms
) -> None:
    stream = lease.name.removeprefix("stream.")
    logger.info("stream.leading", stream=stream, fence=lease.fence)
    metrics.LEADER_CHANGES.labels(stream).inc()
    renewal = threading.Thread(target=_keep, args=(lease, stop, terms), daemon=True)
    renewal.start()
    try:
        work(lease, stop)
    finally:
        stop.set()
        renewal.join(timeout=terms.renew_seconds)
        _release(lease)
        logger.info("stream.left", stream=stream, fence=lease.fence)


def _acquire(name: str, terms: Terms) -> tuple[float, leases.Lease | None]:
    """Ask for the lease, and note when: it may not be ours for longer than from then on."""
    asked_at = time.monotonic()
    lease = leases.acquire(f"stream.{name}", seconds=terms.lease_seconds)
    close_old_connections()
    return asked_at, lease


def _release(lease: leases.Lease) -> None:
    try:
        leases.release(lease)
    except OperationalError:
        logger.warning("stream.lease_unreachable", stream=lease.name)  # it runs out by itself
    finally:
        close_old_connections()


def _keep(lease: leases.Lease, stop: Stop, terms: Terms) -> None:
    """Renew until told to stop; a database out of reach is asked again for as long as it lasts."""
    pause = terms.renew_seconds
    while not stop.wait(pause):
        asked_at = time.monotonic()
        try:
            if not leases.renew(lease, seconds=terms.lease_seconds):
                logger.warning("stream.lease_lost", stream=lease.name, fence=lease.fence)
                return stop.set()
        except OperationalError:
            logger.warning("stream.lease_unreachable", stream=lease.name)
            pause = _RETRY_SECONDS
        else:
            stop.is_good_until(asked_at + terms.lease_seconds)
            pause = terms.renew_seconds
        finally:
            close_old_connections()
    return None


def _wait_for(
    name: str, terms: Terms, stand_by: Callable[[], None]
) -> tuple[float, leases.Lease | None]:
    """Look at the lease until we get it; nothing if the worker stops, or another waits already."""
    asked_at, lease = 0.0, None
    with _one_standby() as is_ours:
        if is_ours:
            logger.info("stream.standing_by", stream=name)
        waiting = Stop()
        is_reachable = True
        while is_ours and lease is None and not waiting:
            stand_by()
            waiting.wait(terms.look_seconds)
            try:
                if not waiting and not leases.is_held(f"stream.{name}"):
                    asked_at, lease = _acquire(name, terms)
                is_reachable = True
            except OperationalError:
                if is_reachable:
                    logger.warning("stream.lease_unreachable", stream=name)
                is_reachable = False
            finally:
                close_old_connections()
    return asked_at, lease


@contextmanager
def _one_standby() -> Iterator[bool]:
    """Hold this worker's only place for a standby, or say that it is taken."""
    try:
        fcntl.lockf(_standby_slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(_standby_slot, fcntl.LOCK_UN)


@contextmanager
def closing_when(stop: Stop, close: Callable[[], None]) -> Iterator[None]:
    """Call `close` from another thread once `stop` is set, to wake a blocking read inside."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_STEP_SECONDS):
            if stop:
                close()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
