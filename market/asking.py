"""The price leader's second source: what the socket does not say is asked for by REST."""

from collections.abc import Collection
from datetime import date
from typing import Final

import redis
import structlog
from django.db import DatabaseError, close_old_connections

from core import realtime
from core.errors import VendorError
from core.streams import Stop
from market import frames, gateways, selectors
from market.desk import Desk
from market.errors import UnknownSymbol
from market.facts import new_york_date

logger = structlog.get_logger()
ROUND_SECONDS: Final = 0.4
_WANTED_SECONDS: Final = 15.0
_SESSION_SECONDS: Final = 60.0
_SESSION_IN_DOUBT_SECONDS: Final = 2.0
_ASK_AGAIN_SECONDS: Final = 5.0
_UNKNOWN_SECONDS: Final = 600.0

# Trades so often that its silence means that the feed is dead, whatever else is followed.
PULSE: Final = "SPY"


class Asker:
    """Learns what is wanted, whether the market is open, and the prices to begin with."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._wanted_version: object = None
        self._wanted_at = self._session_at = self._asked_again_at = float("-inf")
        self._unknown: dict[str, float] = {}
        self._seeded: set[str] = set()
        self._seeded_for: date | None = None
        self._times_rejected = 0

    def run(self, stop: Stop) -> None:
        """Make rounds until told to stop; a failing vendor or store is tried again next time."""
        while not stop:
            try:
                self.round()
            except VendorError as error:
                logger.warning("prices.ask_failed", vendor=error.vendor, error=error.code)
            except DatabaseError as error:
                logger.warning("prices.wanted_unknown", error=type(error).__name__)
            finally:
                close_old_connections()
            stop.wait(ROUND_SECONDS)

    def round(self) -> None:
        """Bring everything up to date that is due."""
        if self._wanted_may_have_changed():
            self._learn_wanted()
        self._learn_session()
        today = new_york_date(self._desk.vendor_now())
        if today != self._seeded_for:  # a new day has another previous close
            self._seeded, self._seeded_for = set(), today
        self._seed(self._due(), today=today)
        self._desk.ready.set()

    def _wanted_may_have_changed(self) -> bool:
        now = self._desk.monotonic()
        try:
            version: object = realtime.connection().get(frames.WANTED_KEY)
        except redis.RedisError:
            version = self._wanted_version
        if version == self._wanted_version and now - self._wanted_at < _WANTED_SECONDS:
            return False
        self._wanted_version = version
        return True

    def _learn_wanted(self) -> None:
        desk, now = self._desk, self._desk.monotonic()
        wanted = selectors.list_wanted(at=desk.clock()) | {PULSE}
        known = {}
        for symbol in wanted - {s for s, until in self._unknown.items() if until > now}:
            try:
                known[symbol] = selectors.get_instrument(symbol=symbol).number
            except UnknownSymbol:
                self._unknown[symbol] = now + _UNKNOWN_SECONDS
                logger.warning("prices.unknown_symbol", symbol=symbol)
        with desk.lock:
            desk.book.forget(desk.wanted - known.keys())
            for symbol, number in known.items():
                desk.book.add(symbol, number)
        self._seeded &= known.keys()
        desk.wanted = frozenset(known)
        self._wanted_at = now

    def _learn_session(self) -> None:
        desk, now = self._desk, self._desk.monotonic()
        rejected = desk.book.rejected["time"]
        is_in_doubt = rejected > self._times_rejected or desk.session is None
        pause = _SESSION_IN_DOUBT_SECONDS if is_in_doubt else _SESSION_SECONDS
        is_over = desk.session is not None and not desk.session.is_good(at=desk.vendor_now())
        if now - self._session_at < (_SESSION_IN_DOUBT_SECONDS if is_over else pause):
            return
        self._session_at, self._times_rejected = now, rejected
        session = gateways.get().broker.session()
        desk.ahead, desk.session = session.asked_at - desk.clock(), session

    def _due(self) -> set[str]:
        """List what to ask for: what is new, in doubt, corrected, or not sent by the socket."""
        desk, now = self._desk, self._desk.monotonic()
        due = set(desk.wanted) - self._seeded
        if now - self._asked_again_at >= _ASK_AGAIN_SECONDS:
            self._asked_again_at = now
            uncovered = desk.wanted - desk.covered if desk.covered else set()
            with desk.lock:
                due |= desk.book.doubted | uncovered
                desk.book.doubted = set()
        return due | desk.corrected

    def _seed(self, due: Collection[str], *, today: date) -> None:
        if not due:
            return
        desk, corrected = self._desk, self._desk.corrected
        found = gateways.get().data.snapshots(sorted(due), today=today)
        with desk.lock:
            for symbol, snapshot in found.items():
                desk.book.seed(
                    snapshot, now_ns=desk.vendor_now_ns(), is_correction=symbol in corrected
                )
            desk.corrected -= corrected
        self._seeded |= set(due)
