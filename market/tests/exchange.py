"""A market that keeps the hours of the exchanges, at whatever moment a test says it is."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from core import realtime
from market import frames, gateways, selectors, trading_days
from market.facts import Session, new_york_date
from market.tests import factories

# Days on which no exchange trades, and those on which it ends early, from the winter of 2024.
CLOSED = {
    date(2024, 12, 25),
    date(2025, 1, 1),
    date(2025, 1, 20),
    date(2026, 4, 3),  # Good Friday
    date(2026, 11, 26),  # Thanksgiving
}
SHORT = {date(2026, 11, 27)}


@dataclass
class Exchange(factories.FakeBroker):
    """The broker's clock and calendar; `surprises` are days off that no calendar has told."""

    now: datetime = datetime(2026, 3, 6, 20, tzinfo=UTC)
    surprises: set = field(default_factory=set)

    def session(self):
        day = self._day(new_york_date(self.now))
        is_open = day is not None and day.opens_at <= self.now < day.closes_at
        changes_at = day.closes_at if is_open else self._next_open()
        return Session(asked_at=self.now, is_open=is_open, changes_at=changes_at)

    def _day(self, on):
        return None if on in self.surprises else self.days.get(on)

    def _next_open(self):
        day = new_york_date(self.now)
        while (found := self._day(day)) is None or found.opens_at <= self.now:
            day += timedelta(days=1)
        return found.opens_at


@dataclass
class Market:
    """What a test moves: the time, and the price of the only symbol."""

    exchange: Exchange
    data: factories.FakeData
    symbol: str = "AAPL"

    @property
    def now(self):
        return self.exchange.now

    def go_to(self, moment, *, price=None):
        """Let it be that moment; what is asked for then has just been traded, if it is open."""
        self.exchange.now = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        selectors._session.clear()
        found = self.data.found[self.symbol]
        last = found.last if price is None else Decimal(price)
        at = self.exchange.now if self.exchange.session().is_open else self._last_close()
        quoted = replace(found, last=last, bid=last, ask=last, last_at=at, quoted_at=at)
        self.data.found[self.symbol] = quoted
        return self.exchange.now

    def _last_close(self):
        closes = [day.closes_at for day in self.exchange.days.values()]
        return max(moment for moment in closes if moment <= self.exchange.now)


@contextmanager
def market(first, last):
    """Have this market for a while, with a calendar from one date to another."""
    days = factories.calendar(first, last, closed=CLOSED, short=SHORT)
    parts = factories.vendors("AAPL", broker=Exchange(days=days))
    realtime.connection().delete(frames.SNAPSHOT_KEY)
    with gateways.use(parts):
        trading_days._keep(days.values(), since=first, at=datetime.now(UTC))
        selectors._session.clear()
        yield Market(parts.broker, parts.data)
    selectors._session.clear()
