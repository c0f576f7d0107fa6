"""
Prices from a person's own files: `SYMBOL.csv` with date or time, open, high, low, close, volume.

A bar is walked open, then its extremes, then close. Without a chosen start, a long recording is
moved by whole weeks so that its last week is going on now, with hours and weekdays as they were;
one shorter than a week begins at its beginning.
"""

import csv
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from sandbox.assets import Asset, joined
from sandbox.paths import Floats, Scale, Ticks, around, liquidity_of, scale_of
from sandbox.sessions import NEW_YORK

_WEEK = timedelta(weeks=1).total_seconds()
_SESSION = timedelta(hours=6, minutes=30).total_seconds()
_OPENS = time(9, 30)
_TIME_COLUMNS = ("time", "timestamp", "datetime", "date", "t")
_TICK_SECONDS = 0.25

Recording = tuple[Floats, Floats]  # the moments, and the price at each


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Where the recordings are, the recorded moment to begin at, and how fast to play them."""

    directory: Path
    starts_at: datetime | None = None
    speed: float = 1.0

    def path_of(self, asset: Asset, *, now: datetime) -> "ReplayPath | None":
        """Give the recorded path of an asset, if there is a file for it."""
        file = self.directory / f"{joined(asset.symbol)}.csv"
        if not file.is_file():
            return None
        recording = _points(_read(file))
        since = now.timestamp()
        begins = _usual_start(recording, since)
        if self.starts_at is not None:
            begins = self.starts_at.timestamp()
        _, spread = liquidity_of(asset)
        replayed = Replayed(since, begins, self.speed)
        return ReplayPath(recording, replayed, spread, scale_of(asset))


class ReplayPath:
    """The recorded prices of one symbol; before and after the recording they stand still."""

    tick_seconds = _TICK_SECONDS

    def __init__(
        self, recording: Recording, replayed: "Replayed", spread: float, scale: Scale
    ) -> None:
        self._recording, self._replayed = recording, replayed
        self._spread, self._scale = spread, scale

    def ticks(self, seconds: Floats) -> Ticks:
        """Give the prices at these moments."""
        at_tick = np.floor(seconds / self.tick_seconds) * self.tick_seconds
        recorded = self._replayed.begins + (at_tick - self._replayed.since) * self._replayed.speed
        middle = np.interp(recorded, *self._recording)
        return around(middle, None, self._spread, scale=self._scale)


@dataclass(frozen=True, slots=True)
class Replayed:
    """The recorded moment `begins` plays at the moment `since`, the rest `speed` times as fast."""

    since: float
    begins: float
    speed: float


@dataclass(frozen=True, slots=True)
class _Recorded:
    begins: float
    seconds: float | None  # None: until the next one begins
    open: float
    high: float
    low: float
    close: float


def _read(file: Path) -> list[_Recorded]:
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [{k.strip().lower(): v for k, v in row.items()} for row in csv.DictReader(lines)]
    if not rows:
        msg = f"{file.name} holds no bars"
        raise ValueError(msg)
    column = next((name for name in _TIME_COLUMNS if name in rows[0]), None)
    if column is None:
        msg = f"{file.name} has no date or time column"
        raise ValueError(msg)
    recorded = []
    for row in rows:
        begins, seconds = _moment(row[column])
        prices = (float(row[name]) for name in ("open", "high", "low", "close"))
        recorded.append(_Recorded(begins, seconds, *prices))
    return sorted(recorded, key=lambda bar: bar.begins)


def _moment(text: str) -> tuple[float, float | None]:
    text = text.strip()
    if len(text) == len("2026-01-05"):
        opens = datetime.combine(date.fromisoformat(text), _OPENS, tzinfo=NEW_YORK)
        return opens.timestamp(), _SESSION
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=NEW_YORK)
    return moment.astimezone(UTC).timestamp(), None


def _usual_start(recording: Recording, now: float) -> float:
    first, last = float(recording[0][0]), float(recording[0][-1])
    if last - first < _WEEK:
        return first
    return now - math.ceil((now - last) / _WEEK) * _WEEK


def _points(bars: list[_Recorded]) -> Recording:
    gaps = [after.begins - bar.begins for bar, after in pairwise(bars)]
    usual = min(gaps, default=_SESSION)
    gaps.append(bars[-1].seconds or usual)
    moments: list[float] = []
    prices: list[float] = []
    for bar, gap in zip(bars, gaps, strict=True):
        lasts = min(bar.seconds or usual, gap)
        extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        # The close holds until just before the next bar, whatever the night or weekend between.
        for share, price in zip((0.0, 1 / 3, 2 / 3), (bar.open, *extremes), strict=True):
            moments.append(bar.begins + share * lasts)
            prices.append(price)
        moments += [bar.begins + 0.99 * lasts, bar.begins + gap - 0.01 * lasts]
        prices += [bar.close, bar.close]
    return np.array(moments), np.array(prices)
