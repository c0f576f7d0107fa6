from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import simplejson
from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.models import BarSet
from alpaca.data.requests import (
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame

from sandbox.tests.conftest import Server

START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def client(sandbox_server: Server) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(
        *sandbox_server.auth, use_basic_auth=True, url_override=f"{sandbox_server.url}/alpaca/data"
    )


def get(server: Server, path: str, **query: str) -> httpx.Response:
    return httpx.get(f"{server.url}/alpaca/data{path}", params=query, auth=server.auth)


class TestLatest:
    def test_the_vendors_client_reads_trades_quotes_and_bars(
        self, sandbox_server: Server, client: StockHistoricalDataClient
    ):
        sandbox_server.control("prices", {"AAPL": "123.45", "BRK.B": "500"})
        symbols = ["AAPL", "BRK.B"]

        trades = client.get_stock_latest_trade(
            StockLatestTradeRequest(symbol_or_symbols=symbols, feed=DataFeed.IEX)
        )
        quotes = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=symbols))
        bars = client.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=symbols))

        assert {s: t.price for s, t in trades.items()} == {"AAPL": 123.45, "BRK.B": 500.0}
        assert (quotes["AAPL"].bid_price, quotes["AAPL"].ask_price) == (123.44, 123.46)
        assert set(bars) == set(symbols)
        sandbox_server.control("prices", {"AAPL": None, "BRK.B": None})

    def test_prices_are_json_numbers_with_exact_digits(self, sandbox_server: Server):
        sandbox_server.control("prices", {"AAPL": "123.40"})
        text = get(sandbox_server, "/v2/stocks/AAPL/trades/latest").text

        assert '"p": 123.40' in text
        assert simplejson.loads(text, use_decimal=True)["trade"]["p"] == Decimal("123.40")
        sandbox_server.control("prices", {"AAPL": None})

    def test_unknown_symbols_are_left_out(self, sandbox_server: Server):
        answer = get(sandbox_server, "/v2/stocks/trades/latest", symbols="AAPL,NOSUC")

        assert list(answer.json()["trades"]) == ["AAPL"]


class TestSnapshots:
    def test_the_vendors_client_reads_them(
        self, sandbox_server: Server, client: StockHistoricalDataClient
    ):
        found = client.get_stock_snapshot(
            StockSnapshotRequest(symbol_or_symbols=["AAPL", "SPY"], feed=DataFeed.IEX)
        )
        prices = sandbox_server.world.prices

        assert set(found) == {"AAPL", "SPY"}
        snapshot: Any = found["SPY"]
        assert Decimal(str(snapshot.previous_daily_bar.close)) == prices.previous_close("SPY")
        assert snapshot.latest_quote.bid_price < snapshot.latest_quote.ask_price
        assert snapshot.daily_bar.low <= snapshot.daily_bar.close <= snapshot.daily_bar.high
        assert snapshot.minute_bar.timestamp.second == 0

    def test_one_symbol_has_a_path_of_its_own(self, sandbox_server: Server):
        answer = get(sandbox_server, "/v2/stocks/BRK.B/snapshot").json()

        assert answer["symbol"] == "BRK.B"
        assert answer["latestTrade"]["p"] > 0

    @pytest.mark.parametrize(
        ("path", "query", "status"),
        [
            ("/v2/stocks/NOSUC/snapshot", {}, 404),
            ("/v2/stocks/TWTR/snapshot", {}, 404),
            ("/v2/stocks/snapshots", {}, 400),
            ("/v2/stocks/snapshots", {"symbols": "AAPL", "feed": "nofeed"}, 400),
            ("/v2/stocks/snapshots", {"symbols": "not a symbol"}, 400),
        ],
    )
    def test_a_wrong_request_is_refused(
        self, sandbox_server: Server, path: str, query: dict[str, str], status: int
    ):
        answer = get(sandbox_server, path, **query)

        assert answer.status_code == status
        assert answer.json()["message"]


class TestBars:
    def test_the_vendors_client_follows_the_pages(
        self, sandbox_server: Server, client: StockHistoricalDataClient
    ):
        end = START + timedelta(days=2)
        symbols = ["MSFT", "AAPL", "SPY", "KO"]
        minutes = StockBarsRequest(
            symbol_or_symbols=symbols, timeframe=TimeFrame.Minute, start=START, end=end
        )

        answer = client.get_stock_bars(minutes)  # more than the 10,000 of one page

        assert isinstance(answer, BarSet)
        found = answer.data
        assert set(found) == set(symbols)
        for symbol in symbols:
            expected = sandbox_server.world.prices.bars(symbol, "1Min", START, end)
            assert [b.timestamp for b in found[symbol]] == [b.at for b in expected]
            assert [b.close for b in found[symbol]] == [float(b.close) for b in expected]
        assert sum(map(len, found.values())) > 10_000

    def test_pages_are_cut_by_symbol_then_time_and_lose_nothing(self, sandbox_server: Server):
        query = {
            "symbols": "MSFT,AAPL",
            "timeframe": "1Day",
            "start": "2026-03-02",
            "end": "2026-03-06",
            "limit": "4",
        }
        pages: list[list[tuple[str, str]]] = []
        token: str | None = ""
        while token is not None:
            answer = get(
                sandbox_server,
                "/v2/stocks/bars",
                **query,
                **({"page_token": token} if token else {}),
            ).json()
            pages.append([(s, b["t"]) for s, bars in answer["bars"].items() for b in bars])
            token = answer["next_page_token"]

        days = [f"2026-03-0{n}T05:00:00Z" for n in range(2, 7)]
        whole = [(symbol, day) for symbol in ("AAPL", "MSFT") for day in days]
        assert [entry for page in pages for entry in page] == whole
        assert [len(page) for page in pages] == [4, 4, 2]

    def test_come_newest_first_when_asked(self, sandbox_server: Server):
        query = {"timeframe": "1Day", "start": "2026-03-02", "end": "2026-03-06", "sort": "desc"}
        first = get(sandbox_server, "/v2/stocks/AAPL/bars", **query, limit="2").json()
        second = get(
            sandbox_server,
            "/v2/stocks/AAPL/bars",
            **query,
            page_token=first["next_page_token"],
        ).json()

        days = [bar["t"][:10] for bar in first["bars"] + second["bars"]]
        assert days == [f"2026-03-0{n}" for n in (6, 5, 4, 3, 2)]

    def test_none_is_an_empty_object(self, sandbox_server: Server):
        answer = get(sandbox_server, "/v2/stocks/bars", symbols="NOSUC", timeframe="1Day")

        assert answer.json() == {"bars": {}, "next_page_token": None}

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"timeframe": "1Year"},
            {"timeframe": "1Day", "start": "yesterday"},
            {"timeframe": "1Day", "start": "2026-03-06", "end": "2026-03-02"},
            {"timeframe": "1Day", "limit": "0"},
            {"timeframe": "1Day", "limit": "10001"},
            {"timeframe": "1Day", "page_token": "%%%"},
            {"timeframe": "1Day", "adjustment": "none"},
        ],
    )
    def test_a_wrong_request_is_refused(self, sandbox_server: Server, query: dict[str, str]):
        assert get(sandbox_server, "/v2/stocks/bars", symbols="AAPL", **query).status_code == 400


class TestAccess:
    def test_the_vendors_own_headers_work_too(self, sandbox_server: Server):
        key, secret = sandbox_server.auth
        client = StockHistoricalDataClient(
            key, secret, url_override=f"{sandbox_server.url}/alpaca/data"
        )
        found = client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))

        assert found["AAPL"].symbol == "AAPL"

    def test_wrong_credentials_are_refused(self, sandbox_server: Server):
        client = StockHistoricalDataClient(
            "CKSANDBOX",
            "wrong",
            use_basic_auth=True,
            url_override=f"{sandbox_server.url}/alpaca/data",
        )
        with pytest.raises(APIError, match="forbidden"):
            client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 401),
            ({"authorization": "Basic ???"}, 401),
            ({"authorization": "Basic Q0s6bm8="}, 403),
            ({"apca-api-key-id": "CKSANDBOX"}, 403),
        ],
    )
    def test_missing_or_broken_credentials_are_refused(
        self, sandbox_server: Server, headers: dict[str, str], status: int
    ):
        answer = httpx.get(
            f"{sandbox_server.url}/alpaca/data/v2/stocks/AAPL/snapshot", headers=headers
        )

        assert answer.status_code == status


def test_a_closed_market_answers_with_the_last_close(serve: Callable[..., Server]):
    server = serve(market="real", speed=0)
    clock = server.world.clock
    next_saturday = (5 - clock.now().weekday()) % 7 or 7
    clock.advance(timedelta(days=next_saturday).total_seconds())
    snapshot = get(server, "/v2/stocks/AAPL/snapshot").json()

    assert snapshot["latestTrade"]["p"] == snapshot["dailyBar"]["c"]
    assert snapshot["latestTrade"]["t"] < clock.now().isoformat()
