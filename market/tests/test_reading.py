"""What the leader makes of the socket: its news, its silence, its end."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgpack
import pytest

from core import metrics, realtime
from core.errors import VendorRejected, VendorUnavailable
from market import frames, gateways, reading, selectors
from market.desk import Desk
from market.facts import Bar, BestPrices, Corrected, Halted
from market.gateways import alpaca_news
from market.nanos import nanoseconds
from market.tests import factories
from market.tests.books import flags_in, price_in
from market.tests.factories import snapshot, trade
from market.tests.leading import Listener, Watch, eventually, leading, tell, told_again, want

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]


@pytest.fixture(autouse=True)
def _silence_is_no_matter(settings):
    """Whom it matters to says otherwise."""
    settings.FEED_STALE_SECONDS = 600


def test_a_silent_feed_makes_frames_stale_and_is_opened_anew(vendors, settings):
    settings.FEED_STALE_SECONDS = 0.3
    with Listener() as heard, leading():
        assert eventually(lambda: any(frame.is_stale for frame in heard.read()))
        assert eventually(lambda: vendors.stream.opened >= 2)
        with told_again(vendors.stream, lambda: trade("SPY", 100.5, at=datetime.now(UTC))):
            assert eventually(lambda: heard.price_of("SPY") == Decimal("100.5"))
            assert eventually(lambda: not [f for f in heard.read() if len(f.numbers)][-1].is_stale)


def test_a_closed_market_may_be_silent(vendors, settings):
    settings.FEED_STALE_SECONDS = 0.2
    with Listener() as heard, leading(a_desk_that_knows_the_market_closed(vendors)):
        assert eventually(lambda: len(heard.read()) >= 3)

    assert not any(frame.is_stale for frame in heard.frames)
    assert vendors.stream.opened == 1


def test_a_broken_connection_is_opened_again_and_asks_for_everything_again(vendors):
    want("AAPL")
    with leading():
        assert eventually(lambda: frozenset({"AAPL", "SPY"}) in vendors.stream.covered)
        vendors.stream.news.put(None)
        assert eventually(lambda: vendors.stream.opened == 2)
        assert eventually(lambda: len(vendors.stream.covered) > 1)
        assert eventually(lambda: vendors.stream.covered[-1] == {"AAPL", "SPY"})


def test_a_correction_is_looked_up(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        now = datetime.now(UTC)
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.stream.news.put([trade("AAPL", 150.0, at=now)])
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(150))
        vendors.data.found["AAPL"] = snapshot("AAPL", "101", at=now - timedelta(seconds=1))
        vendors.stream.news.put([Corrected("AAPL")])

        assert eventually(lambda: heard.price_of("AAPL") == Decimal(101))


def test_a_halt_is_written_down_until_the_exchange_goes_on(vendors):
    want("AAPL")
    with leading():
        assert eventually(lambda: vendors.stream.covered)
        vendors.stream.news.put([Halted("AAPL", is_halted=True), Halted("NOPE", is_halted=True)])
        assert eventually(lambda: is_halted("AAPL"))
        assert not is_halted("MSFT")

        vendors.stream.news.put([Halted("AAPL", is_halted=False)])
        assert eventually(lambda: not is_halted("AAPL"))


def is_halted(symbol):
    return selectors.get_instrument(symbol=symbol).is_halted(at=datetime.now(UTC))


def test_what_is_heard_is_counted_by_its_kind(vendors):
    def heard():
        kinds = ("trade", "quote", "bar", "band")
        return [metrics.TICKS.labels(kind)._value.get() for kind in kinds]

    now = datetime.now(UTC)
    at_ns = nanoseconds(now)
    before = heard()
    with leading():
        vendors.stream.news.put([trade("SPY", 100.5, at=now), trade("SPY", -1, at=now)])
        vendors.stream.news.put([BestPrices("SPY", 100.4, 100.6, at_ns), Bar("SPY", 100.5, at_ns)])
        assert eventually(
            lambda: [n - b for n, b in zip(heard(), before, strict=True)] == [2, 1, 1, 0]
        )


def test_quotes_and_bars_are_heard_as_well_as_trades(vendors, settings):
    settings.FEED_STALE_SECONDS = 1.0
    want("AAPL")
    watch = Watch()
    desk = Desk(monotonic=watch)
    with Listener() as heard, leading(desk):
        assert eventually(lambda: vendors.stream.covered[-1:] == [{"AAPL", "SPY"}])
        for make in [quote("AAPL"), bar("SPY", 105)] * 4:
            tell(desk, vendors.stream, make)
            watch.passed += 0.8
        assert eventually(lambda: heard.price_of("SPY") == Decimal(105))
        assert eventually(lambda: not heard.read()[-1].is_stale)
        number = selectors.get_instrument(symbol="AAPL").number
        row = frames.read_row(realtime.connection().hget(frames.SNAPSHOT_KEY, str(number)))

    assert not heard.frames[-1].is_stale
    assert vendors.stream.opened == 1
    assert (row.bid, row.ask) == (99_500_000_000, 100_500_000_000)


def test_a_halted_price_is_marked_at_once(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL"))
        vendors.stream.news.put([Halted("AAPL", is_halted=True)])
        assert eventually(lambda: heard.flags_of("AAPL") & frames.HALTED)
        vendors.stream.news.put([Halted("AAPL", is_halted=False)])
        assert eventually(lambda: not heard.flags_of("AAPL") & frames.HALTED)


def test_the_first_trade_after_a_halt_counts_though_both_are_told_at_once(vendors):
    desk = a_desk(vendors)
    reader = reading.Reader(desk, desk.stocks, lambda: vendors.stream)
    now = datetime.now(UTC)

    reader._take([trade(price=100.0, at=now), Halted("AAPL", is_halted=True)])
    reader._take([trade(price=55.0, at=now)])
    reader._take(
        [trade(price=56.0, at=now), Halted("AAPL", is_halted=False), trade(price=57.0, at=now)]
    )

    assert (price_in(desk.book), flags_in(desk.book)) == ({5: Decimal(57)}, 0)
    assert desk.book.rejected == {"halted": 2}


def a_desk(vendors):
    desk = Desk()
    desk.want({"AAPL": 5})
    return desk


def test_the_opening_of_the_market_does_not_end_a_connection_that_was_quiet(vendors, settings):
    settings.FEED_STALE_SECONDS = 1.0
    watch = Watch()
    desk = a_desk_that_knows_the_market_closed(vendors, monotonic=watch)
    with leading(desk):
        assert eventually(lambda: vendors.stream.covered and desk.is_timed.is_set())
        watch.passed += 1.2
        assert eventually(lambda: desk.stocks.rested_at == watch.passed)
        desk.session = replace(desk.session, is_open=True)
        threading.Event().wait(0.3)

        assert (desk.stocks.covered, vendors.stream.opened) == ({"SPY"}, 1)
        watch.passed += 1.1
        assert eventually(lambda: vendors.stream.opened == 2)


def a_desk_that_knows_the_market_closed(vendors, **parts):
    """Until somebody knows, what is silent counts as dead."""
    vendors.broker.is_open = False
    return Desk(session=vendors.broker.session(), **parts)


class TestTwoFeeds:
    def test_coins_that_are_not_for_us_do_not_make_the_shares_stale(self, settings):
        settings.FEED_STALE_SECONDS = 1.0
        coins = factories.FakeStream()
        coins.open_error = VendorRejected("stream", "Not for you.", vendor_code="409")
        vendors = factories.vendors("SPY", "BTC/USD", coin_stream=coins)
        want("BTC/USD")
        watch = Watch()
        desk = Desk(monotonic=watch)
        with gateways.use(vendors), Listener() as heard, leading(desk):
            assert eventually(lambda: coins.opened and not desk.coins.is_in_use)
            assert eventually(lambda: vendors.stream.covered)
            assert eventually(lambda: heard.price_of("BTC/USD") == Decimal(100))
            tell(desk, vendors.stream, quote("SPY"))
            assert eventually(lambda: not heard.read()[-1].is_stale)
            heard.frames.clear()
            for told in range(1, 5):
                watch.passed += 1.0  # a frame is due, and a silence is not too long yet
                assert eventually(lambda told=told: len(heard.read()) >= told)
                tell(desk, vendors.stream, quote("SPY"))

        assert not any(frame.is_stale for frame in heard.frames)

    def test_each_has_its_symbols_and_a_silent_one_is_not_hidden_by_the_other(self, settings):
        settings.FEED_STALE_SECONDS = 1.0
        coins = factories.FakeStream()
        vendors = factories.vendors("SPY", "BTC/USD", "DOGE/USD", coin_stream=coins)
        want("DOGE/USD")
        with gateways.use(vendors), Listener() as heard, leading():
            assert eventually(lambda: coins.covered[-1:] == [frozenset({"BTC/USD", "DOGE/USD"})])
            assert eventually(lambda: vendors.stream.covered[-1:] == [frozenset({"SPY"})])
            with told_again(coins, quote("BTC/USD")), told_again(vendors.stream, quote("SPY")):
                assert eventually(lambda: not heard.read()[-1].is_stale)
            with told_again(coins, quote("BTC/USD")):
                assert eventually(lambda: vendors.stream.opened >= 2)
                assert eventually(
                    lambda: (
                        heard.flags_of("SPY") == frames.STALE
                        and [heard.flags_of(coin) for coin in ("BTC/USD", "DOGE/USD")] == [0, 0]
                        and not heard.frames[-1].is_stale
                    )
                )
                opened = coins.opened
            with told_again(vendors.stream, quote("SPY")):
                assert eventually(lambda: coins.opened > opened)
                assert eventually(lambda: heard.flags_of("DOGE/USD") == frames.STALE)
                assert eventually(lambda: heard.flags_of("SPY") == 0)

    def test_coins_are_expected_when_the_exchange_is_closed(self, settings):
        settings.FEED_STALE_SECONDS = 0.3
        coins = factories.FakeStream()
        vendors = factories.vendors("SPY", "BTC/USD", coin_stream=coins)
        want("BTC/USD")
        desk = a_desk_that_knows_the_market_closed(vendors)
        with gateways.use(vendors), Listener() as heard, leading(desk):
            assert eventually(lambda: heard.flags_of("BTC/USD") == frames.STALE)
            assert eventually(lambda: coins.opened >= 2)
            assert eventually(lambda: heard.flags_of("SPY") == 0)
            assert not heard.frames[-1].is_stale

        assert vendors.stream.opened == 1

    def test_without_a_socket_coins_are_asked_for(self, monkeypatch):
        monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 0.2)
        vendors = factories.vendors("SPY", "BTC/USD")
        want("BTC/USD")
        with gateways.use(vendors), Listener() as heard, leading():
            assert eventually(lambda: heard.price_of("BTC/USD") == Decimal(100))
            vendors.data.found["BTC/USD"] = snapshot("BTC/USD", "101.5", at=datetime.now(UTC))
            assert eventually(lambda: heard.price_of("BTC/USD") == Decimal("101.5"))


class TestBackoff:
    def test_a_place_that_is_still_taken_is_asked_for_again_within_moments(self):
        pauses = pauses_after(VendorUnavailable("stream", "Crowded.", vendor_code="406"), 7)

        assert all(
            most / 2 <= pause <= most
            for pause, most in zip(pauses, [0.3, 0.6, 1.2, 2.4, 4.8, 8.0, 8.0], strict=True)
        )

    def test_other_ends_are_waited_for_longer_each_time_up_to_a_limit(self):
        pauses = pauses_after(VendorUnavailable("stream", "Gone."), 6)

        assert all(
            most / 2 <= pause <= most
            for pause, most in zip(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0], strict=True)
        )

    def test_data_makes_the_next_pause_short_again(self):
        backoff = reading.Backoff()
        error = VendorUnavailable("stream", "Gone.")
        for _ in range(5):
            backoff.after(error)
        backoff.reset()

        assert backoff.after(error) <= 0.5


def test_ends_of_connections_are_counted_by_their_reason(vendors):
    before = {name: outcomes(name) for name in ("opened", "lost", "crowded", "ended")}
    with leading():
        assert eventually(lambda: vendors.stream.covered)
        vendors.stream.open_error = VendorUnavailable("stream", "Crowded.", vendor_code="406")
        vendors.stream.news.put(None)
        assert eventually(lambda: outcomes("crowded") > before["crowded"])
        vendors.stream.open_error = None
        assert eventually(lambda: outcomes("opened") == before["opened"] + 2)

    assert outcomes("lost") == before["lost"] + 1
    assert outcomes("ended") == before["ended"] + 1


def test_a_reader_that_connects_in_vain_holds_nobody_up(vendors, monkeypatch):
    is_connecting, may_go_on = threading.Event(), threading.Event()

    def slow(self):
        is_connecting.set()
        may_go_on.wait(100)
        raise VendorUnavailable("stream", "Nobody there.")

    monkeypatch.setattr(factories.FakeStream, "open", slow)
    with leading():
        assert is_connecting.wait(60)
        started = time.monotonic()
    took = time.monotonic() - started
    may_go_on.set()

    assert took < 50.0  # it connects for a hundred


def quote(symbol, *, bid=99.5, ask=100.5):
    return lambda: BestPrices(symbol, bid, ask, nanoseconds(datetime.now(UTC)))


def bar(symbol, close):
    return lambda: Bar(symbol, float(close), nanoseconds(datetime.now(UTC)))


def outcomes(name):
    return metrics.FEED_CONNECTIONS.labels(name)._value.get()


def pauses_after(error, times):
    backoff = reading.Backoff()
    return [backoff.after(error) for _ in range(times)]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("H", Halted("AAPL", is_halted=True)),
        ("P", Halted("AAPL", is_halted=True)),
        ("2", Halted("AAPL", is_halted=True)),
        ("T", Halted("AAPL", is_halted=False)),
        ("3", Halted("AAPL", is_halted=False)),
        ("Q", None),
        ("E", None),
        (7, None),
        (None, None),
    ],
)
def test_the_words_of_both_tapes_are_read(code, told):
    news = []
    entry = {"T": "s", "S": "AAPL", "sc": code, "sm": "A word.", "z": "C"}

    assert alpaca_news.read(msgpack.packb([entry]), into=news) == []
    assert news == ([] if told is None else [told])
