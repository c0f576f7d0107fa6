"""
The hub of live values: one per web process, between price frames and the sockets of many accounts.

It hears every frame once, values the accounts of its sockets, and writes to each socket that can
take it. While Redis is away it says so.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar, Final
from uuid import UUID

import redis.asyncio
import structlog
from django.conf import settings
from django.db import DatabaseError

from core import metrics
from core.errors import CleraError
from core.ids import new_id
from core.realtime import ACCOUNT_CHANGED
from core.sockets.hub import Hub, Work
from core.sockets.owners import OwnersOf
from market import frames
from portfolio.live import records
from portfolio.live.board import Board
from portfolio.live.book import MissedFrame
from portfolio.live.holdings import AccountHoldings
from portfolio.live.seats import Seat, View
from portfolio.live.telling import Teller

logger = structlog.get_logger()
_RENEW_WANTED_SECONDS: Final = 20 * 60.0
_LOAD_PAUSE_SECONDS: Final = 1.0
_PRICES_SECONDS: Final = 2.0
_ACCOUNTS_A_LOAD: Final = 500
# What could not be found out is asked for again after this.
_ASK_AGAIN_SECONDS: Final = 30.0
# One account by itself is read at once; of a crowd, several are, which costs each a third.
_LOADS_APART_SECONDS: Final = 0.1
_FOLLOWED: Final = metrics.FRAMES.labels("followed")


@dataclass(frozen=True)
class Backend:
    """Where holdings come from, who must know which prices are needed, and whose accounts are."""

    load: Callable[[Collection[UUID], int], Awaitable[Mapping[UUID, AccountHoldings]]]
    want: Callable[[str, Collection[str]], Awaitable[None]]
    owners_of: OwnersOf


class ValueHub(Hub[Seat]):
    """Values accounts when a frame moves them, and reloads those that hold something else now."""

    kind: ClassVar = "values"
    channels: ClassVar = (frames.CHANNEL, ACCOUNT_CHANGED)

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend.owners_of)
        self.board = Board()
        self._teller = Teller(self.board, self.seats)
        self._backend = backend
        self._reason = f"portfolio:{new_id()}"
        self._pending: set[UUID] = set()
        self._loading: frozenset[UUID] = frozenset()
        self._is_work_pending = asyncio.Event()
        self._has_prices = asyncio.Event()
        self._wanted: frozenset[str] = frozenset()
        self._wanted_at = float("-inf")
        self._heard_at = float("-inf")
        self._loaded_at = float("-inf")
        self._unsettled: set[UUID] = set()
        self._ask_again_at = float("inf")
        self._day = 0

    # What the hub of any socket asks for

    def works(self) -> tuple[Work, ...]:
        return (*super().works(), self._load_always)

    def leave(self, seat: Seat) -> None:
        self._teller.forget(seat)
        super().leave(seat)

    def joined(self, seat: Seat) -> None:
        """Send the snapshots at once, or as soon as they can be made."""
        self._show(seat, list(seat.views))

    def forget(self, account_id: UUID) -> None:
        self.board.drop(account_id)

    def catch_up(self, seat: Seat) -> None:
        self._teller.say(seat)

    # What a socket of several accounts asks for

    def watch(self, seat: Seat, views: Mapping[UUID, View]) -> None:
        """Let a seat look at more accounts; those that it looks at already begin anew."""
        for account_id in views.keys() - seat.views.keys():
            self.seats.watch(seat, account_id)
        seat.views.update(views)
        self._show(seat, list(views))

    def unwatch(self, seat: Seat, account_ids: Collection[UUID]) -> None:
        """Let a seat look at some of its accounts no longer."""
        for account_id in account_ids:
            del seat.views[account_id]
            seat.due.pop(account_id, None)
            if self.seats.unwatch(seat, account_id):
                self.forget(account_id)
        self._show(seat, [])

    def _show(self, seat: Seat, account_ids: Collection[UUID]) -> None:
        self._teller.know(seat)
        seat.is_aggregate_due = seat.has_aggregate
        for account_id in account_ids:
            seat.expect(account_id)
        has_prices = self._has_prices.is_set()
        self._reload([a for a in account_ids if not (has_prices and self.board.knows(a))])
        self._teller.say(seat)

    def heartbeat(self) -> bytes:
        stamp = self.board.stamp
        text = records.stamp_text(stamp, at=datetime.now(UTC))
        stale = records.stale_text(is_stale=stamp.is_stale)
        return f'{{"type":"heartbeat",{text},{stale}}}'.encode()

    async def listening(self, client: "redis.asyncio.Redis") -> None:
        # Of what was read before we listened, notices may have been missed.
        self._reload([a for a in self.seats.accounts if self.board.knows(a)])
        self._reload(self._loading)
        await self._read_whole(client, why="connected")

    async def hear(self, client: "redis.asyncio.Redis", channel: str, data: bytes) -> None:
        if channel == ACCOUNT_CHANGED:
            self._note_changed(data)
            return
        try:
            frame = frames.decode(data)
            changed = self.board.follow(frame)
        except MissedFrame:
            is_gap = frame.epoch == self.board.book.epoch
            await self._read_whole(client, why="gap" if is_gap else "epoch")
            return
        except frames.NotAFrame:
            logger.warning("hub.not_a_frame")
            return
        if frame.epoch == self.board.book.epoch:  # else it was of a leader who is none any more
            self._note_feed()
        self._note_day()
        await self._teller.tell(changed)
        _FOLLOWED.inc()
        metrics.ACCOUNTS_VALUED.inc(len(changed))
        metrics.FRAME_TO_SOCKET.observe(max(time.time() - frame.sent_ms / 1000, 0.0))

    async def lost(self) -> None:
        """Tell everybody that their values are stale."""
        self.board.is_feed_lost = True
        self._has_prices.set()  # none, then: whoever waits learns that they are stale
        await self._teller.tell([])

    async def chores(self) -> None:
        """Notice that no frame has come for too long, and read again what was not all known."""
        if self.now() >= self._ask_again_at:
            self._ask_again_at = float("inf")
            self._reload([a for a in self._unsettled if self.seats.of(a)])
            self._unsettled.clear()
        if self.is_silent() and not self.board.is_feed_lost:
            self.board.is_feed_lost = True
            await self._teller.tell([])

    def is_silent(self) -> bool:
        silence = self.now() - self._heard_at
        return bool(silence > settings.FEED_STALE_SECONDS)

    def reset(self) -> None:
        self._has_prices.clear()
        self.board.is_feed_lost = True
        self._teller.doubt()  # who comes before the works run again is told stale values

    # Prices and holdings

    async def _read_whole(self, client: "redis.asyncio.Redis", *, why: str) -> None:
        metrics.RELOADS.labels(why).inc()
        found = frames.decode_snapshot(await client.hgetall(frames.SNAPSHOT_KEY))
        changed: list[UUID] = []
        if found is not None:
            changed = self.board.replace(found)
            age_seconds = time.time() - found.sent_ms / 1000
            if age_seconds <= settings.FEED_STALE_SECONDS:  # else its publisher is gone
                self._note_feed()
            self._note_day()
        self._has_prices.set()
        await self._teller.tell(changed)

    def _note_feed(self) -> None:
        self._heard_at = self.now()
        self.board.is_feed_lost = False

    def _note_day(self) -> None:
        """When another day has begun, have its fills told apart from those of the day before."""
        if self.board.book.day != self._day:
            self._day = self.board.book.day
            self._reload([a for a in self.seats.accounts if self.board.knows(a)])
            self._reload(self._loading)

    def _note_changed(self, data: bytes) -> None:
        try:
            account_id = UUID(json.loads(data)["account_id"])
        except (ValueError, LookupError, TypeError, AttributeError):
            logger.warning("hub.not_a_notice")
            return
        if self.seats.of(account_id):
            self._reload([account_id])
            self.owners.doubt([account_id])

    def _reload(self, accounts: Iterable[UUID]) -> None:
        self._pending.update(accounts)
        if self._pending:
            self._is_work_pending.set()

    async def _load_always(self) -> None:
        while True:
            await self._is_work_pending.wait()
            self._is_work_pending.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PRICES_SECONDS):
                    await self._has_prices.wait()
            while self._pending:
                await asyncio.sleep(self._loaded_at + _LOADS_APART_SECONDS - self.now())
                self._loaded_at = self.now()
                some = list(islice(self._pending, _ACCOUNTS_A_LOAD))
                self._pending.difference_update(some)
                try:
                    await self._load(some)
                except (DatabaseError, CleraError) as error:
                    logger.warning("hub.not_loaded", count=len(some), error=type(error).__name__)
                    self._pending.update(some)
                    await asyncio.sleep(_LOAD_PAUSE_SECONDS)
                except asyncio.CancelledError:  # another work has failed; all of them begin again
                    self._reload(some)
                    raise

    async def _load(self, accounts: list[UUID]) -> None:
        self._loading = frozenset(accounts)
        try:
            loaded = await self._backend.load(accounts, self._day)
        finally:
            self._loading = frozenset()
        here = [account for account in accounts if self.seats.of(account)]
        before = self._teller.looks_of(here)
        self.board.put(loaded[account] for account in here)
        self._teller.tell_loaded(here, before)
        unsettled = {account for account in here if not loaded[account].is_settled}
        if unsettled:
            self._unsettled |= unsettled
            self._ask_again_at = min(self._ask_again_at, self.now() + _ASK_AGAIN_SECONDS)
        await self._want_prices({p.symbol for some in loaded.values() for p in some.positions})

    async def _want_prices(self, added: Collection[str]) -> None:
        is_recent = self.now() - self._wanted_at < _RENEW_WANTED_SECONDS
        if is_recent and self._wanted.issuperset(added):
            return
        symbols = frozenset(self.board.symbols())
        await self._backend.want(self._reason, symbols)
        self._wanted, self._wanted_at = symbols, self.now()
