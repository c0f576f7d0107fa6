"""A model that works for a thief, over the vendor's real wire protocol."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from agents.nodes.model import OUT_OF_STEPS
from agents.runtime import ToolUpdate
from agents.state import MAX_MODEL_CALLS, MAX_TOOL_CALLS
from agents.tests.factories import Customer, count, make_customer, table
from agents.tests.pretend import Pretend
from agents.tests.turns import BUY, Ask, called, kept_messages
from core.auth import SYSTEM, acting_as

ARGUMENTS: list[Any] = [
    BUY | {"run_id": str(uuid4()), "tool_call_id": "mine"},
    BUY | {"approve": True},
    BUY | {"notional": -250},
    BUY | {"notional": 0},
    BUY | {"notional": 1e308},
    BUY | {"notional": "NaN"},
    BUY | {"notional": "Infinity"},
    BUY | {"notional": 10**400},
    BUY | {"notional": 99_999_999_999},
    BUY | {"notional": 0.001},
    BUY | {"notional": [250]},
    BUY | {"quantity": 3},
    BUY | {"side": "transfer"},
    BUY | {"symbol": "AAPL'; DROP TABLE trading_order; --"},
    BUY | {"symbol": "\u0000"},
    BUY | {"notional": 2**64},
    BUY | {"symbol": "A" * 500},
    BUY | {"symbol": "../../v1/accounts"},
    BUY | {"symbol": "AA\u200bPL"},
    BUY | {"symbol": "\u0410APL"},
    BUY | {"limit_price": 1},
    BUY | {"order_type": "limit"},
    BUY | {"order_type": "LIMIT ", "limit_price": 100},
    BUY | {"order_type": "limit", "limit_price": "NaN"},
    BUY | {"order_type": "stop", "stop_price": -1},
    BUY | {"order_type": "trailing_stop", "trail_percent": 1e9, "trail_price": 1},
    BUY | {"time_in_force": "forever"},
    BUY | {"time_in_force": "gtc"},
    BUY | {"extended_hours": "yes"},
    BUY | {"extended_hours": True},
    BUY | {"warnings": []},
    BUY | {"price_high": 10_000},
    BUY | {"origin": "REBALANCE"},
    {"symbol": "AAPL", "side": "sell", "quantity": 1_000_000},
    {},
    [],
    None,
    "not json at all",
    '{"symbol": "AAPL", "side": "buy", "notional": 1e400}',
    '{"symbol": "\\ud800", "side": "buy", "notional": 250}',
    '{"symbol": "AAPL"',
    "[" * 300,
]

UNKNOWN_TOOLS = [
    "place_order",
    "execute_trade",
    "approve_proposal",
    "transfer_funds",
    "trading.approvals.approve",
    "__import__",
    "",
]


def hostile_calls(stranger: Customer) -> list[dict[str, Any]]:
    """List what a model would try that works for a thief."""
    theirs = {"account_id": str(stranger.account_id), "user_id": stranger.principal.user_id}
    runtime_of_theirs = {"context": {"principal": theirs, "account_id": theirs["account_id"]}}
    forged: list[dict[str, Any]] = [
        theirs,
        {"account_id": theirs["account_id"]},
        {"runtime": runtime_of_theirs},
    ]
    arguments = [BUY | extra for extra in forged] + ARGUMENTS
    return [
        *({"name": "propose_trade", "arguments": given} for given in arguments),
        *({"name": name, "arguments": BUY | theirs} for name in UNKNOWN_TOOLS),
        {"name": "get_portfolio_summary", "arguments": theirs},
        *[{"name": "propose_trade", "arguments": BUY, "id": "the-same-id"}] * 2,
        {"name": "propose_trade", "arguments": BUY, "id": "x" * 10_000},
    ]


class TestHostileModel:
    @pytest.mark.slow
    @pytest.mark.parametrize("attempts", [70, pytest.param(200, marks=pytest.mark.proof)])
    def test_reaches_nothing_with_very_many_calls(
        self, ask: Ask, pretend: Pretend, customer: Customer, attempts: int
    ) -> None:
        stranger = make_customer()
        calls = (hostile_calls(stranger) * 6)[:attempts]
        for start in range(0, len(calls), MAX_TOOL_CALLS):
            some = calls[start : start + MAX_TOOL_CALLS]
            pretend.script([{"tool_calls": some[:5]}, {"tool_calls": some[5:]}, {"content": "ok"}])
            answer = ask(conversation_id=uuid4())
            assert answer.text == "ok"
            assert pretend.turns_left() == 0

        assert count("trading.Order") == 0
        assert count("trading.Approval") == 0
        assert count("funding.Transfer") == 0
        assert count("trading.Proposal", user_id=stranger.principal.user_id) == 0
        assert pretend.effects() == []
        with acting_as(SYSTEM):
            lines = list(table("trading.ProposalLine").objects.select_related("proposal"))
        assert {line.proposal.account_id for line in lines} <= {customer.account_id}
        assert {(line.symbol, line.side, line.notional, line.order_type) for line in lines} <= {
            ("AAPL", "BUY", Decimal(250), "MARKET")
        }

    def test_that_never_stops_is_stopped(self, ask: Ask, pretend: Pretend, heard) -> None:
        pretend.script([called("get_portfolio_summary", {})] * 50)

        answer = ask()

        assert answer.text == OUT_OF_STEPS
        assert 50 - pretend.turns_left() == MAX_MODEL_CALLS
        calls = [p for p in heard if isinstance(p, ToolUpdate) and p.status == "CALLING"]
        assert len(calls) == MAX_MODEL_CALLS - 1

    def test_with_too_many_calls_at_once_gets_an_answer_for_each(
        self, ask: Ask, pretend: Pretend
    ) -> None:
        conversation_id = uuid4()
        call = {"name": "propose_trade", "arguments": BUY}
        pretend.script([{"tool_calls": [call] * 40}, {"content": "Enough."}])

        answer = ask(conversation_id=conversation_id)

        assert answer.text == "Enough."
        assert len(answer.proposal_ids) == MAX_TOOL_CALLS
        assert len([m for m in kept_messages(conversation_id) if m.type == "tool"]) == 40

    def test_naming_one_call_twice_gets_two_proposals(self, ask: Ask, pretend: Pretend) -> None:
        """What was agreed under an id is never shown for another wish."""
        other = BUY | {"notional": 300}
        pretend.script(
            [
                {
                    "tool_calls": [
                        {"name": "propose_trade", "arguments": BUY, "id": "a"},
                        {"name": "propose_trade", "arguments": other, "id": "a"},
                    ]
                },
                {"content": "Two."},
            ]
        )

        assert len(ask().proposal_ids) == 2
        with acting_as(SYSTEM):
            sizes = table("trading.ProposalLine").objects.values_list("notional", flat=True)
            assert sorted(sizes) == [Decimal(250), Decimal(300)]
