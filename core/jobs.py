"""Background work by name, queued once the surrounding transaction has committed."""

import threading
import time
from typing import Any, Final

import structlog
from celery import Task, current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from core.tracing import current_request_id

logger = structlog.get_logger()
_HEADER: Final = "clera_request_id"
# A queue that hangs costs one caller its time-out; the next ones do not wait for it in vain.
_AWAY_SECONDS: Final = 5.0
_away = {"until": 0.0}
_loading = threading.Lock()


def enqueue(name: str, **arguments: str | int | None) -> None:
    """
    Queue the task `app.verb_noun` after the commit; arguments are ids, never payloads.

    The queue is a nudge: when it cannot be reached the loss is logged and the sweep of the
    waiting state does the work later.
    """
    task, headers = _task(name), {_HEADER: current_request_id()}
    transaction.on_commit(lambda: _send(name, task, arguments, headers))


def _task(name: str) -> object:
    """Find a task; a web process has not met the apps' tasks before the first one is needed."""
    if name not in current_app.tasks:
        with _loading:  # Celery lets only the first caller wait for the modules
            current_app.loader.import_default_modules()
    return current_app.tasks[name]


def _send(
    name: str,
    task: object,
    arguments: dict[str, str | int | None],
    headers: dict[str, str | None],
) -> None:
    if time.monotonic() < _away["until"]:
        logger.warning("job.not_queued", task=name, error="queue_away")
        return
    try:
        task.apply_async(  # type: ignore[attr-defined]
            kwargs=arguments, headers=headers, retry=False
        )
    except (OperationalError, RedisError, OSError) as error:
        _away["until"] = time.monotonic() + _AWAY_SECONDS
        logger.warning("job.not_queued", task=name, error=type(error).__name__)


def begin_trace(task_id: str, task: "Task[Any, Any]", **_: Any) -> None:
    """
    Work under the id of the request that queued the task, or under the task's own.

    The worker's signals are connected to this and to `end_trace`.
    """
    found = getattr(task.request, _HEADER, None)  # Celery makes attributes of headers
    structlog.contextvars.bind_contextvars(request_id=found or f"task-{task_id}")


def end_trace(**_: Any) -> None:
    """Forget the id, so that nothing else is taken for a part of it."""
    structlog.contextvars.unbind_contextvars("request_id")
