import json
from decimal import Decimal
from typing import Any

import pytest

from sandbox.assets import Catalogue
from sandbox.planner import plan
from sandbox.understanding import Intent, understand

CATALOGUE = Catalogue()
TRADE = {
    "name": "propose_trade",
    "description": "Suggest a trade. The user must approve it.",
    "parameters": {
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "side": {"type": "string", "enum": ["buy", "sell"]},
            "notional": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
            "quantity": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
            "limit_price": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "order_type": {"type": "string", "enum": ["market", "limit"], "default": "market"},
        },
        "required": ["symbol", "side"],
    },
}
PORTFOLIO = {
    "name": "get_portfolio_summary",
    "description": "Read the user's holdings and their value.",
    "parameters": {"type": "object", "properties": {}},
}
PRICE = {
    "name": "get_quote",
    "description": "Latest price of a stock.",
    "parameters": {
        "type": "object",
        "properties": {"symbol": {"type": "string"}},
        "required": ["symbol"],
    },
}
RESEARCH = {
    "name": "web_search",
    "description": "Search news and research about companies.",
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    },
}
ALL = (TRADE, PORTFOLIO, PRICE, RESEARCH)


def asked(*messages: Any, tools: Any = ALL, **more: Any) -> Any:
    spoken = [m if isinstance(m, dict) else {"role": "user", "content": m} for m in messages]
    body = {"messages": spoken, "tools": [{"type": "function", "function": t} for t in tools]}
    return plan(body | more, CATALOGUE)


def called(*messages: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    (call,) = asked(*messages, **more).calls
    return call.name, call.arguments


class TestTrades:
    @pytest.mark.parametrize(
        ("text", "arguments"),
        [
            ("Buy $50 of AAPL", {"symbol": "AAPL", "side": "buy", "notional": "50"}),
            (
                "please purchase 1,000.50 dollars of Apple",
                {"symbol": "AAPL", "side": "buy", "notional": "1000.50"},
            ),
            ("invest 2k usd in spy", {"symbol": "SPY", "side": "buy", "notional": "2000"}),
            ("sell 3 shares of tesla", {"symbol": "TSLA", "side": "sell", "quantity": "3"}),
            ("Sell 0.25 BRK.B", {"symbol": "BRK.B", "side": "sell", "quantity": "0.25"}),
            ("Put $500 into Microsoft", {"symbol": "MSFT", "side": "buy", "notional": "500"}),
            ("buy $20 of $F", {"symbol": "F", "side": "buy", "notional": "20"}),
            ("Buy $5 worth of ZZZZ", {"symbol": "ZZZZ", "side": "buy", "notional": "5"}),
            (
                "buy 2 shares of MSFT at $300",
                {
                    "symbol": "MSFT",
                    "side": "buy",
                    "quantity": "2",
                    "limit_price": "300",
                    "order_type": "limit",
                },
            ),
        ],
    )
    def test_fill_the_schema_from_the_sentence(self, text: str, arguments: dict[str, str]):
        name, found = called(text)

        assert name == "propose_trade"
        assert found == arguments

    def test_write_numbers_as_the_schema_wants_them(self):
        typed = {
            "name": "buy_stock",
            "description": "",
            "parameters": {
                "$defs": {"Side": {"type": "string", "enum": ["BUY", "SELL"]}},
                "properties": {
                    "ticker": {"type": "string"},
                    "side": {"$ref": "#/$defs/Side"},
                    "shares": {"type": "integer"},
                    "amount": {"type": "number"},
                },
                "required": ["ticker", "side"],
            },
        }

        assert called("buy 3 shares of NVDA", tools=[typed])[1] == {
            "ticker": "NVDA",
            "side": "BUY",
            "shares": 3,
        }
        assert called("buy $12.50 of NVDA", tools=[typed])[1]["amount"] == 12.5

    def test_choose_the_tool_for_the_right_side(self):
        buying, selling = (
            {
                "name": f"{side}_stock",
                "description": f"{side} a stock",
                "parameters": {
                    "properties": {"symbol": {"type": "string"}, "amount": {"type": "string"}},
                    "required": ["symbol", "amount"],
                },
            }
            for side in ("buy", "sell")
        )

        assert called("sell $10 of KO", tools=[buying, selling])[0] == "sell_stock"
        assert called("buy $10 of KO", tools=[selling, buying])[0] == "buy_stock"

    def test_ask_for_what_is_missing_and_use_the_answer(self):
        first = asked("buy some Apple")
        assert first.calls == []
        assert "amount" in first.content

        name, arguments = called(
            "buy some Apple", {"role": "assistant", "content": first.content}, "$75"
        )

        assert name == "propose_trade"
        assert arguments == {"symbol": "AAPL", "side": "buy", "notional": "75"}

    def test_ask_for_the_symbol(self):
        turn = asked("buy $100 of something nice")

        assert turn.calls == []
        assert "symbol" in turn.content

    def test_an_older_request_is_not_repeated(self):
        name, _ = called(
            "buy $50 of AAPL",
            {"role": "assistant", "content": "I prepared it."},
            "How is my portfolio doing?",
        )

        assert name == "get_portfolio_summary"


class TestOtherTools:
    @pytest.mark.parametrize(
        ("text", "name", "arguments"),
        [
            ("What is my portfolio worth?", "get_portfolio_summary", {}),
            ("how am I doing?", "get_portfolio_summary", {}),
            ("show me my positions", "get_portfolio_summary", {}),
            ("how much cash do I have", "get_portfolio_summary", {}),
            ("what's my buying power?", "get_portfolio_summary", {}),
            ("What is the price of Microsoft?", "get_quote", {"symbol": "MSFT"}),
            ("how much is nvda", "get_quote", {"symbol": "NVDA"}),
            ("any news on Tesla?", "web_search", {"query": "any news on Tesla?"}),
        ],
    )
    def test_are_chosen_by_the_words(self, text: str, name: str, arguments: dict[str, str]):
        assert called(text) == (name, arguments)

    def test_a_router_gets_the_value_that_fits(self):
        route = {
            "name": "route",
            "description": "Choose who answers.",
            "parameters": {
                "properties": {"to": {"enum": ["research", "portfolio", "trade", "end"]}},
                "required": ["to"],
            },
        }
        choice = {"type": "function", "function": {"name": "route"}}

        assert called("buy $5 of KO", tools=[route], tool_choice=choice)[1] == {"to": "trade"}
        assert called("my holdings?", tools=[route], tool_choice=choice)[1] == {"to": "portfolio"}

    def test_none_is_called_when_the_client_forbids_it(self):
        assert asked("my portfolio?", tool_choice="none").calls == []

    def test_a_wanted_shape_is_filled_in(self):
        shape = {
            "type": "json_schema",
            "json_schema": {"schema": {"properties": {"symbols": {"type": "array"}}}},
        }

        turn = asked("compare Apple and MSFT", response_format=shape)

        assert json.loads(turn.content) == {"symbols": ["AAPL", "MSFT"]}


class TestWords:
    def test_say_what_it_is_when_it_answers_without_a_tool(self):
        for turn in (asked("hello"), asked("hello", tools=[])):
            assert turn.calls == []
            assert "keyword planner standing in for a language model" in turn.content

    @pytest.mark.parametrize(
        ("result", "told"),
        [
            ("Proposal p-1 waits for approval.", "Proposal p-1 waits for approval."),
            ('{"total_value": "1204.55", "cash": null}', "total value 1204.55, cash unknown"),
            ('[{"symbol": "AAPL"}, {"symbol": "KO"}]', "AAPL, KO"),
            ("[]", "nothing"),
            ('{"error": "no such account"}', "That did not work: no such account."),
            ("", "The tool gave no result."),
        ],
    )
    def test_retell_what_the_tool_said(self, result: str, told: str):
        turn = asked(
            "my portfolio?",
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
            {"role": "tool", "tool_call_id": "c", "content": result},
        )

        assert turn.calls == []
        assert told in turn.content
        assert "Keyword planner" in turn.content

    def test_retell_every_result_of_the_turn(self):
        turn = asked(
            "both?",
            {"role": "assistant", "content": None},
            {"role": "tool", "tool_call_id": "a", "content": "One."},
            {"role": "tool", "tool_call_id": "b", "content": "Two."},
        )

        assert turn.content.startswith("One. Two.")


class TestUnderstanding:
    @pytest.mark.parametrize(
        "text", ["I want all of it now", "so it is on the low side, see", "can you open it for me"]
    )
    def test_words_that_are_also_tickers_are_words(self, text: str):
        assert understand(text, CATALOGUE).symbols == []

    def test_symbols_come_in_the_order_they_are_said(self):
        found = understand("Is Coca-Cola better than AMD or google?", CATALOGUE)

        assert found.symbols == ["KO", "AMD", "GOOGL"]

    def test_a_limit_is_not_an_amount(self):
        found = understand("buy 1.5 shares of KO with a limit of $60.25", CATALOGUE)

        assert (found.shares, found.dollars, found.limit_price) == (
            Decimal("1.5"),
            None,
            Decimal("60.25"),
        )

    def test_moving_cash_is_no_trade(self):
        assert understand("withdraw $50 to my bank", CATALOGUE).intent is Intent.FUNDING
