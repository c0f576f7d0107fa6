"""A clock for windows that a test moves, and many who ask at once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import limits.storage.redis
import pytest

from core import rate_limits


class Clock:
    """The time as windows see it: it stands still until a test moves it."""

    def __init__(self):
        self.passed = 0.0
        self._began = time.time()

    def time(self):
        return self._began + self.passed

    def monotonic(self):
        return self.passed


@contextmanager
def still_clock() -> Iterator[Clock]:
    """Let no window move by itself, however long the test takes."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for module in (rate_limits, limits.storage.redis):
            patch.setattr(module, "time", clock)
        yield clock


def in_threads(ask, *, times, threads=32):
    """Start all threads at once; return how often each status came."""
    start = threading.Barrier(threads)

    def run(number):
        start.wait()
        return [ask(index).status_code for index in range(number, times, threads)]

    with ThreadPoolExecutor(threads) as pool:
        codes = [code for part in pool.map(run, range(threads)) for code in part]
    return {code: codes.count(code) for code in codes}
