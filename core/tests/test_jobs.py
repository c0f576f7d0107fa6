"""Queueing is a nudge: a queue that is away costs little and breaks nothing."""

import pytest
from structlog.testing import capture_logs

from core import jobs


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
            jobs._send("core.beat_heartbeat", task, {})

    assert task.tries == 1
    assert [entry["event"] for entry in logs] == ["job.not_queued"] * 3


def test_the_queue_is_tried_again_later():
    task = Hanging()
    jobs._send("core.beat_heartbeat", task, {})
    jobs._away["until"] = 0.0

    jobs._send("core.beat_heartbeat", task, {})

    assert task.tries == 2
