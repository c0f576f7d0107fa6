"""Queueing is a nudge: a queue that is away costs little and breaks nothing."""

import queue
import re

import celery
import pytest
import structlog
from celery.contrib.testing.worker import start_worker
from structlog.testing import capture_logs

from core import jobs
from core.tracing import current_request_id


class Hanging:
    """A task whose queue gives no answer."""

    def __init__(self):
        self.tries = 0

    def apply_async(self, **_):
        self.tries += 1
        raise TimeoutError


@pytest.fixture(autouse=True)
def _queue_is_back():
    yield
    jobs._away["until"] = 0.0


def test_only_the_first_caller_waits_for_a_queue_that_is_away():
    task = Hanging()

    with capture_logs() as logs:
        for _ in range(3):
            jobs._send("core.beat_heartbeat", task, {}, {})

    assert task.tries == 1
    assert [entry["event"] for entry in logs] == ["job.not_queued"] * 3


def test_the_queue_is_tried_again_later():
    task = Hanging()
    jobs._send("core.beat_heartbeat", task, {}, {})
    jobs._away["until"] = 0.0

    jobs._send("core.beat_heartbeat", task, {}, {})

    assert task.tries == 2


@pytest.mark.django_db(transaction=True)
class TestTrace:
    @pytest.fixture
    def seen(self):
        """What request id the worker's tasks saw, with a real queue in between."""
        found = queue.Queue()
        app = celery.current_app

        def note() -> None:
            found.put(current_request_id())

        app.task(note, name="test.note_request_id")
        with start_worker(app, pool="solo", perform_ping_check=False, queues=["default"]):
            yield found
        del app.tasks["test.note_request_id"]

    def test_a_task_works_under_the_id_of_the_request_that_queued_it(self, seen):
        with structlog.contextvars.bound_contextvars(request_id="request-7"):
            jobs.enqueue("test.note_request_id")
        jobs.enqueue("test.note_request_id")

        assert seen.get(timeout=10) == "request-7"
        assert re.fullmatch(r"task-[0-9a-f-]{36}", seen.get(timeout=10))
        assert current_request_id() is None
