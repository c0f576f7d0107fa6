"""Symbols whose trading the exchange has stopped."""

import queue
from typing import Final

import structlog
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from core.streams import Stop
from market.facts import Halted
from market.models import Instrument

logger = structlog.get_logger()
_LOOK_SECONDS: Final = 0.2


def write(told: "queue.SimpleQueue[Halted]", stop: Stop) -> None:
    """Note what is told, beside the reading of prices, which a database must not hold up."""
    while not stop:
        try:
            news = told.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue
        note(news)


def note(news: Halted) -> None:
    """
    Write down that a symbol stops or goes on, for the orders that come after it.

    Whoever reads the prices goes on when this fails: they matter more.
    """
    state = "halted" if news.is_halted else "trading"
    try:
        rows = Instrument.objects.filter(symbol=news.symbol[:24])
        if rows.update(halted_at=Now() if news.is_halted else None):
            logger.info("halt.noted", symbol=news.symbol, state=state)
    except DatabaseError:
        logger.exception("halt.not_noted", symbol=news.symbol[:24], state=state)
    finally:
        if not connection.in_atomic_block:
            connection.close()  # there are hours between two of them
