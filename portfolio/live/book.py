"""The prices a process knows, as vectors indexed by instrument number."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.facts import Snapshot
from market.frames import NO_EPOCH, Epoch, Frame
from market.price_book import nanoseconds, to_nanos

NANOS: Final = 1e9
_FIRST_WIDTH: Final = 1024


@dataclass(frozen=True)
class Stamp:
    """Which frame a value was made from."""

    seq: int
    epoch: Epoch
    as_of: datetime | None
    is_stale: bool


class MissedFrame(Exception):
    """The frame does not continue what is known; read the whole of it again."""


class PriceVectors:
    """
    Last prices and previous closes. Zero stands for "not known".

    `version` grows when what is known changes, rather than what it costs: a price or close that
    appeared, and any close that moved.
    """

    def __init__(self) -> None:
        self.epoch = NO_EPOCH
        self.seq = 0
        self.as_of_ns = 0
        self.is_stale = True
        self.version = 0
        self.nanos: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)
        self.times: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)
        self.prices: NDArray[np.float64] = np.zeros(_FIRST_WIDTH)
        self.closes: NDArray[np.float64] = np.zeros(_FIRST_WIDTH)

    @property
    def width(self) -> int:
        """How many instrument numbers fit."""
        return len(self.prices)

    @property
    def is_priced(self) -> NDArray[np.bool_]:
        """Mark the instruments whose price is known."""
        return self.nanos > 0

    @property
    def stamp(self) -> Stamp:
        """Say what a value made now is made from."""
        as_of = datetime.fromtimestamp(self.as_of_ns // 1000 / 1e6, tz=UTC)
        return Stamp(self.seq, self.epoch, as_of if self.as_of_ns else None, self.is_stale)

    def follow(self, frame: Frame) -> bool:
        """
        Apply the next frame; false when it is older than what is known.

        :raises MissedFrame: one before it was missed, or another publisher began.
        """
        if frame.is_full and frame.epoch >= self.epoch:
            self.replace(frame)
            return True
        if frame.epoch < self.epoch or (frame.epoch == self.epoch and frame.seq <= self.seq):
            return False
        if frame.epoch != self.epoch or frame.seq != self.seq + 1:
            raise MissedFrame
        self._apply(frame)
        return True

    def replace(self, frame: Frame) -> None:
        """
        Take over a frame that holds everything.

        A price that it lacks is kept: a publisher stops following what nobody wants for a while.
        """
        self._apply(frame)

    def make_room(self, number: int) -> None:
        """Let this instrument number fit."""
        if number < self.width:
            return
        width = max(self.width * 2, number + 1)
        for name in ("nanos", "times", "prices", "closes"):
            old = getattr(self, name)
            new = np.zeros(width, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self.version += 1

    def offer_close(self, number: int, close: float) -> None:
        """Use this previous close as long as no publisher has told one."""
        self.make_room(number)
        if close > 0 and not self.closes[number]:
            self.closes[number] = close
            self.version += 1

    def offer(self, number: int, asked: Snapshot) -> None:
        """Use an answer of the vendor for what no publisher has told."""
        nanos, at_ns = to_nanos(asked.last), nanoseconds(asked.last_at)
        self.offer_close(number, to_nanos(asked.previous_close) / NANOS)
        if nanos and at_ns and not self.nanos[number]:
            self.nanos[number], self.times[number] = nanos, at_ns
            self.prices[number] = nanos / NANOS
            self.version += 1

    def _apply(self, frame: Frame) -> None:
        numbers, close_numbers = frame.numbers, frame.close_numbers
        highest = max(
            int(numbers.max()) if len(numbers) else 0,
            int(close_numbers.max()) if len(close_numbers) else 0,
        )
        self.make_room(highest)
        if len(numbers):
            self._apply_prices(frame)
        if len(close_numbers):
            known = frame.closes > 0
            self.closes[close_numbers[known]] = frame.closes[known] / NANOS
            self.version += 1
        self.epoch, self.seq = frame.epoch, frame.seq
        self.as_of_ns = max(frame.as_of_ns, 0)
        self.is_stale = frame.is_stale

    def _apply_prices(self, frame: Frame) -> None:
        known = frame.prices > 0
        numbers, prices = frame.numbers[known], frame.prices[known]
        if not self.nanos[numbers].all():
            self.version += 1
        self.nanos[numbers] = prices
        self.times[numbers] = frame.times[known]
        self.prices[numbers] = prices / NANOS
