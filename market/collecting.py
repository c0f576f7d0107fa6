"""Learns for the price leader which symbols somebody wants, without waiting for any vendor."""

from typing import Final

import redis
import structlog
from django.db import DatabaseError, close_old_connections

from core import realtime
from core.streams import Stop
from market import frames, interest, selectors
from market.desk import Desk
from market.facts import is_coin
from market.models import Instrument

logger = structlog.get_logger()
ROUND_SECONDS: Final = 0.2
_WANTED_SECONDS: Final = 15.0

# They trade so often that their silence means that the feed is dead, whatever else is followed.
PULSE: Final = "SPY"
COIN_PULSE: Final = "BTC/USD"


class Collector:
    """Joins what is held, watched and asked for, whenever any of it may have changed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._signs: tuple[object, frozenset[str], int] = (None, frozenset(), 0)
        self._learned_at = float("-inf")
        self._numbers: dict[str, int] = {}  # they never change
        self._is_lost = False

    def run(self, stop: Stop) -> None:
        """Make rounds until told to stop."""
        while not stop:
            self.round()
            stop.wait(ROUND_SECONDS)

    def round(self) -> None:
        """Learn what is wanted, if that may have changed; a failing store is asked again soon."""
        signs = self._read_signs()
        is_due = self._desk.monotonic() - self._learned_at >= _WANTED_SECONDS
        if signs == self._signs and not is_due:
            return
        try:
            self._learn(asked=signs[1])
            self._signs, self._is_lost = signs, False
        except DatabaseError as error:
            if not self._is_lost:
                logger.warning("prices.wanted_unknown", error=type(error).__name__)
            self._is_lost = True
        finally:
            close_old_connections()

    def _read_signs(self) -> tuple[object, frozenset[str], int]:
        try:
            version: object = realtime.connection().get(frames.WANTED_KEY)
            asked = interest.newest()
        except redis.RedisError:
            version, asked, _ = self._signs
        return version, asked, self._desk.found_count

    def _learn(self, *, asked: frozenset[str]) -> None:
        desk = self._desk
        wanted = selectors.list_wanted(at=desk.clock()) | asked | {PULSE}
        if any(map(is_coin, wanted)):
            wanted.add(COIN_PULSE)
        new = wanted - self._numbers.keys()
        if new:
            rows = Instrument.objects.filter(symbol__in=new).values_list("symbol", "number")
            self._numbers.update(rows)
        known = {symbol: self._numbers[symbol] for symbol in wanted & self._numbers.keys()}
        desk.unknown = frozenset(wanted - known.keys())
        desk.want(known)
        self._learned_at = desk.monotonic()
