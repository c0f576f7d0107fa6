"""Vendors in memory, and prices, for tests of the market app and of those above it."""

import queue
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from core.errors import VendorUnavailable
from market import gateways, trading_days
from market.facts import NEW_YORK, Asset, Covered, Day, Session, Snapshot, Trade
from market.gateways import Gateways
from market.nanos import nanoseconds

AT = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)


def asset(symbol="AAPL", **changes):
    fields = {
        "broker_asset_id": f"id-{symbol}",
        "symbol": symbol,
        "name": f"{symbol} Inc.",
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "status": "active",
        "tradable": True,
        "fractionable": True,
    }
    return Asset(**fields | changes)


def snapshot(symbol="AAPL", last="100", *, at=AT, close="99", bid="99.99", ask="100.01"):
    return Snapshot(
        symbol=symbol,
        last=None if last is None else Decimal(last),
        last_at=at,
        bid=Decimal(bid),
        ask=Decimal(ask),
        quoted_at=at,
        previous_close=None if close is None else Decimal(close),
    )


def trade(symbol="AAPL", price=100.0, *, at=AT):
    return Trade(symbol, price, nanoseconds(at))


@dataclass
class FakeBroker:
    """Knows what it was given, and counts how often it is asked."""

    assets: dict = field(default_factory=dict)
    is_open: bool = True
    asked: list = field(default_factory=list)
    clock: object = staticmethod(lambda: datetime.now(UTC))
    days: dict = field(default_factory=dict)
    error: Exception | None = None

    def find_asset(self, symbol):
        self.asked.append(symbol)
        return self.assets.get(symbol)

    def list_assets(self):
        return list(self.assets.values())

    def session(self):
        now = self.clock()
        return Session(asked_at=now, is_open=self.is_open, changes_at=now + timedelta(hours=1))

    def calendar(self, start, end):
        self.asked.append((start, end))
        if self.error is not None:
            raise self.error
        if not any(start <= day <= end for day in self.days):
            raise VendorUnavailable("broker", "There is no calendar.")
        return [told for day, told in sorted(self.days.items()) if start <= day <= end]


@dataclass
class FakeData:
    """Answers with the snapshots it was given, or with an error."""

    found: dict = field(default_factory=dict)
    error: Exception | None = None
    asked: list = field(default_factory=list)

    def snapshots(self, symbols, *, today):
        self.asked.append((tuple(symbols), today))
        if self.error is not None:
            raise self.error
        return {symbol: self.found[symbol] for symbol in symbols if symbol in self.found}


class FakeStream:
    """A socket whose news a test puts in; `None` breaks the connection."""

    def __init__(self):
        self.news = queue.Queue()
        self.covered = []
        self.opened = 0
        self.open_error = None

    @contextmanager
    def open(self):
        self.opened += 1
        if self.open_error is not None:
            raise self.open_error
        yield self

    def cover(self, symbols):
        self.covered.append(frozenset(symbols))
        self.news.put([Covered(frozenset(symbols))])

    def read(self, *, timeout_seconds):
        try:
            news = self.news.get(timeout=min(timeout_seconds, 0.02))
        except queue.Empty:
            return []
        if news is None:
            raise VendorUnavailable("stream", "The connection broke.")
        return news


@dataclass
class FakeCompanies:
    profiles: dict = field(default_factory=dict)

    def profile(self, ticker):
        return self.profiles.get(ticker)


def calendar(first, last, *, closed=(), short=()):
    """The working days between two dates as the broker lists them, by date."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return {
        day: Day(
            on=day,
            opens_at=datetime.combine(day, time(9, 30), tzinfo=NEW_YORK),
            closes_at=datetime.combine(day, time(13 if day in short else 16), tzinfo=NEW_YORK),
            settles_on=None,
        )
        for day in days
        if day.weekday() < 5 and day not in closed
    }


@contextmanager
def known_days(days):
    """Let our copy of the calendar have these days, and the broker tell no others."""
    parts = vendors()
    parts.broker.days = days
    with gateways.use(parts):
        trading_days.read(at=datetime.now(UTC))
        yield parts.broker


def vendors(*symbols, **parts):
    """All vendors at once, knowing these symbols at a price of 100."""
    broker = FakeBroker({symbol: asset(symbol) for symbol in symbols})
    data = FakeData({s: snapshot(s, at=datetime.now(UTC)) for s in symbols})
    return Gateways(
        **{
            "broker": broker,
            "data": data,
            "stream": FakeStream(),
            "companies": FakeCompanies(),
        }
        | parts
    )
