"""Contestants that do the same in turns, so that a slow moment of the machine meets all alike."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Ask = Callable[[], object]


@dataclass
class Contestant:
    """One way to have something done, and how long each time took, in nanoseconds."""

    name: str
    ask: Ask
    taken: list[int] = field(default_factory=list)

    def run(self, tries: int) -> None:
        """Do it so often and note each time."""
        for _ in range(tries):
            started = time.perf_counter_ns()
            self.ask()
            self.taken.append(time.perf_counter_ns() - started)

    def micros(self, percent: float) -> float:
        """Return a percentile in microseconds."""
        return float(np.percentile(self.taken, percent)) / 1000

    def millis(self, percent: float) -> float:
        """Return a percentile in milliseconds."""
        return self.micros(percent) / 1000


def compete(contestants: list[Contestant], *, tries: int, rounds: int, warm_up: int) -> None:
    """Let each have its turns after `warm_up` tries that do not count."""
    for one in contestants:
        one.run(warm_up)
        one.taken.clear()
    gc.collect()
    for _ in range(rounds):
        for one in contestants:
            one.run(tries // rounds)
