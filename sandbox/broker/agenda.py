"""What the broker will do later, on the simulated clock."""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.clock import SimClock

Step = Callable[[datetime], None]

logger = logging.getLogger("sandbox.broker")


class Agenda:
    """
    A queue of steps by the time they fall due.

    A step is told when it was due, not when it ran; so after a jump of the clock, a chain of
    steps still has its natural times.
    """

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._steps: list[tuple[datetime, int, Step]] = []
        self._numbers = itertools.count()
        self._sooner = asyncio.Event()

    def add(self, due: datetime, step: Step) -> None:
        """Do this step once its time has come."""
        entry = (due, next(self._numbers), step)
        heapq.heappush(self._steps, entry)
        if self._steps[0] is entry:
            self._sooner.set()

    def clear(self) -> None:
        """Do nothing of what was planned."""
        self._steps.clear()

    def run_due(self) -> None:
        """Do every step that has fallen due, and those that they in turn make due."""
        while self._steps and self._steps[0][0] <= self._clock.now():
            due, _, step = heapq.heappop(self._steps)
            try:
                step(due)
            except Exception:
                logger.exception("a planned step of the broker failed")

    async def run(self) -> None:
        """Keep doing what falls due."""
        while True:
            self._sooner.clear()
            self.run_due()
            await self._wait()

    async def _wait(self) -> None:
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._sooner.wait())]
        if self._steps:
            left = (self._steps[0][0] - self._clock.now()).total_seconds()
            waits.append(asyncio.create_task(self._clock.sleep(max(left, 0))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
