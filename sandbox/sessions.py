"""When the pretend market is open: always, or as the New York exchanges are."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
# Where the vendor's days of coins begin and end.
CHICAGO = ZoneInfo("America/Chicago")

_ONE_DAY = timedelta(days=1)
_OPENS = time(9, 30)
_CLOSES = time(16, 0)
_CLOSES_EARLY = time(13, 0)
# A day that never ends still needs a closing time on the same date in the broker's calendar.
_NEARLY_MIDNIGHT = time(23, 59)
_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day; both moments are aware and in the time of where its market is."""

    date: date
    open: datetime
    close: datetime

    @property
    def begins_at(self) -> datetime:
        """The midnight with which its date begins; a daily bar carries it."""
        return midnight(self.date, at=self.open.tzinfo)


class Sessions:
    """The calendar of one market mode: "open" trades around the clock, "real" as the exchanges."""

    def __init__(self, mode: str = "open") -> None:
        if mode not in {"open", "real"}:
            msg = f"the market mode is either open or real, not {mode}"
            raise ValueError(msg)
        self.mode = mode

    def on(self, day: date) -> Session | None:
        """Give the session of a date, if there is one."""
        if self.mode == "open":
            return _session(day, time(0), _NEARLY_MIDNIGHT)
        return _exchange_session(day)

    def between(self, start: date, end: date) -> list[Session]:
        """List the sessions of all dates from `start` to `end`, both included."""
        days = (start + timedelta(days=n) for n in range((end - start).days + 1))
        return [session for day in days if (session := self.on(day)) is not None]

    def stretches(self, start: date, end: date) -> list[Session]:
        """List the stretches of unbroken trading in which these dates lie."""
        return self.between(start, end)

    def is_open(self, at: datetime) -> bool:
        """Say whether orders can fill at that moment."""
        if self.mode == "open":
            return True
        session = self.on(at.astimezone(NEW_YORK).date())
        return session is not None and session.open <= at < session.close

    def started(self, at: datetime) -> Session:
        """Give the session that began last: the trading day that `at` belongs to."""
        day = at.astimezone(NEW_YORK).date()
        session = self.on(day)
        return session if session is not None and session.open <= at else self.before(day)

    def before(self, day: date) -> Session:
        """Give the last session on an earlier date."""
        while True:
            day -= _ONE_DAY
            if (session := self.on(day)) is not None:
                return session

    def after(self, day: date) -> Session:
        """Give the first session on a later date."""
        while True:
            day += _ONE_DAY
            if (session := self.on(day)) is not None:
                return session

    def next_open(self, at: datetime) -> datetime:
        """Give the first opening after that moment."""
        day = at.astimezone(NEW_YORK).date()
        session = self.on(day)
        return session.open if session and session.open > at else self.after(day).open

    def next_close(self, at: datetime) -> datetime:
        """Give the first closing after that moment."""
        day = at.astimezone(NEW_YORK).date()
        session = self.on(day)
        return session.close if session and session.close > at else self.after(day).close

    def trading_moment(self, at: datetime) -> datetime:
        """Give the moment whose prices are current: `at` itself or the last close before it."""
        if self.is_open(at):
            return at
        session = self.started(at)
        return min(at, session.close.astimezone(UTC))


class CoinDays(Sessions):
    """The days of coins: one follows on the other without a break, weekends and holidays too."""

    def on(self, day: date) -> Session:
        """Give the day, from midnight to midnight."""
        return Session(day, midnight(day, at=CHICAGO), midnight(day + _ONE_DAY, at=CHICAGO))

    def stretches(self, start: date, end: date) -> list[Session]:
        """Give the one stretch that these dates lie in, by the calendar of New York too."""
        return [Session(start, self.on(start - _ONE_DAY).open, self.on(end).close)]


def midnight(day: date, *, at: tzinfo | None = NEW_YORK) -> datetime:
    """Give the moment a date begins, in New York unless it is said where."""
    return datetime.combine(day, time(0), tzinfo=at)


def _session(day: date, opens: time, closes: time) -> Session:
    return Session(
        day,
        datetime.combine(day, opens, tzinfo=NEW_YORK),
        datetime.combine(day, closes, tzinfo=NEW_YORK),
    )


@lru_cache(maxsize=8192)
def _exchange_session(day: date) -> Session | None:
    if day.weekday() >= _SATURDAY or day in holidays(day.year):
        return None
    closes = _CLOSES_EARLY if day in _early_closes(day.year) else _CLOSES
    return _session(day, _OPENS, closes)


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """List the weekdays of a year on which the New York exchanges stay closed."""
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= 2022:  # noqa: PLR2004 - the first year it was kept
        fixed.append(date(year, 6, 19))
    days = {_observed(day) for day in fixed}
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # never moved to the year before
        days.add(_observed(new_year))
    days |= {
        _nth_monday(year, 1, 3),
        _nth_monday(year, 2, 3),
        _easter(year) - timedelta(days=2),
        _nth_monday(year, 6, 1) - timedelta(days=7),
        _nth_monday(year, 9, 1),
        _thanksgiving(year),
    }
    return frozenset(days)


@lru_cache(maxsize=64)
def _early_closes(year: int) -> frozenset[date]:
    return frozenset({_thanksgiving(year) + _ONE_DAY, date(year, 7, 3), date(year, 12, 24)})


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - _ONE_DAY
    return day + _ONE_DAY if day.weekday() == _SUNDAY else day


def _nth_monday(year: int, month: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (n - 1))


def _thanksgiving(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 21)


def _easter(year: int) -> date:
    """Find Easter Sunday by the anonymous Gregorian rule."""
    century, of_century = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    moon_shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * (year % 19) + century - leap_centuries - moon_shift + 15) % 30
    leap_years, year_rest = divmod(of_century, 4)
    weekday = (32 + 2 * century_rest + 2 * leap_years - epact - year_rest) % 7
    correction = (year % 19 + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)
