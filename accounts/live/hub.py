"""
The hub of account events: one per web process, between the feeds and their sockets.

What is told over Redis only says where to look. Each seat has a place in its account's sequence,
and gets what lies behind it, read from the table, in order and without a gap; or it is told that
there is one.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Final
from uuid import UUID

import redis.asyncio
import structlog
from django.db import DatabaseError

from accounts.live.pages import NEWEST, Page, Place
from accounts.services.feed import CHANNEL
from core import metrics
from core.errors import CleraError
from core.sockets import seats
from core.sockets.hub import Hub, Work
from core.sockets.owners import OwnersOf

logger = structlog.get_logger()
# Who is further behind reads what is, instead of everything that led to it.
LONGEST_REPLAY: Final = 1000
# Notices may be lost, and Redis be away: then this is how late an event comes.
_CHECK_SECONDS: Final = 3.0
_AFTER_FAULT_SECONDS: Final = 1.0
_REPLAY_SECONDS: Final = 0.02
_ACCOUNTS_A_READ: Final = 200
_WRITTEN: Final = metrics.SOCKET_MESSAGES.labels("event")


@dataclass(frozen=True)
class Backend:
    """Where events are read, where to ask which accounts have new ones, and whose those are."""

    read: Callable[[Collection[Place]], Awaitable[Mapping[Place, Page]]]
    moved: Callable[[Mapping[UUID, int]], Awaitable[Collection[UUID]]]
    owners_of: OwnersOf


@dataclass(eq=False, slots=True, kw_only=True)
class FeedSeat(seats.Seat):
    """
    One socket, at a place in its account's sequence.

    `seq` is the last event it was sent, at first the one it says it has. `words` waits to be sent
    before any further event. `account_text` is the id by which the client named the account, as
    JSON.
    """

    account_text: str
    seq: int = NEWEST
    words: tuple[bytes, ...] = ()
    is_greeted: bool = False

    @property
    def place(self) -> Place:
        """Where to go on reading."""
        return Place(self.account_id, self.seq)

    def greet(self, page: Page) -> None:
        """Begin with where the sequence stands, and where this socket goes on."""
        self.is_greeted = True
        hello = {"seq": page.last, "oldest": page.oldest}
        text = f'{{"type":"hello","account_id":{self.account_text},{json.dumps(hello)[1:]}'
        self.words = (text.encode(),)
        if self.seq == NEWEST:
            self.seq = page.last
        elif page.last - self.seq > LONGEST_REPLAY:
            self.start_over(page)

    def start_over(self, page: Page) -> None:
        """Say that events lack: the client reads what is now, and goes on from the last."""
        self.words += (f'{{"type":"reset","seq":{page.last}}}'.encode(),)
        self.seq = page.last


class FeedHub(Hub[FeedSeat]):
    """Reads what lies behind the places of its seats, whenever there may be something."""

    kind: ClassVar = "events"
    channels: ClassVar = (CHANNEL,)

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend.owners_of)
        self._backend = backend
        self._known: dict[UUID, int] = {}  # how far sequences have come
        self._due: set[UUID] = set()
        self._is_something_due = asyncio.Event()
        self._is_check_due = asyncio.Event()
        self._is_anyone_behind = asyncio.Event()

    # What the hub of any socket asks for

    def works(self) -> tuple[Work, ...]:
        return (
            *super().works(),
            self._deliver_always,
            self._check_always,
            self._catch_up_always,
        )

    def joined(self, seat: FeedSeat) -> None:
        self._look_at([seat.account_id])

    def forget(self, account_id: UUID) -> None:
        self._known.pop(account_id, None)

    def catch_up(self, seat: FeedSeat) -> None:
        self._look_at([seat.account_id])

    def heartbeat(self) -> bytes:
        return f'{{"type":"heartbeat","timestamp":{time.time():.3f}}}'.encode()

    async def listening(self, client: "redis.asyncio.Redis") -> None:  # noqa: ARG002
        self._is_check_due.set()

    async def hear(
        self,
        client: "redis.asyncio.Redis",  # noqa: ARG002
        channel: str,  # noqa: ARG002
        data: bytes,
    ) -> None:
        try:
            told = {UUID(name): int(seq) for name, seq in json.loads(data)["accounts"].items()}
        except (ValueError, LookupError, TypeError, AttributeError):
            logger.warning("hub.not_a_notice")
            return
        self._look_at(account for account, seq in told.items() if seq > self._known.get(account, 0))

    def reset(self) -> None:
        """Begin anew with everybody: what was being read when the works ended is forgotten."""
        self._look_at(self.seats.accounts)

    # Its tasks

    def _look_at(self, accounts: Iterable[UUID]) -> None:
        self._due.update(account for account in accounts if self.seats.of(account))
        if self._due:
            self._is_something_due.set()

    async def _deliver_always(self) -> None:
        while True:
            while self._due:
                some = list(islice(self._due, _ACCOUNTS_A_READ))
                self._due.difference_update(some)
                try:
                    await self._deliver(some)
                except (DatabaseError, CleraError) as error:
                    logger.warning("hub.not_read", count=len(some), error=type(error).__name__)
                    self._look_at(some)
                    await asyncio.sleep(_AFTER_FAULT_SECONDS)
            self._is_something_due.clear()
            await self._is_something_due.wait()

    async def _deliver(self, accounts: list[UUID]) -> None:
        """Read once for all seats of these accounts that can take a message."""
        sitting = [seat for account in accounts for seat in self.seats.of(account)]
        places = {seat.place for seat in sitting if seat.socket.is_writable()}
        if not places:
            return
        pages = await self._backend.read(places)
        for account in accounts:
            for seat in self.seats.of(account):
                page = pages.get(seat.place)
                if page is not None:
                    self._known[account] = page.last
                    self._send(seat, page)

    async def _check_always(self) -> None:
        """Ask now and then whether there are events of which no notice came."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    await self._is_check_due.wait()
            self._is_check_due.clear()
            if not self._known:
                continue
            try:
                self._look_at(await self._backend.moved(dict(self._known)))
            except (DatabaseError, CleraError) as error:
                logger.warning("hub.not_checked", error=type(error).__name__)

    async def _catch_up_always(self) -> None:
        """Go on with a replay as soon as its reader can take more, which is sooner than chores."""
        while True:
            await self._is_anyone_behind.wait()
            await asyncio.sleep(_REPLAY_SECONDS)
            self._look_at(seat.account_id for seat in self.seats.ready_again())
            if not self.seats.is_anyone_behind:
                self._is_anyone_behind.clear()

    # Sending

    def _send(self, seat: FeedSeat, page: Page) -> None:
        """Send what lies behind the seat's place, as much as its reader takes."""
        place = seat.seq
        if not seat.is_greeted:
            seat.greet(page)
        if seat.seq == place and not page.continues(place):
            seat.start_over(page)
        texts = [event for event in page.events if event.seq > seat.seq]
        if not self._say(seat):
            return
        for event in texts:
            if not self._try_send(seat, event.text):
                return
            seat.seq = event.seq
        if seat.seq < page.last:
            self._look_at([seat.account_id])

    def _say(self, seat: FeedSeat) -> bool:
        """Send the words that come before events, and say whether all of them were taken."""
        while seat.words:
            if not self._try_send(seat, seat.words[0]):
                return False
            seat.words = seat.words[1:]
        return True

    def _try_send(self, seat: FeedSeat, text: bytes) -> bool:
        is_sent = self.seats.send(seat, text, now=self.now())
        _WRITTEN.inc(is_sent)
        if not is_sent:
            self._is_anyone_behind.set()
        return is_sent
