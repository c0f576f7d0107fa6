"""How an application hears of values: it iterates, or is called back."""

import asyncio
import logging
from collections.abc import Callable

from clera_live.book import Value

logger = logging.getLogger(__name__)


class Watcher:
    """Who iterates over values: the newest of each account that it has not had."""

    def __init__(self) -> None:
        self.waiting: dict[str | None, Value] = {}
        self.has_news = asyncio.Event()


def call_back(callback: Callable[..., None] | None, *parts: object) -> None:
    """Call back; a fault of the application's must not become one of ours."""
    try:
        if callback is not None:
            callback(*parts)
    except Exception:
        logger.exception("A callback has failed.")
