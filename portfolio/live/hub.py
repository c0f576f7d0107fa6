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

from core.errors import CleraError
from core.ids import new_id
from core.realtime import ACCOUNT_CHANGED
from core.sockets.hub import Hub, Work
from market import frames
from portfolio.live import records
from portfolio.live.board import Board
from portfolio.live.book import MissedFrame
from portfolio.live.holdings import AccountHoldings
from portfolio.live.seats import Seat

logger = structlog.get_logger()
_RENEW_WANTED_SECONDS: Final = 20 * 60.0
_LOAD_PAUSE_SECONDS: Final = 1.0
_PRICES_SECONDS: Final = 2.0
_ACCOUNTS_A_LOAD: Final = 500
# After so many accounts the requests served by the same process get their turn.
_ACCOUNTS_A_TURN: Final = 500


@dataclass(frozen=True)
class Backend:
    """Where holdings come from, and who must know which prices are needed."""

    load: Callable[[Collection[UUID]], Awaitable[Mapping[UUID, AccountHoldings]]]
    want: Callable[[str, Collection[str]], Awaitable[None]]


class ValueHub(Hub[Seat]):
    """Values accounts when a frame moves them, and reloads those that hold something else now."""

    channels: ClassVar = (frames.CHANNEL, ACCOUNT_CHANGED)

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.board = Board()
        self._backend = backend
        self._reason = f"portfolio:{new_id()}"
        self._pending: set[UUID] = set()
        self._loading: frozenset[UUID] = frozenset()
        self._is_work_pending = asyncio.Event()
        self._has_prices = asyncio.Event()
        self._wanted: frozenset[str] = frozenset()
        self._wanted_at = float("-inf")
        self._heard_at = float("-inf")
        self._was_stale = True

    # What the hub of any socket asks for

    def works(self) -> tuple[Work, ...]:
        return (*super().works(), self._load_always)

    def joined(self, seat: Seat) -> None:
        """Send the snapshot at once, or as soon as it can be made."""
        if self.board.knows(seat.account_id) and self._has_prices.is_set():
            self._send_latest(seat)
        else:
            self._reload([seat.account_id])

    def forget(self, seat: Seat) -> None:
        self.board.drop(seat.account_id)

    def catch_up(self, seat: Seat) -> None:
        self._send_latest(seat)

    def heartbeat(self) -> bytes:
        stamp = records.stamp_text(self.board.stamp, at=datetime.now(UTC))
        return f'{{"type":"heartbeat",{stamp}}}'.encode()

    async def listening(self, client: "redis.asyncio.Redis") -> None:
        # Of what was read before we listened, notices may have been missed.
        self._reload([a for a in self.seats.accounts if self.board.knows(a)])
        self._reload(self._loading)
        await self._read_whole(client)

    async def hear(self, client: "redis.asyncio.Redis", channel: str, data: bytes) -> None:
        if channel == ACCOUNT_CHANGED:
            self._note_changed(data)
            return
        try:
            changed = self.board.follow(frames.decode(data))
        except MissedFrame:
            await self._read_whole(client)
            return
        except frames.NotAFrame:
            logger.warning("hub.not_a_frame")
            return
        self._note_feed()
        await self._tell(changed)

    async def lost(self) -> None:
        """Tell everybody that their values are stale."""
        self.board.is_feed_lost = True
        self._has_prices.set()  # none, then: whoever waits learns that they are stale
        await self._tell([])

    async def chores(self) -> None:
        """Notice that no frame has come for too long."""
        if self.is_silent() and not self.board.is_feed_lost:
            self.board.is_feed_lost = True
            await self._tell([])

    def is_silent(self) -> bool:
        silence = self.now() - self._heard_at
        return bool(silence > settings.FEED_STALE_SECONDS)

    def reset(self) -> None:
        self._has_prices.clear()
        self.board.is_feed_lost = True

    # Prices and holdings

    async def _read_whole(self, client: "redis.asyncio.Redis") -> None:
        found = frames.decode_snapshot(await client.hgetall(frames.SNAPSHOT_KEY))
        changed: list[UUID] = []
        if found is not None:
            changed = self.board.replace(found)
            age_seconds = time.time() - found.sent_ms / 1000
            if age_seconds <= settings.FEED_STALE_SECONDS:  # else its publisher is gone
                self._note_feed()
        self._has_prices.set()
        await self._tell(changed)

    def _note_feed(self) -> None:
        self._heard_at = self.now()
        self.board.is_feed_lost = False

    def _note_changed(self, data: bytes) -> None:
        try:
            account_id = UUID(json.loads(data)["account_id"])
        except (ValueError, LookupError, TypeError, AttributeError):
            logger.warning("hub.not_a_notice")
            return
        if self.seats.of(account_id):
            self._reload([account_id])

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
                some = list(islice(self._pending, _ACCOUNTS_A_LOAD))
                self._pending.difference_update(some)
                try:
                    await self._load(some)
                except (DatabaseError, CleraError) as error:
                    logger.warning("hub.not_loaded", count=len(some), error=type(error).__name__)
                    self._pending.update(some)
                    await asyncio.sleep(_LOAD_PAUSE_SECONDS)

    async def _load(self, accounts: list[UUID]) -> None:
        self._loading = frozenset(accounts)
        try:
            loaded = await self._backend.load(accounts)
        finally:
            self._loading = frozenset()
        self.board.put(loaded[account] for account in accounts if self.seats.of(account))
        for account in accounts:
            for seat in self.seats.of(account):
                seat.needs_snapshot = True
                self._send_latest(seat)
        await self._want_prices()

    async def _want_prices(self) -> None:
        symbols = frozenset(self.board.symbols())
        if symbols <= self._wanted and self.now() - self._wanted_at < _RENEW_WANTED_SECONDS:
            return
        await self._backend.want(self._reason, symbols)
        self._wanted, self._wanted_at = symbols, self.now()

    # Sending

    async def _tell(self, changed: Collection[UUID]) -> None:
        """Send an update of what changed, or of everything when values became stale or fresh."""
        stamp = self.board.stamp
        if stamp.is_stale != self._was_stale:
            self._was_stale, changed = stamp.is_stale, self.seats.accounts
        text = records.stamp_text(stamp, at=datetime.now(UTC))
        accounts, end, now = list(changed), records.tail(text), self.now()
        for start in range(0, len(accounts), _ACCOUNTS_A_TURN):
            for account_id, worth in self.board.worths(accounts[start : start + _ACCOUNTS_A_TURN]):
                last = records.tail(text, worth.unpriced) if worth.unpriced else end
                value = records.value_text(worth) + last
                for seat in self.seats.of(account_id):
                    if seat.needs_snapshot:
                        self._send_latest(seat)
                    elif seat.behind_since is None and not seat.socket.try_send(
                        (seat.update_head + value).encode()
                    ):
                        # It gets the latest value with the chores, and nothing until then.
                        self.seats.note_behind(seat, now=now)
            await asyncio.sleep(0)

    def _send_latest(self, seat: Seat) -> None:
        """Send a snapshot if the socket needs one, else the latest value, if it is known yet."""
        if not self.board.knows(seat.account_id):
            return
        at, now = datetime.now(UTC), self.now()
        if seat.needs_snapshot:
            message = self.board.snapshot(seat.account_id, seat.account_text, at=at)
            seat.needs_snapshot = not self.seats.send(seat, message, now=now)
        else:
            worth, stamp = self.board.worth(seat.account_id), self.board.stamp
            text = records.stamp_text(stamp, at=at)
            message = records.message(records.UPDATE, seat.account_text, worth, text)
            self.seats.send(seat, message, now=now)
