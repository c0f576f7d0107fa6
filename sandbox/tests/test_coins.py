"""Coins at the pretend vendor, as its own clients and a plain reader of the wire find them."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from alpaca.broker.client import BrokerClient
from alpaca.data.historical import CryptoHistoricalDataClient
from alpaca.data.live import CryptoDataStream
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.enums import AssetClass
from alpaca.trading.requests import GetAssetsRequest

from sandbox.sessions import NEW_YORK
from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.sockets import AUTH, connected, faults, wait_for_no_connection

COINS = {"BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD", "USDC/USD"}
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def data(still_server: Server) -> CryptoHistoricalDataClient:
    url = f"{still_server.url}/alpaca/data"
    return CryptoHistoricalDataClient(*still_server.auth, use_basic_auth=True, url_override=url)


@pytest.fixture
def saturday(shared_exchange: Server) -> Server:
    """A market with hours, on a Saturday at noon."""
    shared_exchange.control("reset")
    now = shared_exchange.world.clock.now().astimezone(NEW_YORK)
    noon = datetime.combine(now.date(), datetime.min.time().replace(hour=12), NEW_YORK)
    noon += timedelta(days=(5 - noon.weekday()) % 7 or 7)
    shared_exchange.control("clock", {"advance": (noon - now).total_seconds()})
    return shared_exchange


def get(server: Server, path: str, **params: str) -> httpx.Response:
    url = f"{server.url}/alpaca/data/v1beta3/crypto/us/{path}"
    return server.http.get(url, params=params, auth=server.auth)


class TestAssets:
    def test_are_listed_when_asked_for_and_found_under_both_names(self, still_server: Server):
        client: Any = BrokerClient(*still_server.auth, url_override=still_server.broker_url)

        shares = {asset.symbol for asset in client.get_all_assets(GetAssetsRequest())}
        coins = client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))

        assert {asset.symbol for asset in coins} == COINS
        assert not shares & COINS
        assert client.get_asset("BTCUSD").symbol == "BTC/USD"
        client._session.close()

    def test_a_coin_is_traded_in_parts_and_neither_lent_nor_pledged(self, still_server: Server):
        asset = Desk(still_server).call("GET", "/v1/assets/DOGE%2FUSD")

        assert (asset["symbol"], asset["class"], asset["exchange"]) == (
            "DOGE/USD",
            "crypto",
            "CRYPTO",
        )
        assert (asset["fractionable"], asset["marginable"], asset["shortable"]) == (
            True,
            False,
            False,
        )
        assert asset["price_increment"] == "0.000000001"


class TestPrices:
    def test_the_vendors_client_reads_snapshots_quotes_and_trades(self, data: Any):
        snapshots = data.get_crypto_snapshot(
            CryptoSnapshotRequest(symbol_or_symbols=["BTC/USD", "DOGE/USD", "NOPE/USD"])
        )
        quote = data.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols="ETH/USD"))
        trade = data.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols="SOL/USD"))

        assert set(snapshots) == {"BTC/USD", "DOGE/USD"}
        bitcoin = snapshots["BTC/USD"]
        assert bitcoin.latest_quote.bid_price < bitcoin.latest_quote.ask_price
        assert bitcoin.latest_trade.price > 0
        assert bitcoin.minute_bar.close > 0
        assert bitcoin.previous_daily_bar.close > 0
        assert quote["ETH/USD"].ask_price > 0
        assert trade["SOL/USD"].size > 0

    def test_days_begin_at_midnight_in_chicago_and_have_24_hours(self, data: Any):
        start, end = datetime(2026, 1, 2, tzinfo=CHICAGO), datetime(2026, 1, 6, 12, tzinfo=UTC)
        request = CryptoBarsRequest(
            symbol_or_symbols="BTC/USD",
            timeframe=TimeFrame.Day,
            start=start,
            end=end,
        )
        days = data.get_crypto_bars(request).data["BTC/USD"]

        assert [day.timestamp.astimezone(CHICAGO).isoformat() for day in days] == [
            f"2026-01-0{n}T00:00:00-06:00" for n in (2, 3, 4, 5, 6)
        ]

    def test_a_day_of_hours_has_no_gap_at_the_weekend(self, data: Any):
        start = datetime(2026, 1, 2, 20, tzinfo=UTC)
        request = CryptoBarsRequest(
            symbol_or_symbols="ETH/USD",
            timeframe=TimeFrame.Hour,
            start=start,
            end=start + timedelta(hours=71),
        )
        hours = data.get_crypto_bars(request).data["ETH/USD"]

        assert [bar.timestamp for bar in hours] == [start + timedelta(hours=n) for n in range(72)]
        assert len({bar.close for bar in hours}) > 60

    def test_a_price_has_nine_digits(self, still_server: Server):
        still_server.control("prices", {"DOGE/USD": "0.123456789", "BTCUSD": "98765.4321"})

        found = get(still_server, "snapshots", symbols="DOGE/USD,BTC/USD").text

        assert '"p": 0.123456789' in found
        assert '"p": 98765.4321' in found

    @pytest.mark.parametrize("symbol", ["BTCUSD", "AAPL", "btc/usd", ""])
    def test_one_name_that_is_none_spoils_the_request(self, still_server: Server, symbol: str):
        answer = get(still_server, "snapshots", symbols=f"BTC/USD,{symbol}")

        assert answer.status_code == 400

    def test_coins_are_no_shares(self, still_server: Server):
        url = f"{still_server.url}/alpaca/data/v2/stocks/snapshots"
        answer = still_server.http.get(url, params={"symbols": "BTC/USD"}, auth=still_server.auth)

        assert answer.status_code == 400

    def test_move_on_a_saturday_when_shares_do_not(self, saturday: Server):
        prices = saturday.world.prices
        before = {symbol: prices.quote(symbol) for symbol in ("AAPL", *COINS)}
        saturday.control("clock", {"advance": 3600})
        after = {symbol: prices.quote(symbol) for symbol in ("AAPL", *COINS)}

        assert not prices.is_open(saturday.world.clock.now())
        assert before["AAPL"] == after["AAPL"]
        assert all(before[symbol].last != after[symbol].last for symbol in COINS)  # type: ignore[union-attr]
        assert all(
            saturday.world.clock.now() - after[symbol].at < timedelta(seconds=1)  # type: ignore[union-attr]
            for symbol in COINS
        )


class TestOrders:
    @pytest.fixture
    def desk(self, saturday: Server) -> Desk:
        desk = Desk(saturday)
        desk.set_price("BTC/USD", "90000")
        return desk

    @pytest.fixture
    def account_id(self, desk: Desk) -> str:
        account_id = desk.open_account()
        desk.server.control(f"accounts/{account_id}/cash", {"change": "60000"})
        desk.set_status(account_id, crypto_status="ACTIVE")
        return account_id

    def test_fill_on_a_saturday_and_are_held_without_slash(self, desk: Desk, account_id: str):
        taken = desk.order(account_id, symbol="BTC/USD", qty="0.5", time_in_force="gtc")
        desk.advance(1)
        order = desk.show_order(account_id, taken["id"])
        (position,) = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
        told = desk.call("GET", "/v1/accounts/activities", params={"account_id": account_id})

        assert (order["symbol"], order["asset_class"], order["status"]) == (
            "BTC/USD",
            "crypto",
            "filled",
        )
        assert (position["symbol"], position["asset_class"], position["qty"]) == (
            "BTCUSD",
            "crypto",
            "0.5",
        )
        assert [(line["activity_type"], line["symbol"]) for line in told] == [("FILL", "BTCUSD")]
        path = f"/v1/trading/accounts/{account_id}/positions/BTCUSD"
        assert desk.call("GET", path) == position
        assert desk.call("DELETE", path)["side"] == "sell"
        desk.advance(1)
        assert desk.call("GET", f"/v1/trading/accounts/{account_id}/positions") == []

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ({"time_in_force": "day"}, "invalid crypto time_in_force"),
            (
                {"type": "stop", "stop_price": "80000"},
                "invalid order type for crypto order: stop",
            ),
            (
                {"type": "limit", "limit_price": "80000", "extended_hours": True},
                "crypto orders must not be extended hours orders",
            ),
        ],
    )
    def test_of_other_kinds_are_refused(
        self, desk: Desk, account_id: str, wanted: Any, message: str
    ):
        body = {"symbol": "BTCUSD", "qty": "0.1", "time_in_force": "gtc"} | wanted

        assert desk.order(account_id, status=422, **body)["message"] == message

    def test_need_an_account_that_may(self, desk: Desk, account_id: str):
        desk.set_status(account_id, crypto_status="INACTIVE")

        refused = desk.order(
            account_id, status=422, symbol="BTC/USD", qty="0.1", time_in_force="gtc"
        )

        assert refused["message"].startswith("crypto orders not allowed for account")


class TestSocket:
    def test_the_vendors_client_reads_trades_quotes_and_bars(self, serve: Callable[..., Server]):
        server = serve(speed=600, market="real")
        seen: dict[str, list[Any]] = {"trade": [], "quote": [], "bar": []}
        enough = threading.Event()
        url = f"{server.url.replace('http', 'ws')}/alpaca/stream/v1beta3/crypto/us"
        stream = CryptoDataStream(*server.auth, url_override=url)

        def keep(kind: str) -> Callable[[Any], Any]:
            async def handler(told: Any) -> None:
                seen[kind].append(told)
                if all(seen.values()):
                    enough.set()

            return handler

        stream.subscribe_trades(keep("trade"), "BTC/USD")
        stream.subscribe_quotes(keep("quote"), "BTC/USD")
        stream.subscribe_bars(keep("bar"), "BTC/USD")
        thread = threading.Thread(target=stream.run, daemon=True)
        thread.start()
        assert enough.wait(60)
        stream.stop()
        thread.join(60)

        trade, quote, bar = (seen[kind][0] for kind in ("trade", "quote", "bar"))
        assert {trade.symbol, quote.symbol, bar.symbol} == {"BTC/USD"}
        assert quote.bid_price < quote.ask_price
        assert bar.low <= bar.close <= bar.high

    def test_has_a_connection_and_symbols_of_its_own(self, still_server: Server):
        async def talk() -> None:
            everything = {"action": "subscribe", "trades": ["*"]}
            async with connected(still_server) as shares, connected(still_server, "coins") as coins:
                await coins.say(everything)
                await shares.say(everything)
                still_server.control("prices", {"BTC/USD": "90001", "AAPL": "201"})
                trade = await coins.until("t")
                assert (trade["S"], trade["p"], trade["tks"]) == ("BTC/USD", 90001.0, "S")
                assert (await shares.until("t"))["S"] == "AAPL"
                async with connected(still_server, "coins", auth=None) as third:
                    await third.send(AUTH)
                    assert (await third.receive())[0]["code"] == 406

        wait_for_no_connection(still_server)
        asyncio.run(talk())
        assert Decimal(faults(still_server)["sent"]) > 0
