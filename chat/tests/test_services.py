"""Runs under crashes, repeats, and vendors or stores that are away."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import ProgrammingError, connection

from agents import checkpoints
from agents.tests.factories import Customer, count, table
from agents.tests.pretend import Pretend
from agents.tests.worker import worker_of_the_agents
from chat import selectors, services
from chat.models import Message, Run
from chat.services import MAX_ATTEMPTS, NewQuestion
from chat.states import Role, RunState
from core.auth import SYSTEM, acting_as
from core.ids import new_id
from trading import approvals
from trading import selectors as trading
from trading.tests.factories import new_instrument

pytestmark = pytest.mark.usefixtures("pretend")
BUY = {"symbol": "AAPL", "side": "buy", "notional": 250}
WISH = {"tool_calls": [{"name": "propose_trade", "arguments": BUY}]}
AWAY = [{"error": {"status": 503}}] * 2  # the client asks twice


@pytest.fixture
def ask(customer: Customer) -> Any:
    def ask(text: str = "buy $250 of AAPL", conversation_id: UUID | None = None) -> Run:
        question = NewQuestion(text=text, conversation_id=conversation_id)
        return services.ask(principal=customer.principal, question=question)

    return ask


def reload(run: Run) -> Run:
    with acting_as(SYSTEM):
        return Run.objects.get(pk=run.pk)


def change(run: Run, **columns: Any) -> None:
    with acting_as(SYSTEM):
        Run.objects.filter(pk=run.pk).update(**columns)


def answers_to(run: Run) -> list[str]:
    with acting_as(SYSTEM):
        said = Message.objects.filter(run=run, role=Role.ASSISTANT)
        return list(said.values_list("content", flat=True))


def make_due(run: Run) -> None:
    """Let the pause before the next try be over."""
    change(run, due_at=datetime(2000, 1, 1, tzinfo=UTC))


def leave(run: Run) -> None:
    """Leave the run as a worker does that dies after it has begun."""
    past = datetime(2000, 1, 1, tzinfo=UTC)
    change(run, state=RunState.RUNNING, attempts=1, lease_holder=new_id(), lease_until=past)


class TestAnswer:
    def test_is_given_once_however_often_it_is_asked_for(self, ask: Any, pretend: Pretend):
        pretend.script([{"content": "Once."}, {"content": "Twice."}])
        run = ask()

        services.answer(run_id=run.pk)
        services.answer(run_id=run.pk)

        assert answers_to(run) == ["Once."]
        assert pretend.turns_left() == 1
        assert reload(run).state == RunState.DONE

    def test_comes_from_whoever_takes_over_from_a_dead_worker(self, ask: Any, pretend: Pretend):
        pretend.script([{"content": "Taken over."}])
        run = ask()
        leave(run)

        services.answer(run_id=run.pk)

        assert answers_to(run) == ["Taken over."]
        assert reload(run).attempts == 2

    def test_is_left_to_a_worker_that_lives(self, ask: Any, pretend: Pretend):
        run = ask()
        with acting_as(SYSTEM):
            assert Run.take(run.pk, holder=new_id())

        services.answer(run_id=run.pk)

        assert reload(run).state == RunState.RUNNING
        assert answers_to(run) == []

    def test_waits_for_the_answers_to_earlier_questions(self, ask: Any, pretend: Pretend):
        pretend.script([{"content": "One."}, {"content": "Two."}])
        first = ask("first")
        second = ask("second", conversation_id=first.conversation_id)

        services.answer(run_id=second.pk)
        assert answers_to(second) == []
        services.answer(run_id=first.pk)
        services.answer(run_id=second.pk)

        assert (answers_to(first), answers_to(second)) == (["One."], ["Two."])

    def test_waits_while_another_process_holds_the_conversation(self, ask: Any, pretend: Pretend):
        pretend.script([{"content": "Free."}])
        run = ask()
        with checkpoints.one_turn_at_a_time(run.conversation_id):
            services.answer(run_id=run.pk)
        assert (reload(run).state, reload(run).attempts) == (RunState.QUEUED, 0)

        make_due(run)
        services.answer(run_id=run.pk)

        assert answers_to(run) == ["Free."]

    def test_is_tried_again_while_the_model_is_away_with_the_same_proposal(
        self, ask: Any, pretend: Pretend
    ):
        pretend.script([WISH, *AWAY])
        run = ask()
        services.answer(run_id=run.pk)
        assert (reload(run).state, reload(run).attempts) == (RunState.QUEUED, 1)

        services.answer(run_id=run.pk)  # too early
        assert reload(run).attempts == 1
        make_due(run)
        pretend.script([{"content": "Back."}])
        services.answer(run_id=run.pk)

        assert answers_to(run) == ["Back."]
        assert len(reload(run).proposal_ids) == 1
        assert count("trading.Proposal") == 1

    def test_is_given_up_after_a_few_tries(self, ask: Any, pretend: Pretend):
        run = ask()
        for _ in range(MAX_ATTEMPTS):
            pretend.script(AWAY)
            make_due(run)
            services.answer(run_id=run.pk)

        assert (reload(run).state, reload(run).error_code) == (
            RunState.FAILED,
            "vendor_unavailable",
        )
        assert answers_to(run) == []

    def test_is_given_up_when_every_worker_dies_of_it(self, ask: Any):
        run = ask()
        leave(run)
        change(run, attempts=MAX_ATTEMPTS)

        services.answer(run_id=run.pk)

        assert (reload(run).state, reload(run).error_code) == (RunState.FAILED, "gave_up")

    def test_failing_does_not_hold_up_the_next_question(self, ask: Any, pretend: Pretend):
        pretend.script([{"error": {"status": 400}}, {"content": "Better."}])
        first = ask("first")
        second = ask("second", conversation_id=first.conversation_id)

        services.answer(run_id=first.pk)
        services.answer(run_id=second.pk)

        assert reload(first).state == RunState.FAILED
        assert answers_to(second) == ["Better."]

    def test_of_a_worker_thought_dead_counts_if_it_is_first(self, ask: Any):
        run = ask()
        leave(run)
        change(run, state=RunState.QUEUED, lease_holder=None, lease_until=None)

        with acting_as(SYSTEM):
            assert Run.finish(run.pk, proposal_ids=[]) is True
            assert Run.finish(run.pk, proposal_ids=[]) is False
            assert Run.fail(run.pk, holder=new_id(), error_code="late") is False

    def test_reaches_the_database_with_redis_away(
        self, ask: Any, pretend: Pretend, redis_away: Any
    ):
        pretend.script([{"content": "Kept anyway."}])
        run = ask()
        with redis_away():
            services.answer(run_id=run.pk)

        assert answers_to(run) == ["Kept anyway."]


class TestSweep:
    def test_nudges_what_nobody_has_taken_and_what_a_dead_worker_left(self, ask: Any):
        forgotten, left, fresh, living = ask("a"), ask("b"), ask("c"), ask("d")
        make_due(forgotten)
        leave(left)
        with acting_as(SYSTEM):
            assert Run.take(living.pk, holder=new_id())

        assert services.sweep_runs() == 2

        assert {reload(run).state for run in (forgotten, fresh)} == {RunState.QUEUED}


def said_of(shown: Any) -> str:
    """Say what the customer and the model read of a proposal once it is settled."""
    said: str = trading.get_proposal(principal=SYSTEM, proposal_id=shown.id).summary
    assert said.startswith("BUY $250.00 of AAPL at the market price")
    return said


class TestProposals:
    @pytest.fixture
    def proposed(self, ask: Any, pretend: Pretend, customer: Customer) -> Any:
        pretend.script([WISH, {"content": "Please look at it."}])
        run = ask()
        services.answer(run_id=run.pk)
        view = selectors.get_run(principal=customer.principal, run_id=run.pk)
        return run, view.proposals[0]

    def notes(self, run: Run) -> list[str]:
        with acting_as(SYSTEM):
            said = Message.objects.filter(run=run, role=Role.SYSTEM)
            return list(said.values_list("content", flat=True))

    def test_settled_are_noted_in_their_conversation_once(self, proposed: Any, customer: Customer):
        run, shown = proposed
        approvals.reject(principal=customer.principal, proposal_id=shown.id, at=datetime.now(UTC))
        services.note_settled_proposal(proposal_id=shown.id, run_id=run.pk)

        assert self.notes(run) == [
            f"The customer rejected the proposal “{said_of(shown)}” Nothing was ordered."
        ]

    def test_settled_unheard_are_noted_by_the_sweep(self, proposed: Any):
        run, shown = proposed
        services.note_missed_proposals()
        assert self.notes(run) == []  # nobody has decided yet
        with acting_as(SYSTEM):  # decided by a process that died before it could tell
            table("trading.Proposal").objects.filter(pk=shown.id).update(state="EXPIRED")

        services.note_missed_proposals()
        services.note_missed_proposals()

        assert self.notes(run) == [
            f"The proposal “{said_of(shown)}” ran out of time. Nothing was ordered."
        ]

    def test_left_behind_by_the_price_are_shown_with_the_fresh_one(
        self, proposed: Any, customer: Customer
    ):
        run, shown = proposed
        new_instrument("AAPL", price="280.00")
        with pytest.raises(approvals.PriceMoved):
            approvals.approve(
                principal=customer.principal,
                proposal_id=shown.id,
                shown_hash=shown.hash,
                at=datetime.now(UTC),
            )

        services.note_missed_proposals()

        view = selectors.get_run(principal=customer.principal, run_id=run.pk)
        assert [each.state for each in view.proposals] == ["SUPERSEDED", "PENDING"]
        [note] = self.notes(run)
        assert note.startswith(f"The price left the range of the proposal “{said_of(shown)}”")

    def test_settled_are_news_to_the_model_in_the_next_turn(
        self, proposed: Any, customer: Customer, ask: Any
    ):
        run, shown = proposed
        approvals.reject(principal=customer.principal, proposal_id=shown.id, at=datetime.now(UTC))
        following = ask("and now?", conversation_id=run.conversation_id)

        earlier = selectors.list_earlier(principal=customer.principal, run=following)

        assert [(said.role, said.text) for said in earlier] == [("SYSTEM", self.notes(run)[0])]


class TestAgentsRole:
    """What the agents' worker may do in the database, whatever its code is talked into."""

    @pytest.fixture
    def as_agents(self, customer: Customer) -> Iterator[None]:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE clera_agents")
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE clera_app")

    def test_answers_questions_and_keeps_proposals(
        self, ask: Any, pretend: Pretend, customer: Customer, settings: Any
    ):
        run = ask()
        pretend.script([WISH, {"content": "Please look at it."}])
        with worker_of_the_agents():
            services.answer(run_id=run.pk)

        assert answers_to(run) == ["Please look at it."]
        assert count("trading.Proposal") == 1

    @pytest.mark.parametrize(
        "name",
        ["trading.Order", "trading.Approval", "funding.Transfer", "accounts.BrokerageAccount"],
    )
    @pytest.mark.parametrize("verb", ["INSERT", "UPDATE", "DELETE"])
    def test_may_not_write_what_moves_money(self, as_agents: None, name: str, verb: str):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT has_table_privilege(current_user, %s, %s)",
                [table(name)._meta.db_table, verb],
            )
            assert cursor.fetchone() == (False,)

    @pytest.mark.parametrize("name", ["trading.Order", "trading.Approval", "funding.Transfer"])
    def test_is_refused_when_it_tries(self, as_agents: None, customer: Customer, name: str):
        rows = table(name).objects
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            acting_as(customer.principal),
        ):
            rows.create(user_id=customer.principal.user_id)
