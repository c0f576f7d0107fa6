"""The price leader's second source: what the socket does not say is asked for by REST."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import structlog
from django.db import DatabaseError, close_old_connections

from core.errors import VendorError, VendorRejected
from core.streams import Stop
from market import days, gateways, selectors
from market.desk import Desk
from market.errors import UnknownSymbol
from market.facts import is_coin, new_york_date
from market.frames import STALE
from market.hours import hours_at
from market.nanos import UNKNOWN

logger = structlog.get_logger()
ROUND_SECONDS: Final = 0.2
_SESSION_SECONDS: Final = 60.0
_SESSION_IN_DOUBT_SECONDS: Final = 2.0
_FIRST_SESSION_SECONDS: Final = 2.0
_ASK_AGAIN_SECONDS: Final = 5.0
_AFTER_FAILURE_SECONDS: Final = 1.0
_UNKNOWN_SECONDS: Final = 600.0
_LOOK_UPS_A_ROUND: Final = 10
_BATCH: Final = 100  # what the vendor answers in one call
# After so long a close of yesterday is worse than none.
_CLOSES_SECONDS: Final = 300.0
# So long after midnight the vendor has measured the hour that ended then: what it tells of coins
# before that is the price of a moment near it.
_MEASURED_AFTER: Final = timedelta(minutes=3)
# Of what the socket does not send, at most so many are asked for each time.
_MOST_AGAIN: Final = 1_000


class BrokerAsker:
    """Asks the broker whether the market is open, and about symbols nobody has named before."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._session_at = float("-inf")
        self._times_rejected = 0
        self._not_found: dict[str, float] = {}

    def run(self, stop: Stop) -> None:
        """Make rounds until told to stop; a failing broker is asked again next time."""
        while not stop:
            self.round()
            stop.wait(ROUND_SECONDS)

    def round(self) -> None:
        """Ask what is due."""
        _attempt(self._learn_session)
        self._desk.is_timed.set()
        _attempt(self._look_up)

    def _learn_session(self) -> None:
        desk, now = self._desk, self._desk.monotonic()
        rejected = desk.book.rejected["time"]
        is_in_doubt = rejected > self._times_rejected or desk.session is None
        is_over = desk.session is not None and not desk.session.is_good(at=desk.vendor_now())
        pause = _SESSION_IN_DOUBT_SECONDS if is_in_doubt or is_over else _SESSION_SECONDS
        if now - self._session_at < pause:
            return
        self._session_at, self._times_rejected = now, rejected
        session = gateways.get().broker.session()
        desk.ahead, desk.session = session.asked_at - desk.clock(), session
        desk.is_extended = hours_at(session, at=desk.vendor_now()).is_extended

    def _look_up(self) -> None:
        """Ask about a few of the unknown symbols; those the broker does not know, rarely again."""
        now = self._desk.monotonic()
        due = [s for s in sorted(self._desk.unknown) if self._not_found.get(s, now) <= now]
        for symbol in due[:_LOOK_UPS_A_ROUND]:
            try:
                selectors.get_instrument(symbol=symbol)
            except (UnknownSymbol, VendorRejected):  # a clear no, and about this name only
                self._not_found[symbol] = now + _UNKNOWN_SECONDS
                logger.warning("prices.unknown_symbol", symbol=symbol)
            else:
                self._not_found.pop(symbol, None)
                self._desk.found_count += 1


class Asker:
    """Asks for the prices to begin with, and for those that the socket does not send."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._again_at = self._seeding_since = float("-inf")
        self._not_before = dict.fromkeys((False, True), float("-inf"))  # shares, coins
        self._again: set[str] = set()
        self._asked_at: dict[str, float] = {}
        self._seeded: set[str] = set()
        self._seeded_for: date | None = None
        self._early: set[str] = set()  # coins asked about before their close was measured
        self._coming: dict[str, Decimal | None] = {}  # closes of a day that has not begun

    def run(self, stop: Stop) -> None:
        """Make rounds until told to stop; a failing vendor is asked again soon."""
        until = self._desk.monotonic() + _FIRST_SESSION_SECONDS
        while not (stop or self._desk.is_timed.is_set()) and self._desk.monotonic() < until:
            stop.wait(0.02)  # today's date is the vendor's
        while not stop:
            self._desk.is_due.clear()
            self.round(stop)
            self._desk.is_due.wait(ROUND_SECONDS)

    def round(self, stop: Stop) -> None:
        """Ask for everything that is due, a hundred at a time."""
        desk = self._desk
        if not desk.is_known.is_set():
            return
        while not stop and (due := self._due()):
            # The vendor answers about coins elsewhere: one of the two may fail without the other.
            is_coins = is_coin(due[0])
            some = [symbol for symbol in due if is_coin(symbol) == is_coins][:_BATCH]
            if not _attempt(partial(self._ask, some)):
                self._not_before[is_coins] = desk.monotonic() + _AFTER_FAILURE_SECONDS
        self._begin_day()
        desk.is_ready.set()

    def _begin_day(self) -> None:
        """Let a new day's closes count once all are asked for, or some cannot be had for long."""
        desk, lacking = self._desk, self._desk.wanted - self._seeded
        is_late = desk.monotonic() - self._seeding_since > _CLOSES_SECONDS
        if desk.day == self._seeded_for or (lacking and not is_late):
            return
        if lacking:
            logger.warning("prices.closes_unknown", count=len(lacking))
        with desk.lock:
            if desk.day is None:
                desk.book.know_closes(dict.fromkeys(lacking))
            else:
                desk.book.know_closes({s: self._coming.get(s) for s in desk.book.entries})
            desk.day, self._coming = self._seeded_for, {}

    def _due(self) -> list[str]:
        """List what to ask for, the most urgent first."""
        desk = self._desk
        wanted, today = desk.wanted, new_york_date(desk.vendor_now())
        if today != self._seeded_for:  # a new day has another previous close
            self._seeded, self._seeded_for, self._coming = set(), today, {}
            self._seeding_since = desk.monotonic()
        self._seeded &= wanted
        self._ask_again()
        groups = (desk.corrected, wanted - self._seeded, desk.missed, self._again)
        named = dict.fromkeys(s for group in groups for s in sorted(group & wanted))
        now = desk.monotonic()
        return [symbol for symbol in named if self._not_before[is_coin(symbol)] <= now]

    def _ask_again(self) -> None:
        """
        Now and then choose what is in doubt or halted, and what the socket does not tell.

        That is the price of some symbols, and the previous close of all.
        """
        desk, now = self._desk, self._desk.monotonic()
        if now - self._again_at < _ASK_AGAIN_SECONDS:
            return
        self._again_at = now
        last = self._asked_at.get
        with desk.lock:
            known = desk.book.everything()
            flagged = {entry.number for entry in known if entry.flags & ~STALE}
            closed = {entry.number for entry in known if entry.close != UNKNOWN}
            numbers = {s: desk.book.number_of(s) for s in desk.wanted}
            desk.book.doubted = set()  # they are flagged, too
        measured = self._early if self._is_measured() else set()
        in_doubt = {s for s, number in numbers.items() if number in flagged}
        untold = {s for s, number in numbers.items() if number not in closed}
        silent = sorted((desk.wanted - desk.covered) | untold, key=lambda s: (last(s, 0.0), s))
        self._again = {*in_doubt, *measured, *silent[:_MOST_AGAIN]}
        self._asked_at = {s: at for s, at in self._asked_at.items() if s in desk.wanted}

    def _ask(self, symbols: Collection[str]) -> None:
        """Ask for these; whatever is told of them meanwhile makes them due once more."""
        desk, asked = self._desk, frozenset(symbols)
        with desk.lock:
            corrected, missed = desk.corrected & asked, desk.missed & asked
            desk.corrected -= asked
            desk.missed -= asked
        asked_ns = desk.vendor_now_ns()
        try:
            found = gateways.get().data.snapshots(list(symbols), today=self._today())
        except VendorError:
            with desk.lock:
                desk.corrected |= corrected
                desk.missed |= missed
            raise
        closes = {s: found[s].previous_close if s in found else None for s in asked}
        with desk.lock:
            if desk.day != self._seeded_for:
                self._coming |= closes
            if desk.day not in {None, self._seeded_for}:
                # Those of a coming day say nothing about the one that it still is for everybody.
                found = {s: replace(told, previous_close=None) for s, told in found.items()}
            for symbol, snapshot in found.items():
                desk.book.seed(
                    snapshot,
                    now_ns=desk.vendor_now_ns(),
                    asked_ns=asked_ns,
                    is_correction=symbol in corrected,
                )
            if desk.day is None:  # what is not told now is that of an earlier day
                untold = {s for s, close in closes.items() if close is None}
                desk.book.know_closes(dict.fromkeys(untold - self._seeded))
        self._early -= asked
        if not self._is_measured():
            self._early |= set(filter(is_coin, asked))
        self._seeded |= asked
        self._again -= asked
        self._asked_at |= dict.fromkeys(asked, desk.monotonic())

    def _is_measured(self) -> bool:
        """Say whether the vendor has had the time to measure what coins cost at midnight."""
        midnight = days.start_of(days.number_of(self._today()))
        return self._desk.vendor_now() >= midnight + _MEASURED_AFTER

    def _today(self) -> date:
        assert self._seeded_for is not None  # noqa: S101 - set before anything is due
        return self._seeded_for


def _attempt(step: Callable[[], None]) -> bool:
    """Take a step, and say whether it succeeded; a failure is told and left to the next time."""
    try:
        step()
    except VendorError as error:
        logger.warning("prices.ask_failed", vendor=error.vendor, error=error.code)
        return False
    except DatabaseError as error:
        logger.warning("prices.wanted_unknown", error=type(error).__name__)
        return False
    finally:
        close_old_connections()
    return True
