"""Turns of the graph with a scripted model, over the vendor's real wire protocol."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from agents import checkpoints, runtime
from agents.nodes.model import NO_ANSWER
from agents.runtime import Progress, Proposed, Spoken, Token, ToolUpdate
from agents.tests.factories import Customer, count, table
from agents.tests.pretend import Pretend
from agents.tests.turns import BUY, Ask, called, kept_messages, tokens
from agents.turns import LONGEST_MEMORY
from core.auth import acting_as
from core.errors import VendorUnavailable


class TestTurn:
    def test_ends_with_what_the_model_said(self, ask: Ask, pretend: Pretend, heard) -> None:
        pretend.script([{"content": "Hello, how can I help?"}])

        assert ask().text == "Hello, how can I help?"
        assert tokens(heard) == "Hello, how can I help?"

    def test_turns_a_wish_into_a_proposal_and_nothing_else(
        self, ask: Ask, pretend: Pretend, heard, customer: Customer
    ) -> None:
        pretend.script([called("propose_trade", BUY), {"content": "Please look at it."}])

        answer = ask("buy $250 of AAPL")

        [proposal_id] = answer.proposal_ids
        with acting_as(customer.principal):
            proposal = table("trading.Proposal").objects.get(pk=proposal_id)
            [line] = table("trading.ProposalLine").objects.filter(proposal_id=proposal_id)
        assert (line.symbol, line.side, str(line.notional)) == ("AAPL", "BUY", "250.00")
        assert (proposal.account_id, proposal.origin) == (customer.account_id, "AGENT")
        assert [p for p in heard if not isinstance(p, Token)] == [
            ToolUpdate("propose_trade", "CALLING"),
            ToolUpdate("propose_trade", "DONE"),
            Proposed(proposal_id),
        ]
        assert count("trading.Order") == 0
        assert pretend.effects() == []

    def test_remembers_the_conversation(self, ask: Ask, pretend: Pretend) -> None:
        conversation_id = uuid4()
        pretend.script([{"content": "One."}, {"content": "Two."}])
        ask("first", conversation_id=conversation_id)
        ask("second", conversation_id=conversation_id)

        said = [m.text for m in kept_messages(conversation_id) if m.type != "system"]
        assert said == ["first", "One.", "second", "Two."]

    def test_knows_what_was_said_elsewhere_once(self, ask: Ask, pretend: Pretend) -> None:
        conversation_id = uuid4()
        earlier = [Spoken("note-1", "SYSTEM", "The proposal was approved.")]
        pretend.script([{"content": "One."}, {"content": "Two."}])
        ask("first", conversation_id=conversation_id, earlier=earlier)
        ask("second", conversation_id=conversation_id, earlier=earlier)

        said = [m.text for m in kept_messages(conversation_id)]
        assert said.count("The proposal was approved.") == 1

    def test_asked_again_gives_the_same_answer_without_the_model(
        self, ask: Ask, pretend: Pretend
    ) -> None:
        run_id = uuid4()
        pretend.script([called("propose_trade", BUY), {"content": "Once."}, {"content": "Twice."}])

        assert ask(run_id=run_id) == ask(run_id=run_id)
        assert pretend.turns_left() == 1

    def test_keeps_no_more_than_its_last_step(self, ask: Ask, pretend: Pretend) -> None:
        conversation_id = uuid4()
        pretend.script([called("get_portfolio_summary", {}), {"content": "One."}])
        ask(conversation_id=conversation_id)

        with checkpoints._pool().connection() as connection:
            kept = connection.execute(
                "SELECT count(*) AS n FROM checkpoints WHERE thread_id = %s",
                [str(conversation_id)],
            ).fetchone()
        assert kept == {"n": 1}

    def test_forgets_whole_turns_of_a_very_long_conversation(
        self, ask: Ask, pretend: Pretend
    ) -> None:
        conversation_id = uuid4()
        long = [Spoken(f"u{n}", "USER", f"question {n}") for n in range(LONGEST_MEMORY + 10)]
        pretend.script([{"content": "One."}, {"content": "Two."}])
        ask("first", conversation_id=conversation_id, earlier=long)
        ask("second", conversation_id=conversation_id)

        messages = kept_messages(conversation_id)
        assert LONGEST_MEMORY <= len(messages) <= LONGEST_MEMORY + 3
        assert messages[0].type == "human"
        assert [m.text for m in messages if m.type != "system"][-4:] == [
            "first",
            "One.",
            "second",
            "Two.",
        ]

    def test_ends_when_its_time_is_over(self, ask: Ask, pretend: Pretend, settings) -> None:
        settings.CHAT_TURN_SECONDS = 0.3
        pretend.script([called("get_portfolio_summary", {}) | {"delay_seconds": 0.5}] * 3)

        with pytest.raises(runtime.TurnTooLong):
            ask()

    def test_takes_links_and_images_out_of_words_and_answer(
        self, ask: Ask, pretend: Pretend, heard
    ) -> None:
        pretend.script([{"content": "Look: ![x](https://evil.example/?cash=1) done"}])

        assert ask().text == "Look: x done"
        assert "evil" not in tokens(heard)

    def test_never_ends_without_words(self, ask: Ask, pretend: Pretend) -> None:
        pretend.script([{"content": ""}])

        assert ask().text == NO_ANSWER

    def test_holds_its_conversation_alone(self, ask: Ask, pretend: Pretend) -> None:
        conversation_id = uuid4()
        with (
            checkpoints.one_turn_at_a_time(conversation_id),
            pytest.raises(runtime.ConversationBusy),
        ):
            ask(conversation_id=conversation_id)

        pretend.script([{"content": "Free again."}])
        assert ask(conversation_id=conversation_id).text == "Free again."

    def test_keeps_checkpoints_that_nobody_can_read(self, ask: Ask, pretend: Pretend) -> None:
        canary = "canary-4711"
        pretend.script([{"content": f"I heard {canary}."}])
        ask(f"my secret is {canary}")

        with checkpoints._pool().connection() as connection:
            rows = connection.execute(
                "SELECT count(*) AS n FROM checkpoint_blobs WHERE encode(blob, 'escape') LIKE %s",
                [f"%{canary}%"],
            ).fetchone()
            whole = connection.execute(
                "SELECT count(*) AS n FROM checkpoints WHERE checkpoint::text LIKE %s"
                " OR metadata::text LIKE %s",
                [f"%{canary}%", f"%{canary}%"],
            ).fetchone()
            kinds = connection.execute("SELECT DISTINCT type FROM checkpoint_blobs").fetchall()
        assert rows == {"n": 0}
        assert whole == {"n": 0}
        assert {row["type"].partition("+")[2] for row in kinds if row["type"] != "empty"} == {
            "clera1"
        }


class Died(BaseException):
    """What SIGKILL is to a worker."""


def dying_at(step: int) -> Callable[[Progress], None]:
    """Listen to progress and die of its `step`-th piece."""
    seen: list[Progress] = []

    def hear(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) > step:
            raise Died

    return hear


class TestCrash:
    # CALLING, DONE and Proposed come from the tools, three tokens from the model's last words.
    @pytest.mark.parametrize("step", range(6))
    def test_anywhere_ends_in_the_same_answer_and_one_proposal(
        self, ask: Ask, pretend: Pretend, step: int
    ) -> None:
        run_id, conversation_id = uuid4(), uuid4()
        same = {"run_id": run_id, "conversation_id": conversation_id}
        pretend.script([called("propose_trade", BUY)] + [{"content": "Please do look."}] * 2)

        with pytest.raises(Died):
            ask("buy $250 of AAPL", emit=dying_at(step), **same)
        answer = ask("buy $250 of AAPL", **same)

        assert answer.text == "Please do look."
        assert len(answer.proposal_ids) == 1
        assert count("trading.Proposal") == 1
        assert count("trading.Order") == 0

    @pytest.mark.parametrize("step", range(6))
    def test_for_good_leaves_a_conversation_that_models_accept(
        self, ask: Ask, pretend: Pretend, step: int
    ) -> None:
        conversation_id = uuid4()
        pretend.script([called("propose_trade", BUY)] + [{"content": "Please do look."}] * 2)
        with pytest.raises(Died):
            ask("buy $250 of AAPL", emit=dying_at(step), conversation_id=conversation_id)

        ask("are you there", conversation_id=conversation_id)

        messages = kept_messages(conversation_id)
        wished = [c["id"] for m in messages if m.type == "ai" for c in m.tool_calls]
        answered = [m.tool_call_id for m in messages if m.type == "tool"]
        assert wished == answered
        assert [m.text for m in messages if m.type == "human"] == [
            "buy $250 of AAPL",
            "are you there",
        ]

    def test_of_the_model_alone_is_resumed_from_the_proposal(
        self, ask: Ask, pretend: Pretend
    ) -> None:
        same = {"run_id": uuid4(), "conversation_id": uuid4()}
        away = {"error": {"status": 503}}
        pretend.script([called("propose_trade", BUY), away, away])  # it is asked twice
        with pytest.raises(VendorUnavailable):
            ask(**same)

        pretend.script([{"content": "Back again."}])
        answer = ask(**same)

        assert answer.text == "Back again."
        assert len(answer.proposal_ids) == 1
        assert count("trading.Proposal") == 1
