"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import Any


def until(is_so: Callable[[], Any], seconds: float = 60) -> Any:
    """Ask until the answer is truthy, and give it."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        answer = is_so()
        if answer:
            return answer
        time.sleep(0.25)
    raise AssertionError(f"not so within {seconds} s")
