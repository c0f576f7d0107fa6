"""Long-running loops in Celery's `streams` worker: one leader each, and a clean stop."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from django.db import OperationalError, close_old_connections

from core import leases

logger = structlog.get_logger()
LEASE_SECONDS = 10.0
RENEW_SECONDS = 3.0

# Made before the pool forks, so that the parent's signal reaches every child.
_stopping = multiprocessing.Event()


def ask_all_to_stop(**_: object) -> None:
    """End every stream of this worker; Celery's shutdown signal is connected to it."""
    _stopping.set()


def is_stopping() -> bool:
    """Say whether this worker has been asked to stop."""
    return _stopping.is_set()


class Stop:
    """Says whether a stream must end, because the worker stops or the lease was lost."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def __bool__(self) -> bool:
        return self._ended.is_set() or is_stopping()

    def set(self) -> None:
        self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Wait, at most this long, and say whether to stop."""
        deadline = threading.Event()
        step = 0.2
        waited = 0.0
        while not self and waited < seconds:
            deadline.wait(min(step, seconds - waited))
            waited += step
        return bool(self)


def lead(name: str, work: Callable[[leases.Lease, Stop], None]) -> bool:
    """
    Run `work` while this process holds the lease `name`; return at once when another does.

    `work` gets the lease, whose fence later writes may carry, and a `Stop` to look at often.
    """
    lease = leases.acquire(f"stream.{name}", seconds=LEASE_SECONDS)
    close_old_connections()
    if lease is None:
        return False
    logger.info("stream.leading", stream=name, fence=lease.fence)
    stop = Stop()
    renewal = threading.Thread(target=_keep, args=(lease, stop), daemon=True)
    renewal.start()
    try:
        work(lease, stop)
    finally:
        stop.set()
        renewal.join(timeout=RENEW_SECONDS)
        leases.release(lease)
        close_old_connections()
        logger.info("stream.left", stream=name, fence=lease.fence)
    return True


def _keep(lease: leases.Lease, stop: Stop) -> None:
    """Renew until told to stop; a lost lease, or a database out of reach, stops the work."""
    while not stop.wait(RENEW_SECONDS):
        try:
            if not leases.renew(lease, seconds=LEASE_SECONDS):
                stop.set()
        except OperationalError:
            logger.warning("stream.lease_unreachable", stream=lease.name)
            stop.set()
        finally:
            close_old_connections()


@contextmanager
def closing_when(stop: Stop, close: Callable[[], None]) -> Iterator[None]:
    """Call `close` from another thread once `stop` is set, to wake a blocking read inside."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            if stop:
                close()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
