"""Coins through the real client against the sandbox's wire: prices, days and names."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import httpx
import pytest

from core.errors import VendorError, VendorUnavailable
from market import gateways, selectors
from market.errors import PriceStale
from market.facts import NEW_YORK, BestPrices, Covered, Trade, new_york_date
from market.gateways import alpaca_coins
from market.models import Instrument
from market.tests import factories
from market.tests.leading import Listener, eventually, leading, want

COINS = ["BTC/USD", "DOGE/USD", "ETH/USD", "SOL/USD", "USDC/USD"]


def read(*symbols, today):
    return gateways.get().data.snapshots(symbols, today=today)


def minute_before(sandbox, symbol, midnight):
    """What the vendor's last minute before a moment closed at."""
    params = {
        "symbols": symbol,
        "timeframe": "1Min",
        "start": (midnight - timedelta(minutes=1)).astimezone(UTC).isoformat(),
        "end": (midnight - timedelta(seconds=1)).astimezone(UTC).isoformat(),
    }
    url = f"{sandbox.url}/alpaca/data/v1beta3/crypto/us/bars"
    answer = httpx.get(url, params=params, auth=("CKSANDBOX", "sandbox-secret"), trust_env=False)
    (bar,) = answer.json(parse_float=Decimal)["bars"][symbol]
    return bar["c"]


class TestSnapshots:
    def test_shares_and_coins_come_from_one_question(self, sandbox):
        sandbox.control("POST", "/prices", {"DOGE/USD": "0.123456789", "AAPL": "123.45"})

        found = read("AAPL", "DOGE/USD", "BTC/USD", today=new_york_date(datetime.now(UTC)))

        assert set(found) == {"AAPL", "DOGE/USD", "BTC/USD"}
        assert found["AAPL"].last == Decimal("123.45")
        assert found["DOGE/USD"].last == Decimal("0.123456789")
        bitcoin = found["BTC/USD"]
        assert bitcoin.bid < bitcoin.ask
        assert bitcoin.as_of is not None
        assert bitcoin.previous_close is not None

    def test_a_bad_name_costs_the_others_nothing(self, sandbox):
        names = ["BTC/USD", "NOPE/USD", "btc/usd", "BTC/", "/USD", "A/B/C", "BTC/USD,ETH/USD"]

        found = read(*names, today=new_york_date(datetime.now(UTC)))

        assert set(found) == {"BTC/USD"}

    def test_switched_off_there_are_none(self, sandbox, settings):
        settings.ALPACA_CRYPTO_STREAM_URL = ""

        found = read("AAPL", "BTC/USD", today=new_york_date(datetime.now(UTC)))

        assert set(found) == {"AAPL"}
        assert gateways.get().coin_stream is None
        assert not [a for a in gateways.get().broker.list_assets() if "/" in a.symbol]

    def test_coins_that_are_not_for_us_cost_the_shares_nothing(self, sandbox):
        sandbox.fault(vendor="alpaca_data", kind="status", status=403, path="crypto|^/us/", times=9)

        found = read("AAPL", "BTC/USD", today=new_york_date(datetime.now(UTC)))

        assert set(found) == {"AAPL"}


class TestMidnight:
    @pytest.mark.parametrize(
        "today",
        [
            date(2025, 3, 8),
            date(2025, 3, 9),  # 23 hours long
            date(2025, 3, 10),
            date(2025, 11, 2),  # 25 hours long
            date(2025, 11, 3),
            date(2025, 12, 25),
            date(2026, 1, 1),
        ],
        ids=str,
    )
    def test_the_previous_close_is_the_price_when_the_day_began_in_new_york(self, sandbox, today):
        midnight = datetime.combine(today, time(), tzinfo=NEW_YORK)

        found = read("BTC/USD", "USDC/USD", today=today)

        for symbol in ("BTC/USD", "USDC/USD"):
            assert found[symbol].previous_close == minute_before(sandbox, symbol, midnight)

    def test_it_is_not_that_of_the_vendors_days(self, sandbox):
        today = new_york_date(datetime.now(UTC))
        found = read(*COINS, today=today)
        url = f"{sandbox.url}/alpaca/data/v1beta3/crypto/us/snapshots"
        auth = ("CKSANDBOX", "sandbox-secret")
        answer = httpx.get(url, params={"symbols": ",".join(COINS)}, auth=auth, trust_env=False)

        days = answer.json(parse_float=Decimal)["snapshots"]

        assert all(
            found[symbol].previous_close
            not in {days[symbol]["dailyBar"]["o"], days[symbol]["prevDailyBar"]["c"]}
            for symbol in COINS
        )

    def test_it_is_asked_for_once_a_day(self, sandbox):
        today = date(2025, 6, 3)
        before = read(*COINS, today=today)
        sandbox.fault(vendor="alpaca_data", kind="status", status=500, path="bars", times=9)

        again = read(*COINS, today=today)

        closes = {symbol: one.previous_close for symbol, one in before.items()}
        assert {symbol: one.previous_close for symbol, one in again.items()} == closes
        with pytest.raises(VendorError):
            read(*COINS, today=date(2025, 6, 4))

    def test_before_anything_of_the_day_is_measured_it_is_the_last_trade(self, sandbox):
        tomorrow = new_york_date(datetime.now(UTC)) + timedelta(days=2)
        sandbox.control("POST", "/prices", {"BTC/USD": "91234.5"})

        found = read("BTC/USD", today=tomorrow)

        assert found["BTC/USD"].previous_close == Decimal("91234.5")
        assert alpaca_coins._kept == {}


class TestSocket:
    def test_sends_coins_beside_the_socket_of_shares(self, sandbox):
        with gateways.get().stream.open(), gateways.get().coin_stream.open() as opened:
            opened.cover(["BTC/USD", "ETH/USD"])
            news = [item for _ in range(8) for item in opened.read(timeout_seconds=0.5)]

        assert Covered(frozenset({"BTC/USD", "ETH/USD"})) in news
        trades = [item for item in news if isinstance(item, Trade)]
        assert {trade.symbol for trade in trades} == {"BTC/USD", "ETH/USD"}
        assert any(isinstance(item, BestPrices) for item in news)


@pytest.mark.django_db
class TestInstruments:
    def test_are_known_by_their_name_in_any_case(self, sandbox):
        found = selectors.get_instrument(symbol="btc/usd")

        assert (found.symbol, found.asset_class, found.exchange) == ("BTC/USD", "crypto", "CRYPTO")
        assert (found.tradable, found.fractionable, found.multiplier) == (True, True, 1)

    def test_are_in_the_list_of_all(self, sandbox):
        assets = gateways.get().broker.list_assets()

        assert sorted(a.symbol for a in assets if a.asset_class == "crypto") == COINS
        assert "AAPL" in {a.symbol for a in assets}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_prices")
def test_a_changed_price_is_published_at_once_beside_those_of_shares(sandbox):
    want("BTC/USD", "AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("BTC/USD"))
        assert eventually(lambda: heard.price_of("AAPL"))
        sandbox.control("POST", "/prices", {"BTC/USD": "91234.567", "AAPL": "123.45"})
        assert eventually(lambda: heard.price_of("BTC/USD") == Decimal("91234.567"))
        assert eventually(lambda: heard.price_of("AAPL") == Decimal("123.45"))
        assert eventually(lambda: published_close("BTC/USD") is not None)


def published_close(symbol):
    return selectors.get_quote(symbol=symbol, at=datetime.now(UTC)).previous_close


@pytest.mark.django_db
@pytest.mark.usefixtures("no_prices")
def test_an_old_price_of_a_coin_is_stale_while_the_stock_market_is_closed():
    at = datetime.now(UTC)
    old = factories.snapshot("BTC/USD", "90000", at=at - timedelta(minutes=2))
    parts = factories.vendors(
        broker=factories.FakeBroker(
            {"BTC/USD": factories.asset("BTC/USD", asset_class="crypto")}, is_open=False
        ),
        data=factories.FakeData({"BTC/USD": old}),
    )
    with gateways.use(parts), pytest.raises(PriceStale):
        selectors.get_quote(symbol="BTC/USD", at=at)
    assert Instrument.objects.get(symbol="BTC/USD").asset_class == "crypto"


class TestOneFailing:
    def test_shares_are_answered_while_coins_cannot_be_asked(self):
        class HalfData(factories.FakeData):
            def snapshots(self, symbols, *, today):
                if "BTC/USD" in symbols:
                    raise VendorUnavailable("alpaca-data", "Nobody is there.")
                return super().snapshots(symbols, today=today)

        data = HalfData({"AAPL": factories.snapshot()})
        with gateways.use(factories.vendors(data=data)):
            found = selectors.ask_prices(symbols=["BTC/USD", "AAPL"], at=datetime.now(UTC))
            with pytest.raises(VendorError):
                selectors.ask_prices(symbols=["BTC/USD"], at=datetime.now(UTC))

        assert set(found) == {"AAPL"}
