"""Open, high, low, close and volume of stretches of time, measured from the price path itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby

import numpy as np

from sandbox.paths import Floats, Ticks, Units, between_zero_and_one
from sandbox.sessions import NEW_YORK, Session, Sessions, midnight

# Extremes are looked for this often, and in long bars only so many times, so that ten years of
# daily bars take a second; a day's high may thus lie a little below the high of one of its minutes.
_SAMPLE_SECONDS = 20.0
_SAMPLES_PER_BAR = 72
_SAMPLES_AT_ONCE = 200_000
_MINUTE = 60
_SHARES_PER_TRADE = 90
_LIMITS = {"Min": 59, "Hour": 23, "Day": 1, "Week": 1, "Month": 12}
_SECONDS = {"Min": 60, "Hour": 3600}
_FRAME = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_SHORT = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar; `at` is when it begins."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    trade_count: int
    vwap: Decimal


@dataclass(frozen=True, slots=True)
class Timeframe:
    """How long a bar is, such as 5Min or 1Day."""

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Timeframe":
        """
        Read the vendor's notation.

        :raises ValueError: it is none of 1-59Min, 1-23Hour, 1Day, 1Week, 1-12Month.
        """
        match = _FRAME.fullmatch(text)
        if match is None:
            msg = f"invalid timeframe: {text}"
            raise ValueError(msg)
        unit = _SHORT.get(match[2], match[2])
        if not 1 <= int(match[1]) <= _LIMITS[unit]:
            msg = f"invalid timeframe: {text}"
            raise ValueError(msg)
        return cls(int(match[1]), unit)

    @property
    def seconds(self) -> int | None:
        """Its length, or None if it is made of days."""
        length = _SECONDS.get(self.unit)
        return None if length is None else length * self.amount


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of trading time that one bar measures, in seconds since 1970."""

    at: datetime
    begins: float
    ends: float
    step: float  # between the moments that are looked at


@dataclass(frozen=True, slots=True)
class Samples:
    """The moments to price for some windows; `firsts` tells where each window begins."""

    windows: list[Window]
    seconds: Floats
    firsts: Units


def day_window(session: Session, now: datetime) -> Window:
    """Give the part of a session that has happened."""
    opens, closes = session.open.timestamp(), session.close.timestamp()
    ends = min(closes, now.timestamp())
    return Window(session.begins_at, opens, ends, _step(closes - opens))


def intraday_windows(
    sessions: Sessions, seconds: int, start: datetime, end: datetime, now: datetime
) -> list[Window]:
    """
    Cut the sessions from `start` to `end` into windows.

    A minute bar is given once it is over; longer ones also while they grow.
    """
    windows = []
    first = start.astimezone(NEW_YORK).date()
    for session in sessions.stretches(first, end.astimezone(NEW_YORK).date()):
        opens, closes = session.open.timestamp(), session.close.timestamp()
        begins = max(opens // seconds, start.timestamp() // seconds) * seconds
        stops = min(closes, end.timestamp() + 1e-6, now.timestamp())
        while begins < stops:
            whole = Window(
                datetime.fromtimestamp(begins, UTC),
                max(begins, opens),
                min(begins + seconds, closes, now.timestamp()),
                _step(seconds),
            )
            is_over = begins + seconds <= now.timestamp()
            if whole.at >= start and (is_over or seconds > _MINUTE):
                windows.append(whole)
            begins += seconds
    return windows


def days_of(frame: Timeframe, start: datetime, end: datetime) -> tuple[date, date]:
    """Give the dates whose daily bars are needed for all bars that begin from `start` to `end`."""
    last = end.astimezone(NEW_YORK).date()
    if frame.unit == "Week":
        last += timedelta(days=6)
    if frame.unit == "Month":
        last += timedelta(days=31 * frame.amount)
    return start.astimezone(NEW_YORK).date(), last


def grouped(daily: list[Bar], frame: Timeframe) -> list[Bar]:
    """Merge daily bars into weeks or months, as the timeframe asks."""
    if frame.unit == "Day":
        return daily
    groups = groupby(daily, key=lambda bar: _group_begins(bar, frame))
    return [_merged(at, list(members)) for at, members in groups]


def sampled(windows: list[Window]) -> Iterator[Samples]:
    """Choose the moments to price, in portions that fit in memory."""
    chosen: list[Floats] = []
    taken: list[Window] = []
    count = 0
    for window in windows:
        moments = np.append(np.arange(window.begins, window.ends, window.step), window.ends)
        chosen.append(moments)
        taken.append(window)
        count += len(moments)
        if count >= _SAMPLES_AT_ONCE:
            yield _portion(taken, chosen)
            chosen, taken, count = [], [], 0
    if taken:
        yield _portion(taken, chosen)


def summed(samples: Samples, ticks: Ticks, shares_per_second: float, key: np.uint64) -> list[Bar]:
    """Make a bar of each window from the prices at its moments."""
    last, dollars = ticks.last, ticks.scale.dollars
    highs = np.maximum.reduceat(last, samples.firsts)
    lows = np.minimum.reduceat(last, samples.firsts)
    ends = np.append(samples.firsts[1:], len(last))
    means = np.add.reduceat(last, samples.firsts) / (ends - samples.firsts)
    begins = np.array([window.begins for window in samples.windows]).astype(np.int64)
    busy = 0.5 + between_zero_and_one(key, begins)
    made = []
    for n, window in enumerate(samples.windows):
        volume = max(1, round((window.ends - window.begins) * shares_per_second * busy[n]))
        made.append(
            Bar(
                at=window.at,
                open=dollars(last[samples.firsts[n]]),
                high=dollars(highs[n]),
                low=dollars(lows[n]),
                close=dollars(last[ends[n] - 1]),
                volume=volume,
                trade_count=max(1, volume // _SHARES_PER_TRADE),
                vwap=dollars(round(float(means[n]))),
            )
        )
    return made


def seconds_per_day(mode: str) -> float:
    """Give how long a day's average volume takes to trade."""
    return 86_400.0 if mode == "open" else 6.5 * 3600


def _step(seconds: float) -> float:
    return max(_SAMPLE_SECONDS, seconds / _SAMPLES_PER_BAR)


def _portion(windows: list[Window], chosen: list[Floats]) -> Samples:
    lengths = np.array([len(moments) for moments in chosen])
    firsts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    return Samples(windows, np.concatenate(chosen), firsts)


def _group_begins(bar: Bar, frame: Timeframe) -> datetime:
    day = bar.at.astimezone(NEW_YORK).date()
    if frame.unit == "Week":
        return midnight(day - timedelta(days=day.weekday()))
    month = (day.month - 1) // frame.amount * frame.amount + 1
    return midnight(date(day.year, month, 1))


def _merged(at: datetime, members: Iterable[Bar]) -> Bar:
    days = list(members)
    volume = sum(day.volume for day in days)
    turnover = sum((day.vwap * day.volume for day in days), Decimal(0))
    return Bar(
        at=at,
        open=days[0].open,
        high=max(day.high for day in days),
        low=min(day.low for day in days),
        close=days[-1].close,
        volume=volume,
        trade_count=sum(day.trade_count for day in days),
        vwap=(turnover / volume).quantize(Decimal("0.0001")),
    )
