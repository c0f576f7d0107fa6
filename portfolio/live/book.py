"""The prices a process knows, as vectors indexed by instrument number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from market.facts import Snapshot
from market.frames import NO_EPOCH, STALE, Epoch, Frame
from market.nanos import moment, nanoseconds, to_nanos

NANOS: Final = 1e9
_FIRST_WIDTH: Final = 1024
_VECTORS: Final = (
    "nanos", "times", "flags", "prices", "closes", "_moved_in", "_reset_in", "_flagged_in"
)  # fmt: skip
Numbers = NDArray[np.intp]


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
    Last prices, what is wrong with them, and previous closes. Zero stands for "not known".

    `version` grows with every change, and each instrument keeps the version at which it last
    changed, so that whoever remembers a version can ask what has changed since then. `stale` are
    the numbers of those whose price is; it is another object whenever it is another set.
    """

    def __init__(self) -> None:
        self.epoch = NO_EPOCH
        self.seq = 0
        self.day = 0  # whose previous closes these are, counted as in `market.days`
        self.as_of_ns = 0
        self.is_stale = True
        self.stale: frozenset[int] = frozenset()
        self.version = 0
        self.nanos: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)
        self.times: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)
        self.flags: NDArray[np.uint8] = np.zeros(_FIRST_WIDTH, dtype=np.uint8)
        self.prices: NDArray[np.float64] = np.zeros(_FIRST_WIDTH)
        self.closes: NDArray[np.float64] = np.zeros(_FIRST_WIDTH)
        self._moved_in: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)
        self._reset_in: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)
        self._flagged_in: NDArray[np.int64] = np.zeros(_FIRST_WIDTH, dtype=np.int64)

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
        as_of = moment(self.as_of_ns) if self.as_of_ns else None
        return Stamp(self.seq, self.epoch, as_of, self.is_stale)

    def moved_since(self, version: int) -> Numbers:
        """List the instruments whose price is another one than at that version."""
        return np.flatnonzero(self._moved_in > version)

    def reset_since(self, version: int) -> Numbers:
        """List those whose close moved, or of which a price became known."""
        return np.flatnonzero(self._reset_in > version)

    def flagged_since(self, version: int) -> Numbers:
        """List those of which something else is wrong now, or nothing any more."""
        return np.flatnonzero(self._flagged_in > version)

    def follow(self, frame: Frame) -> bool:
        """
        Apply the next frame; false when it is older than what is known.

        :raises MissedFrame: one before it was missed, or another publisher began.
        """
        if frame.epoch < self.epoch or (frame.epoch == self.epoch and frame.seq <= self.seq):
            return False  # a full one, too: the whole may have been read while it was on its way
        if frame.is_full:
            self.replace(frame)
            return True
        if frame.epoch != self.epoch or frame.seq != self.seq + 1:
            raise MissedFrame
        self._apply(frame)
        return True

    def replace(self, frame: Frame) -> None:
        """
        Take over a frame that holds everything.

        A price that it lacks is kept, but as a stale one: a publisher stops following what nobody
        wants for a while.
        """
        self._apply(frame)

    def make_room(self, number: int) -> None:
        """Let this instrument number fit."""
        if number < self.width:
            return
        width = max(self.width * 2, number + 1)
        for name in _VECTORS:
            old = getattr(self, name)
            new = np.zeros(width, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)

    def offer_close(self, number: int, close: float) -> None:
        """Use this previous close as long as no publisher has told one."""
        self.make_room(number)
        if close > 0 and not self.closes[number]:
            self.version += 1
            self.closes[number] = close
            self._reset_in[number] = self.version

    def offer(self, number: int, asked: Snapshot) -> None:
        """Use an answer of the vendor for what no publisher has told."""
        nanos, at_ns = to_nanos(asked.last), nanoseconds(asked.last_at)
        self.offer_close(number, to_nanos(asked.previous_close) / NANOS)
        if nanos and at_ns and not self.nanos[number]:
            self.nanos[number], self.times[number] = nanos, at_ns
            self.prices[number] = nanos / NANOS
            self.version += 1
            self._moved_in[number] = self._reset_in[number] = self.version

    def _apply(self, frame: Frame) -> None:
        numbers, close_numbers = frame.numbers, frame.close_numbers
        highest = max(
            int(numbers.max()) if len(numbers) else 0,
            int(close_numbers.max()) if len(close_numbers) else 0,
        )
        self.make_room(highest)
        self.version += 1
        if len(numbers):
            self._apply_prices(frame)
        if frame.is_full:
            self._note_lacking(frame)
        if frame.day:
            self._begin(frame.day)
        if len(close_numbers):
            self._apply_closes(frame)
        self.epoch, self.seq = frame.epoch, frame.seq
        self.as_of_ns = max(frame.as_of_ns, 0)
        self.is_stale = frame.is_stale

    def _begin(self, day: int) -> None:
        """Let no close of another day stay in force; the first frame of a day brings all."""
        if self.day not in {0, day}:
            self._reset_in[self.closes > 0] = self.version
            self.closes[:] = 0.0
        self.day = day

    def _apply_prices(self, frame: Frame) -> None:
        known = frame.prices > 0
        numbers, prices = frame.numbers[known], frame.prices[known]
        flags = frame.flags[known] if len(frame.flags) else np.zeros(len(numbers), dtype=np.uint8)
        before = self.nanos[numbers]
        self._moved_in[numbers[before != prices]] = self.version
        self._reset_in[numbers[before == 0]] = self.version
        self.nanos[numbers] = prices
        self.times[numbers] = frame.times[known]
        self.prices[numbers] = prices / NANOS
        self._flag(numbers, flags)

    def _note_lacking(self, frame: Frame) -> None:
        """Flag what is known, and not told though everything is."""
        is_lacking = (self.nanos > 0) & (self.flags & STALE == 0)
        is_lacking[frame.numbers[frame.prices > 0]] = False
        numbers = np.flatnonzero(is_lacking)
        self._flag(numbers, self.flags[numbers] | np.uint8(STALE))

    def _flag(self, numbers: NDArray[np.integer[Any]], flags: NDArray[np.uint8]) -> None:
        is_other = self.flags[numbers] != flags
        if is_other.any():
            self._flagged_in[numbers[is_other]] = self.version
            self.flags[numbers] = flags
            self.stale = frozenset(np.flatnonzero(self.flags & STALE).tolist())

    def _apply_closes(self, frame: Frame) -> None:
        known = frame.closes > 0
        numbers, closes = frame.close_numbers[known], frame.closes[known] / NANOS
        self._reset_in[numbers[self.closes[numbers] != closes]] = self.version
        self.closes[numbers] = closes
