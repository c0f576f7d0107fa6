"""News between apps: frozen facts, told to whoever subscribed once the commit has happened."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.db import transaction

logger = structlog.get_logger()
Event = TypeVar("Event")
_subscribers: dict[type, list[Callable[[Any], None]]] = defaultdict(list)


def subscribe(kind: type[Event], handler: Callable[[Event], None]) -> None:
    """Call `handler` with every event of this kind from now on; apps do so in `ready`."""
    if handler not in _subscribers[kind]:
        _subscribers[kind].append(handler)


def publish(event: object) -> None:
    """
    Tell the subscribers about a fact after the surrounding transaction has committed.

    A handler that fails is logged and does not disturb the others: the fact stays true, and
    whatever the handler would have started is found by a sweep.
    """
    transaction.on_commit(lambda: _tell(event))


def _tell(event: object) -> None:
    for handler in _subscribers[type(event)]:
        try:
            handler(event)
        except Exception:
            logger.exception("event.handler_failed", event_kind=type(event).__name__)
