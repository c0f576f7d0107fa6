"""What "today" is in New York, and the close before it, on ordinary and on odd days."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import realtime
from core.errors import VendorUnavailable
from core.ids import new_id
from core.leases import Lease
from core.streams import Stop
from core.tests.sandboxes import running
from market import days, frames, gateways
from market.asking import Asker
from market.desk import Desk
from market.facts import NEW_YORK, new_york_date
from market.gateways import alpaca
from market.gateways.alpaca import AlpacaData
from market.tests import factories
from market.tests.factories import snapshot
from market.ticking import Ticker

NUMBERS = st.integers(days.number_of(date(2020, 1, 1)), days.number_of(date(2040, 1, 1)))


@given(NUMBERS)
def test_a_day_begins_at_midnight_in_new_york_and_ends_where_the_next_one_begins(number):
    begins, ends = days.start_of(number), days.start_of(number + 1)

    assert begins.astimezone(NEW_YORK).time() == time()
    assert days.day_at(begins) == number
    assert days.day_at(ends.astimezone(UTC) - timedelta(microseconds=1)) == number
    assert days.day_at(ends) == number + 1


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 3, 9), 24)],
)
def test_a_day_on_which_the_clocks_change_is_shorter_or_longer(day, hours):
    number = days.number_of(day)

    begins, ends = (days.start_of(n).astimezone(UTC) for n in (number, number + 1))

    assert ends - begins == timedelta(hours=hours)


@pytest.fixture(scope="module")
def exchange():
    """A sandbox that keeps the hours of the exchanges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_MARKET", "real")
        with running() as sandbox:
            yield sandbox


class TestPreviousClose:
    """Through two years of the exchange's calendar, by the real client."""

    # Around everything that begins or ends on some day, in New York.
    TIMES = [
        time(0, 0), time(3, 59), time(4, 0), time(9, 29), time(9, 31), time(12, 59),
        time(13, 1), time(15, 59), time(16, 1), time(19, 59), time(20, 1), time(23, 59),
    ]  # fmt: skip

    def now(self, exchange):
        return datetime.fromisoformat(exchange.control("GET", "/clock")["now"])

    def go_to(self, exchange, at):
        exchange.advance((at - self.now(exchange)).total_seconds())
        return self.now(exchange)

    def closes(self, exchange, settings, *, until):
        """Every close of a symbol, by its date."""
        answer = httpx.get(
            f"{exchange.url}/alpaca/data/v2/stocks/AAPL/bars",
            params={
                "timeframe": "1Day",
                "start": (until - timedelta(days=760)).isoformat(),
                "end": until.isoformat(),
                "limit": "10000",
            },
            auth=(settings.ALPACA_BROKER_KEY, settings.ALPACA_BROKER_SECRET),
            trust_env=False,
        )
        bars = answer.raise_for_status().json(parse_float=Decimal)["bars"]
        return {new_york_date(datetime.fromisoformat(bar["t"])): Decimal(bar["c"]) for bar in bars}

    def test_is_that_of_the_last_session_before_today_at_any_moment(self, exchange, settings):
        exchange.point(settings)
        told = []
        start = new_york_date(self.now(exchange)) + timedelta(days=1)
        for step in range(122):  # six days apart, so that all weekdays and times meet
            day = start + timedelta(days=6 * step)
            at = datetime.combine(day, self.TIMES[step * 5 % 12], tzinfo=NEW_YORK)
            now = self.go_to(exchange, at)
            found = AlpacaData().snapshots(["AAPL"], today=new_york_date(now))["AAPL"]
            told.append((new_york_date(now), found))

        closes = self.closes(exchange, settings, until=self.now(exchange))
        off_days = 0
        for today, found in told:
            last_session = max(day for day in closes if day < today)
            assert found.previous_close == closes[last_session], today
            if today not in closes:
                off_days += 1
                assert found.last == found.previous_close, today
        assert off_days >= 122 * 2 // 7 - 5  # weekends, besides holidays


NO_SESSION = date(2025, 1, 9)  # a day of mourning, which no calendar of before had


@pytest.mark.parametrize(
    ("today", "daily", "before"),
    [
        (NO_SESSION, (date(2025, 1, 8), 100), (date(2025, 1, 7), 99)),
        (date(2025, 1, 10), (date(2025, 1, 8), 100), (date(2025, 1, 7), 99)),  # before a trade
        (date(2025, 1, 10), (date(2025, 1, 10), 101), (date(2025, 1, 8), 100)),
        (date(2025, 1, 11), (date(2025, 1, 8), 100), (date(2025, 1, 7), 99)),  # nobody traded it
    ],
)
def test_a_day_on_which_the_exchange_stays_shut_needs_no_calendar(today, daily, before):
    def bar(on, close):
        at = datetime.combine(on, time(), tzinfo=NEW_YORK).astimezone(UTC)
        return {"t": at.isoformat(), "c": Decimal(close)}

    entry = {"dailyBar": bar(*daily), "prevDailyBar": bar(*before)}

    assert alpaca._previous_close(entry, today=today) == Decimal(100)


@dataclass
class Vendor(factories.FakeData):
    """A vendor whose previous close depends on the day it is asked for."""

    closes: dict = field(default_factory=dict)
    away: str = ""
    without: str | None = None
    is_left_out: bool = False

    def snapshots(self, symbols, *, today):
        super().snapshots(symbols, today=today)
        if self.away in symbols:
            raise VendorUnavailable("data", "away")
        at = days.start_of(days.number_of(today))
        found = {s: snapshot(s, "100", at=at, close=self.closes[today]) for s in symbols}
        if self.without in found:
            found[self.without] = snapshot(self.without, "100", at=at, close=None)
            if self.is_left_out:
                del found[self.without]
        return found


@pytest.mark.django_db
@pytest.mark.usefixtures("no_prices")
class TestMidnight:
    FRIDAY = date(2026, 3, 6)

    @pytest.fixture
    def vendor(self):
        vendor = Vendor(closes={self.FRIDAY + timedelta(days=n): str(90 + n) for n in range(6)})
        with gateways.use(factories.vendors("AAPL", data=vendor)):
            yield vendor

    @pytest.fixture
    def leader(self, vendor):
        return Midnight(datetime.combine(self.FRIDAY, time(23, 59, 59), tzinfo=NEW_YORK))

    def test_brings_another_day_and_all_its_closes_without_a_trade(self, leader):
        assert leader.told(seconds=0) == (days.number_of(self.FRIDAY), 90)

        assert leader.told(seconds=0.9) == (days.number_of(self.FRIDAY), 90)
        assert leader.told(seconds=0.2) == (days.number_of(self.FRIDAY) + 1, 91)

    def test_brings_another_day_through_a_weekend_and_a_change_of_the_clocks(self, leader):
        leader.told(seconds=0)

        found = [leader.told(seconds=24 * 3600)[0] for _ in range(3)]

        # Of the Sunday an hour is missing, so that a day after its eve it is over.
        assert found == [days.number_of(self.FRIDAY) + n for n in (1, 3, 4)]

    def test_changes_nothing_while_the_vendor_tells_no_closes_of_the_new_day(self, leader, vendor):
        leader.told(seconds=0)
        vendor.error = VendorUnavailable("data", "away")

        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY), 90)

        vendor.error = None
        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY) + 1, 91)

    def test_leaves_closes_unknown_that_the_vendor_does_not_tell_for_long(self, leader, vendor):
        leader.told(seconds=0)
        vendor.error = VendorUnavailable("data", "away")
        leader.told(seconds=2)

        assert leader.told(seconds=299) == (days.number_of(self.FRIDAY), 90)
        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY) + 1, 0)

        vendor.error = None
        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY) + 1, 91)

    @pytest.mark.parametrize("is_left_out", [True, False])
    def test_leaves_a_close_unknown_that_is_missing_in_the_answer(
        self, leader, vendor, is_left_out
    ):
        leader.told(seconds=0)
        vendor.without, vendor.is_left_out = "AAPL", is_left_out
        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY) + 1, 0)

        vendor.without = None
        assert leader.told(seconds=6) == (days.number_of(self.FRIDAY) + 1, 91)

    def test_brings_no_close_before_all_of_them_are_known(self, leader, vendor):
        leader.desk.want({"AAPL": 5, "BTC/USD": 6})
        assert leader.told(seconds=0) == (days.number_of(self.FRIDAY), 90)
        vendor.away = "BTC/USD"

        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY), 90)
        assert leader.told(seconds=10) == (days.number_of(self.FRIDAY), 90)

        vendor.away = ""
        assert leader.told(seconds=2) == (days.number_of(self.FRIDAY) + 1, 91)
        assert leader.closes == {5: 91, 6: 91}

    def test_loses_no_close_that_a_new_leader_asked_for_before_it_knew_the_day(self, vendor):
        saturday = self.FRIDAY + timedelta(days=1)
        leader = Midnight(datetime.combine(saturday, time(0, 0, 5), tzinfo=NEW_YORK))
        leader.desk.want({"AAPL": 5, "BTC/USD": 6})
        vendor.away = "BTC/USD"
        leader.told(seconds=0)
        leader.desk.day = self.FRIDAY  # as the leader before it has published

        vendor.away = ""
        leader.told(seconds=2)

        assert leader.closes == {5: 91, 6: 91}

    def test_is_followed_by_the_closes_of_coins_once_they_are_measured(self, leader, vendor):
        leader.desk.want({"AAPL": 5, "BTC/USD": 6})
        leader.desk.stocks.covered, leader.desk.coins.covered = (
            frozenset({name}) for name in ("AAPL", "BTC/USD")
        )
        leader.told(seconds=2)
        today = self.FRIDAY + timedelta(days=1)
        assert leader.closes == {5: 91, 6: 91}
        vendor.closes[today] = "91.5"
        leader.told(seconds=100)
        vendor.away = "BTC/USD"
        leader.told(seconds=80)
        assert leader.closes == {5: 91, 6: 91}
        vendor.away = ""
        vendor.asked.clear()
        leader.told(seconds=10)
        leader.told(seconds=10)

        assert leader.closes == {5: 91, 6: 91.5}
        assert [symbols for symbols, _ in vendor.asked if "BTC/USD" in symbols] == [("BTC/USD",)]

    def test_is_not_held_up_for_shares_while_only_coins_cannot_be_asked_about(self, leader, vendor):
        leader.desk.want({"AAPL": 5, "BTC/USD": 6})
        vendor.away = "BTC/USD"
        leader.told(seconds=2)

        assert leader.told(seconds=301) == (days.number_of(self.FRIDAY) + 1, 91)


class Midnight:
    """A leader that asks and publishes once whenever a test lets time pass."""

    def __init__(self, now):
        self.now, self.passed = now, 0.0
        self.desk = Desk(clock=lambda: self.now, monotonic=lambda: self.passed)
        self.desk.want({"AAPL": 5})
        self._asker = Asker(self.desk)
        self._ticker = Ticker(self.desk, Lease("prices", new_id(), 1))

    def told(self, *, seconds):
        """Return the day that is published then, and the close in dollars."""
        self.now = (self.now.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(NEW_YORK)
        self.passed += seconds
        self._asker.round(Stop())
        self._ticker.tick()
        whole = frames.decode_snapshot(realtime.connection().hgetall(frames.SNAPSHOT_KEY))
        assert whole is not None
        self.closes = dict(
            zip(whole.numbers.tolist(), (whole.closes / 10**9).tolist(), strict=True)
        )
        return whole.day, self.closes[5]
