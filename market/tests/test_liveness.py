"""What nobody keeps current is flagged as stale, symbol by symbol, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core import streams
from core.errors import VendorUnavailable
from market import frames, gateways, reading, trading_days
from market.asking import BrokerAsker
from market.desk import Desk
from market.facts import Band, Bar, Covered, Refused, Session
from market.liveness import Liveness
from market.nanos import nanoseconds
from market.tests import factories
from market.tests.factories import snapshot, trade
from market.tests.leading import Listener, eventually, leading, told_again, want

LIVE = 0
AT = datetime(2026, 3, 6, 16, tzinfo=UTC)  # a Friday, in the session
NUMBERS = {"AAPL": 5, "SPY": 6, "BTC/USD": 7}


class Room:
    """A desk at which a test moves the time; its sockets send everything that is wanted."""

    def __init__(self):
        self.passed = 0.0
        self.desk = Desk(clock=self.now, monotonic=lambda: self.passed)
        self.liveness = Liveness(self.desk)
        self.desk.want(NUMBERS)
        self.desk.coins.is_in_use = True
        self.desk.session = Session(AT, is_open=True, changes_at=AT + timedelta(days=1))
        for symbol in NUMBERS:
            self.tell(symbol)
        self.connect()
        self.hear()

    def now(self):
        return AT + timedelta(seconds=self.passed)

    def connect(self, *, is_on=True):
        """Let the sockets send all, or be gone."""
        for feed in self.desk.feeds:
            feed.covered = feed.wanted if is_on else frozenset()

    def hear(self, *feeds):
        for feed in feeds or self.desk.feeds:
            self.desk.heard(feed)

    def tell(self, symbol):
        """Let the vendor answer about a symbol that was last traded long ago."""
        told = snapshot(symbol, at=AT - timedelta(hours=1))
        self.desk.book.seed(told, now_ns=self.desk.vendor_now_ns())

    def close(self, *, is_extended=False):
        self.desk.session = replace(self.desk.session, is_open=False)
        self.desk.is_extended = is_extended

    def stale(self, *, later=0.0):
        """Let time pass, and list what is stale after it."""
        self.passed += later
        self.liveness.judge()
        return {s for s, entry in self.desk.book.entries.items() if entry.flags & frames.STALE}


@pytest.fixture
def room():
    return Room()


SHARES = {"AAPL", "SPY"}
COINS = {"BTC/USD"}


class TestSilence:
    def test_of_one_socket_is_not_that_of_the_other(self, room):
        assert room.stale() == set()
        for _ in range(6):
            room.hear(room.desk.stocks)
            found = room.stale(later=1)
        assert (found, room.liveness.is_all_stale) == (COINS, False)

        room.hear(room.desk.coins)
        assert room.stale() == set()
        for _ in range(6):
            room.hear(room.desk.coins)
            found = room.stale(later=1)
        assert (found, room.liveness.is_all_stale) == (SHARES, False)

    def test_of_both_makes_everything_stale(self, room):
        assert room.stale(later=6) == SHARES | COINS
        assert room.liveness.is_all_stale

    def test_of_the_shares_is_normal_while_the_exchange_is_closed(self, room):
        room.close()
        for _ in range(60):
            room.hear(room.desk.coins)
            assert room.stale(later=1) == set()

    def test_of_coins_is_told_though_the_exchange_is_closed(self, room):
        room.close()

        assert room.stale(later=6) == COINS
        assert not room.liveness.is_all_stale

    def test_is_told_when_nothing_is_followed_yet(self, room):
        room.desk.want({})

        assert room.stale(later=6) == set()
        assert room.liveness.is_all_stale

    def test_of_all_that_has_a_price_is_that_of_everything(self, room):
        room.close(is_extended=True)
        room.desk.want({**NUMBERS, "MSFT": 8})
        room.connect(is_on=False)

        assert room.stale(later=6) == COINS
        assert not room.liveness.is_all_stale
        assert room.stale(later=21) == SHARES | COINS
        assert room.liveness.is_all_stale


class TestNobodyTells:
    def test_what_the_socket_refuses_is_live_as_long_as_it_can_be_asked_for(self, room):
        room.desk.stocks.covered = frozenset({"SPY"})
        for _ in range(30):
            room.hear()
            room.tell("AAPL")
            assert room.stale(later=1) == set()
        for _ in range(30):
            room.hear()
            found = room.stale(later=1)
        assert found == {"AAPL"}

        room.tell("AAPL")
        assert room.stale(later=1) == set()

    def test_coins_without_a_socket_are_live_as_long_as_they_can_be_asked_for(self, room):
        room.connect()
        room.desk.coins.is_in_use, room.desk.coins.covered = False, frozenset()
        room.hear()
        assert room.stale(later=4) == set()
        room.passed += 20
        room.hear(room.desk.stocks)

        assert room.stale() == COINS

    def test_a_connection_that_comes_back_soon_makes_nothing_stale(self, room):
        assert room.stale() == set()
        room.connect(is_on=False)
        assert room.stale(later=4) == set()
        room.connect()
        room.hear()
        assert room.stale(later=1) == set()

    def test_a_clock_that_was_put_back_keeps_nothing_live(self, room):
        room.desk.stocks.covered = frozenset({"SPY"})
        room.tell("AAPL")
        room.desk.ahead = timedelta(hours=-1)
        room.hear()
        assert room.stale() == set()
        room.passed += 21
        room.hear()

        assert room.stale() == {"AAPL"}

    def test_a_symbol_without_a_price_is_not_stale(self, room):
        room.desk.want({**NUMBERS, "MSFT": 8})

        assert room.stale() == set()


class TestExtendedHours:
    def test_a_mute_socket_is_live_as_long_as_it_is_connected(self, room):
        room.close(is_extended=True)
        for _ in range(60):
            room.hear(room.desk.coins)
            assert room.stale(later=1) == set()

    def test_a_lost_socket_makes_shares_stale_when_nobody_answers_either(self, room):
        room.close(is_extended=True)
        assert room.stale() == set()
        room.desk.stocks.covered = frozenset()
        for _ in range(22):
            room.hear(room.desk.coins)
            room.tell("SPY")
            found = room.stale(later=1)

        assert found == {"AAPL"}

    def test_a_lost_socket_is_no_matter_while_nothing_trades(self, room):
        room.close()
        room.desk.stocks.covered = frozenset()
        for _ in range(60):
            room.hear(room.desk.coins)
            assert room.stale(later=1) == set()


class TestTheOpening:
    """A socket that was there while its market was closed had nothing to tell."""

    def rest(self, room, *news):
        """Let a reader come by once before the opening, and once that is over."""
        feed, stop = room.desk.stocks, streams.Stop()
        room.close(is_extended=True)

        class Opened:
            def cover(self, symbols):
                pass

            def read(self, *, timeout_seconds):
                stop.set()
                return list(news)

        reading.Reader(room.desk, feed, lambda: None)._read(Opened(), stop)
        room.desk.session = replace(room.desk.session, is_open=True)

    def test_does_not_make_stale_what_was_silent_until_then(self, room):
        room.passed += 60
        self.rest(room)
        for _ in range(5):
            room.hear(room.desk.coins)
            assert room.stale(later=1) == set()

        room.hear(room.desk.coins)
        assert room.stale(later=1) == SHARES

    def test_does_not_make_late_what_came_late_until_then(self, room):
        self.rest(room, trade("SPY", 100.0, at=room.now() - timedelta(minutes=5)))

        assert room.stale() == set()

    def test_does_not_hide_a_lag_for_long(self, room):
        self.rest(room, trade("SPY", 100.0, at=room.now() - timedelta(minutes=5)))
        room.passed += 11
        old = trade("SPY", 100.0, at=room.now() - timedelta(minutes=5))
        reading.Reader(room.desk, room.desk.stocks, lambda: None)._take([old])
        room.hear()

        assert room.stale() == SHARES


class TestLateness:
    @pytest.fixture
    def reader(self, room):
        return reading.Reader(room.desk, room.desk.stocks, lambda: None)

    def stale_after(self, room, reader, *news):
        reader._take(list(news))
        room.hear()
        return room.stale()

    def test_news_of_some_time_ago_are_not_live_however_many_come(self, room, reader):
        old = [trade("SPY", 100.0, at=room.now() - timedelta(seconds=11 - n)) for n in range(2)]
        assert self.stale_after(room, reader, old[1]) == set()
        room.passed += 2
        assert self.stale_after(room, reader, *old) == SHARES

        assert self.stale_after(room, reader, trade("SPY", 100.0, at=room.now())) == set()

    def test_a_late_report_among_others_is_no_lag(self, room, reader):
        now, old = room.now(), room.now() - timedelta(minutes=5)
        assert self.stale_after(room, reader, trade("SPY", 1.0, at=now)) == set()
        assert self.stale_after(room, reader, trade("AAPL", 1.0, at=old)) == set()

    def test_a_time_to_come_does_not_hide_a_lag(self, room, reader):
        for ahead in (timedelta(seconds=50), timedelta(days=1)):
            self.stale_after(room, reader, trade("SPY", 1.0, at=room.now() + ahead))
        room.passed += 11

        old = room.now() - timedelta(seconds=11)
        assert self.stale_after(room, reader, trade("SPY", 1.0, at=old)) == SHARES

    def test_a_clock_that_was_put_back_does_not_hide_a_lag(self, room, reader):
        self.stale_after(room, reader, trade("SPY", 1.0, at=room.now()))
        room.desk.ahead = timedelta(hours=-1)
        there = room.desk.vendor_now()
        assert self.stale_after(room, reader, trade("SPY", 1.0, at=there)) == set()
        room.passed += 11

        assert self.stale_after(room, reader, trade("SPY", 1.0, at=there)) == SHARES

    def test_seldom_news_are_no_lag_while_the_exchange_is_closed(self, room, reader):
        room.close(is_extended=True)
        old = trade("SPY", 100.0, at=room.now() - timedelta(minutes=5))

        assert self.stale_after(room, reader, old) == set()

    def test_times_that_are_none_and_beginnings_of_minutes_tell_nothing(self, room, reader):
        start_ns = nanoseconds(room.now() - timedelta(seconds=59))
        news = [trade("SPY", 1.0, at=AT)._replace(at_ns=at) for at in (None, "now", 1.5, True)]

        assert self.stale_after(room, reader, *news, Bar("SPY", 1.0, start_ns)) == set()
        band = Band("SPY", 1.0, 2.0, nanoseconds(room.now() - timedelta(seconds=11)))
        assert self.stale_after(room, reader, band) == SHARES


@pytest.mark.django_db
class TestHours:
    @pytest.mark.parametrize(
        ("moment", "is_extended"),
        [
            ("2026-03-06T08:59:59Z", False),
            ("2026-03-06T09:00:00Z", True),
            ("2026-03-07T00:59:59Z", True),
            ("2026-03-07T01:00:00Z", False),
            ("2026-03-07T15:00:00Z", False),
        ],
    )
    def test_are_learned_from_the_brokers_clock_and_calendar(self, moment, is_extended):
        now = datetime.fromisoformat(moment)
        days = factories.calendar(now.date() - timedelta(days=9), now.date() + timedelta(days=9))
        broker = factories.FakeBroker(is_open=False, clock=lambda: now, days=days)
        trading_days._keep(days.values(), since=min(days), at=now)
        desk = Desk(clock=lambda: now)
        with gateways.use(factories.vendors(broker=broker)):
            BrokerAsker(desk).round()

        assert desk.is_extended is is_extended
        assert desk.may_move(desk.stocks) is is_extended


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_prices")
class TestFollowing:
    def test_coins_that_neither_socket_nor_vendor_tells_of_are_flagged(self, monkeypatch):
        monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 0.1)
        monkeypatch.setattr("market.liveness.KEPT_SECONDS", 1.0)
        coins = factories.FakeStream()
        monkeypatch.setattr(coins, "cover", lambda symbols: None)
        vendors = factories.vendors("SPY", "BTC/USD", "DOGE/USD", coin_stream=coins)
        want("DOGE/USD")
        with gateways.use(vendors), Listener() as heard, leading():
            coins.news.put([Refused(405), Covered(frozenset({"BTC/USD"}))])
            with told_again(coins, now_of("BTC/USD")):
                assert eventually(lambda: heard.price_of("DOGE/USD"))
                heard.read(seconds=1.5)
                assert eventually(lambda: heard.flags_of("DOGE/USD") == LIVE)
                told = vendors.data.found.pop("DOGE/USD")
                assert eventually(lambda: heard.flags_of("DOGE/USD") == frames.STALE)
                assert heard.flags_of("BTC/USD") == LIVE
                vendors.data.found["DOGE/USD"] = told
                assert eventually(lambda: heard.flags_of("DOGE/USD") == LIVE)

    def test_what_is_stale_is_not_asked_for_more_often_than_else(self, vendors, monkeypatch):
        monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 0.1)
        desk = Desk()
        want("AAPL")
        with Listener() as heard, leading(desk):
            assert eventually(lambda: heard.flags_of("AAPL") == frames.STALE)
            assert eventually(lambda: desk.stocks.covered)

            def is_asked_nothing():
                asked = len(vendors.data.asked)
                heard.read(seconds=1.0)
                return len(vendors.data.asked) == asked

            assert eventually(is_asked_nothing)

    def test_an_outage_in_extended_hours_is_told(self, vendors, monkeypatch):
        monkeypatch.setattr("market.liveness.KEPT_SECONDS", 0.5)
        vendors.broker.is_open = False
        desk = Desk()
        with Listener() as heard, leading(desk):
            assert eventually(lambda: desk.stocks.covered and desk.is_timed.is_set())
            assert eventually(lambda: heard.flags_of("SPY") == LIVE)
            desk.is_extended = True
            heard.read(seconds=1.5)
            assert heard.flags_of("SPY") == LIVE
            vendors.data.error = vendors.stream.open_error = VendorUnavailable("data", "Away.")
            vendors.stream.news.put(None)
            assert eventually(lambda: heard.flags_of("SPY") == frames.STALE)
            vendors.stream.open_error = None
            assert eventually(lambda: heard.flags_of("SPY") == LIVE)


def now_of(symbol):
    return lambda: trade(symbol, 100.0, at=datetime.now(UTC))
