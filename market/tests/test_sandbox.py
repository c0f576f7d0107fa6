"""The real clients against the sandbox's wire."""

import time
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from core.errors import VendorRejected, VendorUnavailable
from market import frames, gateways, selectors
from market.facts import Covered, Refused, Trade, new_york_date
from market.tests.leading import (
    Listener,
    eventually,
    leading,
    take_the_lease_away,
    two_processes,
    want,
)
from market.tests.test_alpaca_stream import hear


def stream_faults(sandbox, **faults):
    with httpx.Client(trust_env=False) as client:
        client.post(f"{sandbox.url}/alpaca/stream/_faults", json=faults).raise_for_status()


def today():
    return new_york_date(datetime.now(UTC))


class TestRest:
    def test_an_asset_and_the_list_of_them(self, sandbox):
        broker = gateways.get().broker

        apple = broker.find_asset("AAPL")
        assets = broker.list_assets()

        assert apple is not None
        assert (apple.symbol, apple.asset_class, apple.tradable) == ("AAPL", "us_equity", True)
        assert apple in assets
        assert broker.find_asset("NOPE") is None

    def test_the_session(self, sandbox):
        session = gateways.get().broker.session()

        assert session.is_open
        assert abs((session.asked_at - datetime.now(UTC)).total_seconds()) < 30
        assert session.changes_at > session.asked_at

    def test_snapshots_leave_out_what_nobody_knows(self, sandbox):
        sandbox.control("POST", "/prices", {"AAPL": "123.45"})

        found = gateways.get().data.snapshots(["AAPL", "NOPE", "not a symbol"], today=today())

        assert set(found) == {"AAPL"}
        apple = found["AAPL"]
        assert apple.last == Decimal("123.45")
        assert apple.bid is not None
        assert apple.ask is not None
        assert apple.bid < apple.ask
        assert apple.previous_close is not None
        assert apple.as_of is not None

    def test_a_company_and_one_that_does_not_exist(self, sandbox):
        companies = gateways.get().companies

        apple = companies.profile("AAPL")

        assert apple is not None
        assert apple["symbol"] == "AAPL"
        assert companies.profile("NOPE") is None


class TestSocket:
    def test_sends_what_is_asked_for(self, sandbox):
        with gateways.get().stream.open() as opened:
            opened.cover(["AAPL", "SPY"])
            news = hear(opened, trade_of("AAPL")) + hear(opened, trade_of("SPY"))

        assert Covered(frozenset({"AAPL", "SPY"})) in news
        trades = [item for item in news if isinstance(item, Trade)]
        assert {trade.symbol for trade in trades} == {"AAPL", "SPY"}
        assert all(type(t.price) is float and type(t.at_ns) is int for t in trades)

    def test_covering_less_sends_less(self, sandbox):
        with gateways.get().stream.open() as opened:
            opened.cover(["AAPL", "SPY"])
            opened.cover(["SPY"])

            assert eventually(
                lambda: Covered(frozenset({"SPY"})) in opened.read(timeout_seconds=0.2)
            )

    def test_a_wrong_key_is_rejected(self, sandbox, settings):
        settings.ALPACA_BROKER_SECRET = "wrong"

        with pytest.raises(VendorRejected) as caught, gateways.get().stream.open():
            pass

        assert caught.value.vendor_code == "402"

    def test_a_second_connection_is_unavailable(self, sandbox):
        stream = gateways.get().stream

        with stream.open(), pytest.raises(VendorUnavailable) as caught, stream.open():
            pass

        assert caught.value.vendor_code == "406"

    def test_the_limit_of_symbols_keeps_the_connection(self, sandbox):
        stream_faults(sandbox, symbol_limit=1)
        with gateways.get().stream.open() as opened:
            opened.cover(["AAPL", "SPY"])

            assert Refused(405) in hear(opened, lambda told: type(told) is Refused)

    def test_nobody_there_is_unavailable(self, settings):
        settings.ALPACA_STREAM_URL = "ws://127.0.0.1:9/x"

        with pytest.raises(VendorUnavailable), gateways.get().stream.open():
            pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_prices")
class TestFollowing:
    def test_a_changed_price_is_published_at_once(self, sandbox, monkeypatch):
        monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 600.0)  # nor by REST
        want("AAPL")
        with Listener() as heard, leading():
            assert eventually(lambda: heard.price_of("AAPL"))
            sandbox.control("POST", "/prices", {"AAPL": "123.45"})
            started = time.monotonic()
            assert eventually(lambda: heard.price_of("AAPL") == Decimal("123.45"))
            assert time.monotonic() - started < 30.0

            assert eventually(lambda: not heard.read()[-1].is_stale)
            quote = selectors.get_quote(symbol="AAPL", at=datetime.now(UTC))
            assert eventually(lambda: published_close("AAPL"))

        assert quote.last == Decimal("123.45")

    def test_spoiled_ticks_change_nothing(self, sandbox):
        stream_faults(sandbox, bad_tick_every=2, duplicate=True)
        want("AAPL")
        with Listener() as heard, leading():
            assert eventually(lambda: heard.price_of("AAPL"))
            heard.read(seconds=3)

            def prices():
                return [price for frame in heard.read() for price in frame.prices.tolist()]

            assert eventually(lambda: len(prices()) > 4)

        prices = prices()
        assert all(1 * 10**9 < price < 10_000 * 10**9 for price in prices)

    def test_a_stalled_feed_is_stale_and_comes_back(self, sandbox, settings):
        settings.FEED_STALE_SECONDS = 1
        with Listener() as heard, leading():
            assert eventually(lambda: heard.price_of("SPY"))
            stream_faults(sandbox, stall=True)
            assert eventually(lambda: heard.read()[-1].is_stale)
            stream_faults(sandbox, stall=False)
            assert eventually(lambda: not heard.read()[-1].is_stale)

    def test_a_feed_that_lags_is_stale_though_it_is_heard(self, sandbox):
        with Listener() as heard, leading():
            assert eventually(lambda: heard.flags_of("SPY") == 0)
            stream_faults(sandbox, lag_seconds=30)
            assert eventually(lambda: heard.flags_of("SPY") == frames.STALE)
            stream_faults(sandbox, lag_seconds=0)
            assert eventually(lambda: heard.flags_of("SPY") == 0)

    def test_a_dropped_connection_comes_back(self, sandbox):
        with Listener() as heard, leading():
            assert eventually(lambda: heard.price_of("SPY"))
            stream_faults(sandbox, disconnect=True)
            sandbox.control("POST", "/prices", {"SPY": "321.5"})
            assert eventually(lambda: heard.price_of("SPY") == Decimal("321.5"))

    def test_a_standby_takes_over_from_a_leader_that_has_lost_its_lease(self, sandbox):
        with Listener() as heard, two_processes() as ended:
            assert eventually(heard.read)
            assert eventually(lambda: heard.price_of("SPY"))
            first = heard.frames[-1].epoch.fence
            take_the_lease_away()
            assert eventually(lambda: heard.read()[-1].epoch.fence > first)
            assert eventually(lambda: ended == [True])
            assert eventually(lambda: not heard.read()[-1].is_stale)

        assert ended == [True, True]
        assert [frame.epoch.fence for frame in heard.frames] == sorted(
            frame.epoch.fence for frame in heard.frames
        )


def trade_of(symbol):
    return lambda told: isinstance(told, Trade) and told.symbol == symbol


def published_close(symbol):
    return selectors.get_quote(symbol=symbol, at=datetime.now(UTC)).previous_close
