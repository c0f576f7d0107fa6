"""A run of tests ends in silence: nothing that one of them started still works."""

import threading
import time
from collections.abc import Iterator

import pytest

LISTEN_SECONDS = 0.3


@pytest.fixture(scope="session", autouse=True)
def nothing_spins() -> Iterator[None]:
    """Find a thread that a test left running in circles: it slows down all that come after it."""
    yield
    began = time.process_time()
    time.sleep(LISTEN_SECONDS)
    left = ", ".join(thread.name for thread in threading.enumerate())
    assert time.process_time() - began < LISTEN_SECONDS / 2, f"one of these spins: {left}"
