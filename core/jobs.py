"""Background work by name, queued once the surrounding transaction has committed."""

import time
from typing import Final

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = structlog.get_logger()
# A queue that hangs costs one caller its time-out; the next ones do not wait for it in vain.
_AWAY_SECONDS: Final = 5.0
_away = {"until": 0.0}


def enqueue(name: str, **arguments: str | int | None) -> None:
    """
    Queue the task `app.verb_noun` after the commit; arguments are ids, never payloads.

    The queue is a nudge: when it cannot be reached the loss is logged and the sweep of the
    waiting state does the work later.
    """
    task = _task(name)
    transaction.on_commit(lambda: _send(name, task, arguments))


def _task(name: str) -> object:
    """Find a task; a web process has not met the apps' tasks before the first one is needed."""
    if name not in current_app.tasks:
        current_app.loader.import_default_modules()
    return current_app.tasks[name]


def _send(name: str, task: object, arguments: dict[str, str | int | None]) -> None:
    if time.monotonic() < _away["until"]:
        logger.warning("job.not_queued", task=name, error="queue_away")
        return
    try:
        task.apply_async(kwargs=arguments, retry=False)  # type: ignore[attr-defined]
    except (OperationalError, RedisError, OSError) as error:
        _away["until"] = time.monotonic() + _AWAY_SECONDS
        logger.warning("job.not_queued", task=name, error=type(error).__name__)
