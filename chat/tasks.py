"""What Celery asks of chat."""

from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready

from agents import runtime
from chat import services

QUEUE = "agents"


@worker_ready.connect
def _load_agents(sender: Any, **_: object) -> None:
    """Load the graph in the workers that run it, before the first question comes."""
    if QUEUE in sender.app.amqp.queues.consume_from:
        runtime.prepare()


@shared_task(name="chat.answer_message")
def answer_message(*, run_id: str, **_: object) -> None:
    """Answer the question of one run."""
    services.answer(run_id=UUID(run_id))


@shared_task(name="chat.sweep_runs")
def sweep_runs(**_: object) -> None:
    """Nudge the runs that wait too long, and note the settled proposals that were missed."""
    services.sweep()
