from datetime import date
from typing import Any

import httpx
import pytest

from sandbox.tests.conftest import Server


def get(server: Server, path: str, *, key: str = "sandbox-fmp", **query: str) -> httpx.Response:
    return httpx.get(f"{server.url}/fmp/stable/{path}", params=query, headers={"apikey": key})


def rows(server: Server, path: str, **query: str) -> list[dict[str, Any]]:
    answer = get(server, path, **query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


class TestProfile:
    def test_describes_a_company(self, sandbox_server: Server):
        sandbox_server.control("prices", {"AAPL": "250"})
        (profile,) = rows(sandbox_server, "profile", symbol="AAPL")

        assert (profile["companyName"], profile["sector"]) == ("Apple Inc.", "Technology")
        assert (profile["price"], profile["isEtf"]) == (250, False)
        assert profile["marketCap"] == 250 * 14_800_000_000
        low, high = map(float, profile["range"].split("-"))
        assert low < high
        sandbox_server.control("prices", {"AAPL": None})

    def test_describes_a_fund(self, sandbox_server: Server):
        (profile,) = rows(sandbox_server, "profile", symbol="SPY")

        assert profile["isEtf"] is True
        assert "exchange-traded fund" in profile["description"]

    def test_of_an_unknown_symbol_is_an_empty_list(self, sandbox_server: Server):
        assert rows(sandbox_server, "profile", symbol="NOSUC") == []
        assert rows(sandbox_server, "profile") == []


class TestQuote:
    def test_holds_together(self, sandbox_server: Server):
        (quote,) = rows(sandbox_server, "quote", symbol="MSFT")

        assert quote["dayLow"] <= quote["price"] <= quote["dayHigh"]
        assert quote["yearLow"] <= quote["dayLow"]
        assert quote["change"] == pytest.approx(quote["price"] - quote["previousClose"])
        close = sandbox_server.world.prices.previous_close("MSFT")
        assert close is not None
        assert quote["previousClose"] == float(close)

    def test_of_an_unknown_or_delisted_symbol_is_an_empty_list(self, sandbox_server: Server):
        assert rows(sandbox_server, "quote", symbol="NOSUC") == []
        assert rows(sandbox_server, "quote", symbol="TWTR") == []


class TestHistory:
    def test_lists_days_newest_first_with_the_closes_of_the_price_book(
        self, sandbox_server: Server
    ):
        days = rows(
            sandbox_server,
            "historical-price-eod/full",
            symbol="AAPL",
            **{"from": "2026-03-02", "to": "2026-03-04"},
        )

        assert [day["date"] for day in days] == ["2026-03-04", "2026-03-03", "2026-03-02"]
        prices = sandbox_server.world.prices
        sessions = reversed(prices.calendar(_day(days[-1]), _day(days[0])))
        expected = [float(prices.close_on("AAPL", s.date) or 0) for s in sessions]
        assert [day["close"] for day in days] == expected

    def test_of_an_unknown_symbol_is_empty(self, sandbox_server: Server):
        assert rows(sandbox_server, "historical-price-eod/full", symbol="NOSUC") == []


class TestSearch:
    def test_finds_symbols_by_their_beginning(self, sandbox_server: Server):
        found = rows(sandbox_server, "search-symbol", query="brk")

        assert [row["symbol"] for row in found] == ["BRK.A", "BRK.B"]
        assert rows(sandbox_server, "search-symbol", query="") == []


def test_a_wrong_key_is_refused(sandbox_server: Server):
    answer = get(sandbox_server, "profile", key="wrong", symbol="AAPL")

    assert answer.status_code == 401
    assert "Error Message" in answer.json()


def _day(row: dict[str, Any]) -> date:
    return date.fromisoformat(row["date"])
