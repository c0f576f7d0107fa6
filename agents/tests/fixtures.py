"""Fixtures that the agents' and the chat's tests share."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command

from agents import checkpoints, runtime
from agents.runtime import Answer, Progress, Question
from agents.tests import pretend as servers
from agents.tests.factories import Customer, make_customer
from agents.tests.pretend import Pretend
from agents.tests.turns import Ask


@pytest.fixture(scope="session")
def pretend_server() -> Iterator[Pretend]:
    with servers.running() as server:
        yield server


@pytest.fixture
def pretend(pretend_server: Pretend, settings: Any) -> Pretend:
    """The pretend vendors with nothing in them, and settings that lead there."""
    pretend_server.sandbox.reset()
    pretend_server.point(settings)
    return pretend_server


@pytest.fixture(scope="session")
def checkpoint_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """LangGraph's tables in the test database; their connections end before it is dropped."""
    with django_db_blocker.unblock():
        call_command("setup_checkpoints", verbosity=0)
        yield
        checkpoints.close()


@pytest.fixture
def customer(transactional_db: None, checkpoint_tables: None) -> Customer:
    return make_customer()


@pytest.fixture
def heard() -> list[Progress]:
    return []


@pytest.fixture
def ask(customer: Customer, pretend: Pretend, heard: list[Progress]) -> Ask:
    conversation_id = uuid4()

    def ask(
        text: str = "hello", emit: Callable[[Progress], None] = heard.append, **changes: Any
    ) -> Answer:
        known: dict[str, Any] = {
            "principal": customer.principal,
            "conversation_id": conversation_id,
            "run_id": uuid4(),
            "account_id": customer.account_id,
        }
        question = Question(text=text, **(known | changes))
        return runtime.run_turn(question, emit=emit, at=datetime.now(UTC))

    return ask
