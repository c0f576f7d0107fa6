"""Runs in real workers that are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from agents.tests.factories import Customer, count
from agents.tests.pretend import Pretend
from chat import frames, selectors, services
from chat.frames import Frame
from chat.models import Run
from chat.services import NewQuestion
from chat.states import RunState
from core import realtime
from core.auth import SYSTEM, acting_as

BUY = {"symbol": "AAPL", "side": "buy", "notional": 250}
WISH = {"tool_calls": [{"name": "propose_trade", "arguments": BUY}]}
PATIENCE_SECONDS = 100


@pytest.fixture
def start_worker(
    pretend: Pretend, customer: Customer
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start the agents' worker as operations do: its own process, its own database role."""
    realtime.connection().flushdb()
    url = urlsplit(os.environ["DATABASE_URL"])
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "clera.settings.local",
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}")),
        "DATABASE_ROLE": "clera_agents",
        "SANDBOX_URL": pretend.sandbox.url,
    }
    command = ["-m", "celery", "-A", "clera", "worker", "-Q", "agents", "-P", "threads", "-c", "2"]
    workers: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        quiet = ["--without-gossip", "--without-mingle", "--loglevel", "warning"]
        worker = subprocess.Popen([sys.executable, *command, *quiet], env=env)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait(timeout=60)


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def frames_of(run: Run) -> list[Frame]:
    found = realtime.connection().xrange(frames.key_of(run.pk))
    return frames._frames_in([(b"", found)])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_workers_run_is_finished_by_the_next_with_one_proposal(
    start_worker: Callable[[], subprocess.Popen[bytes]], pretend: Pretend, customer: Customer
) -> None:
    pretend.script([WISH, {"content": "too late", "delay_seconds": 30}])
    worker = start_worker()
    question = NewQuestion(text="buy $250 of AAPL")
    run = services.ask(principal=customer.principal, question=question)
    wait_for(lambda: any(frame.type == "interrupt" for frame in frames_of(run)))
    wait_for(lambda: pretend.turns_left() == 0)  # it has asked for the second one

    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=60)
    with acting_as(SYSTEM):  # instead of waiting for the lease to run out
        Run.objects.filter(pk=run.pk).update(lease_until=datetime(2000, 1, 1, tzinfo=UTC))
    pretend.script([{"content": "Please look at it."}])
    start_worker()
    assert services.sweep_runs() == 1

    wait_for(lambda: frames.wait_for_ending(run.pk, seconds=1))
    view = selectors.get_run(principal=customer.principal, run_id=run.pk)
    assert (view.run.state, view.run.attempts) == (RunState.DONE, 2)
    assert view.response == "Please look at it."
    assert len(view.proposals) == count("trading.Proposal") == 1
    assert count("trading.Order") == 0
    attempts = [frame.data["attempt"] for frame in frames_of(run) if frame.type == "metadata"]
    assert attempts == [1, 2]
