"""
The hub: one per web process, between price frames and the sockets of many accounts.

It hears every frame once, values the accounts of its sockets, and writes to each socket that can
take it. It waits for no socket, and while Redis is away it says so.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import redis.asyncio
import structlog
from django.conf import settings
from django.db import DatabaseError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.errors import CleraError
from core.ids import new_id
from core.realtime import ACCOUNT_CHANGED
from market import frames
from portfolio.live import records
from portfolio.live.board import Board
from portfolio.live.book import MissedFrame
from portfolio.live.holdings import AccountHoldings
from portfolio.live.seats import Seat, Seats

logger = structlog.get_logger()
_READ_SECONDS: Final = 0.5
_CHORES_SECONDS: Final = 0.25
_LINGER_SECONDS: Final = 10.0
_RENEW_WANTED_SECONDS: Final = 20 * 60.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 2.0
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


class Hub:
    """Belongs to one event loop, starts with its first socket and ends after its last."""

    def __init__(self, backend: Backend) -> None:
        self.board = Board()
        self.seats = Seats()
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
        self._empty_since: float | None = None
        self._running: asyncio.Task[None] | None = None

    # What consumers call

    def join(self, seat: Seat) -> None:
        """
        Serve a socket from now on; its snapshot comes at once, or as soon as it can be made.

        :raises TooManySockets: its owner has enough.
        """
        self.seats.add(seat)
        self._empty_since = None
        seat.heartbeat_at = self._now() + settings.HEARTBEAT_INTERVAL * random.random()  # noqa: S311
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        if self.board.knows(seat.account_id) and self._has_prices.is_set():
            self._send_latest(seat)
        else:
            self._reload([seat.account_id])

    def leave(self, seat: Seat) -> None:
        """Stop serving a socket."""
        if self.seats.remove(seat):
            self.board.drop(seat.account_id)
        if not len(self.seats):
            self._empty_since = self._now()

    # Its tasks

    async def _run(self) -> None:
        """Run until nobody has been here for a while; a fault of ours is logged and outlived."""
        while True:
            try:
                await self._run_once()
            except Exception:
                logger.exception("hub.failed")
                await asyncio.sleep(_LOAD_PAUSE_SECONDS)
            if not len(self.seats):
                return

    async def _run_once(self) -> None:
        loop = asyncio.get_running_loop()
        works = (self._listen_always, self._load_always, self._do_chores)
        tasks = [loop.create_task(work()) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._has_prices.clear()
            self.board.is_feed_lost = True

    async def _listen_always(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            started = self._now()
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.warning("hub.redis_lost", error=type(error).__name__)
            if self._now() - started > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            self.board.is_feed_lost = True
            self._has_prices.set()  # none, then: whoever waits learns that they are stale
            await self._tell([])
            await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - no secret
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _listen(self) -> None:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=2,
            socket_connect_timeout=2,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),  # sockets must be told at once; we try again ourselves
        )
        async with client, client.pubsub() as pubsub:
            await pubsub.subscribe(frames.CHANNEL, ACCOUNT_CHANGED)
            for _ in range(2):  # frames from here on reach us, so reading the whole misses none
                await pubsub.get_message(timeout=2)
            # Of what was read before we listened, notices may have been missed.
            self._reload([a for a in self.seats.accounts if self.board.knows(a)])
            self._reload(self._loading)
            await self._read_whole(client)
            while True:
                message = await pubsub.get_message(
                    ignore_subscribe_messages=True, timeout=_READ_SECONDS
                )
                if message is not None:
                    await self._take(client, message)
                elif self._is_silent():
                    await client.ping()

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

    async def _take(self, client: "redis.asyncio.Redis", message: Mapping[str, Any]) -> None:
        if message["channel"] == ACCOUNT_CHANGED.encode():
            self._note_changed(message["data"])
            return
        try:
            changed = self.board.follow(frames.decode(message["data"]))
        except MissedFrame:
            await self._read_whole(client)
            return
        except frames.NotAFrame:
            logger.warning("hub.not_a_frame")
            return
        self._note_feed()
        await self._tell(changed)

    def _note_feed(self) -> None:
        self._heard_at = self._now()
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
        if symbols <= self._wanted and self._now() - self._wanted_at < _RENEW_WANTED_SECONDS:
            return
        await self._backend.want(self._reason, symbols)
        self._wanted, self._wanted_at = symbols, self._now()

    async def _do_chores(self) -> None:
        """Look after sockets that are behind, silent, or whose credential has run out."""
        while not self._is_over():
            await asyncio.sleep(_CHORES_SECONDS)
            now = self._now()
            for seat in self.seats.ready_again():
                self._send_latest(seat)
            ended = self.seats.end_slow(now=now)
            if ended:
                logger.info("hub.slow_sockets_ended", count=ended)
            self.seats.end_expired(now=now)
            self.seats.beat(self._heartbeat(), now=now)
            if self._is_silent() and not self.board.is_feed_lost:
                self.board.is_feed_lost = True
                await self._tell([])

    # Sending

    async def _tell(self, changed: Collection[UUID]) -> None:
        """Send an update of what changed, or of everything when values became stale or fresh."""
        stamp = self.board.stamp
        if stamp.is_stale != self._was_stale:
            self._was_stale, changed = stamp.is_stale, self.seats.accounts
        text = records.stamp_text(stamp, at=datetime.now(UTC))
        accounts, end, now = list(changed), records.tail(text), self._now()
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
        at, now = datetime.now(UTC), self._now()
        if seat.needs_snapshot:
            message = self.board.snapshot(seat.account_id, seat.account_text, at=at)
            seat.needs_snapshot = not self.seats.send(seat, message, now=now)
        else:
            worth, stamp = self.board.worth(seat.account_id), self.board.stamp
            text = records.stamp_text(stamp, at=at)
            message = records.message(records.UPDATE, seat.account_text, worth, text)
            self.seats.send(seat, message, now=now)

    def _heartbeat(self) -> bytes:
        stamp = records.stamp_text(self.board.stamp, at=datetime.now(UTC))
        return f'{{"type":"heartbeat",{stamp}}}'.encode()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _is_silent(self) -> bool:
        silence = self._now() - self._heard_at
        return bool(silence > settings.FEED_STALE_SECONDS)

    def _is_over(self) -> bool:
        since = self._empty_since
        return since is not None and self._now() - since > _LINGER_SECONDS


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub_of_this_loop(backend: Backend) -> Hub:
    """Return the hub of the running event loop, made with the backend when it is the first call."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(backend)
    return _hubs[loop]
