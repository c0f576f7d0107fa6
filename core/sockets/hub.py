"""
What every hub does: one per web process, between news and the sockets of many accounts.

It waits for no socket. A hub of some kind of socket says which notices it hears, what it makes of
them, and how a socket that was behind is brought up to date.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, Generic
from uuid import UUID

import redis.asyncio
import structlog
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core import metrics
from core.sockets.owners import OwnersOf, OwnerWatch
from core.sockets.seats import Seats, SeatT

logger = structlog.get_logger()
Work = Callable[[], Awaitable[None]]
_READ_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 5.0
_CHORES_SECONDS: Final = 0.25
_LINGER_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 2.0
_AFTER_FAULT_SECONDS: Final = 1.0


class Hub(Generic[SeatT]):
    """Belongs to one event loop, starts with its first socket and ends after its last."""

    kind: ClassVar[str]  # for those who count
    channels: ClassVar[tuple[str, ...]]

    def __init__(self, owners_of: OwnersOf) -> None:
        self.seats: Seats[SeatT] = Seats()
        self.owners = OwnerWatch(self.seats, owners_of)
        self._empty_since: float | None = None
        self._running: asyncio.Task[None] | None = None

    # What the gate calls

    def join(self, seat: SeatT) -> None:
        """
        Serve a socket from now on.

        :raises TooManySockets: its owner has enough.
        """
        # Those who came together are not told together for ever after.
        beat_at = self.now() + settings.HEARTBEAT_INTERVAL * random.random()  # noqa: S311
        self.seats.add(seat, beat_at=beat_at)
        self._count()
        self._empty_since = None
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        self.joined(seat)

    def leave(self, seat: SeatT) -> None:
        """Stop serving a socket."""
        for account_id in self.seats.remove(seat):
            self.forget(account_id)
        self._count()
        if not len(self.seats):
            self._empty_since = self.now()

    # What a kind of hub says

    def works(self) -> tuple[Work, ...]:
        """Name what runs as long as somebody is here."""
        return (self._listen_always, self._do_chores, self.owners.run)

    def joined(self, seat: SeatT) -> None:
        """Have a new socket told what there is."""
        raise NotImplementedError

    def forget(self, account_id: UUID) -> None:
        """Drop what was known for an account that nobody looks at any more."""
        raise NotImplementedError

    def catch_up(self, seat: SeatT) -> None:
        """Bring a socket up to date that was behind and can take a message now."""
        raise NotImplementedError

    def heartbeat(self) -> bytes:
        """Write the message by which sockets hear that we are there."""
        raise NotImplementedError

    async def listening(self, client: "redis.asyncio.Redis") -> None:
        """Find out what was missed: notices reach us from here on."""
        raise NotImplementedError

    async def hear(self, client: "redis.asyncio.Redis", channel: str, data: bytes) -> None:
        """Take in a notice."""
        raise NotImplementedError

    async def lost(self) -> None:
        """Do what is due while no notices arrive."""

    async def chores(self) -> None:
        """Do what else is due a few times a second."""

    def is_silent(self) -> bool:
        """Say whether it is so long quiet that the connection must be asked whether it lives."""
        return True

    def reset(self) -> None:
        """Forget what only holds while the works run."""

    def now(self) -> float:
        """Tell the loop's time."""
        return asyncio.get_running_loop().time()

    # Its tasks

    async def _run(self) -> None:
        """Run until nobody has been here for a while; a fault of ours is logged and outlived."""
        while True:
            try:
                await self._run_once()
            except Exception:
                logger.exception("hub.failed")
                await asyncio.sleep(_AFTER_FAULT_SECONDS)
            if not len(self.seats):
                return

    async def _run_once(self) -> None:
        tasks = [asyncio.ensure_future(work()) for work in self.works()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.reset()

    async def _listen_always(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            started = self.now()
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.warning("hub.redis_lost", error=type(error).__name__)
            if self.now() - started > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await self.lost()
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
            await pubsub.subscribe(*self.channels)
            for _ in self.channels:
                if await pubsub.get_message(timeout=_ANSWER_SECONDS) is None:
                    raise TimeoutError  # else what is published before it has answered is lost
            await self.listening(client)
            while True:
                _heed_cancellation()
                message = await pubsub.get_message(
                    ignore_subscribe_messages=True, timeout=_READ_SECONDS
                )
                if message is not None:
                    await self.hear(client, message["channel"].decode(), message["data"])
                elif self.is_silent():
                    await client.ping()

    async def _do_chores(self) -> None:
        """Look after sockets that are behind or silent."""
        while not self._is_over():
            await asyncio.sleep(_CHORES_SECONDS)
            now = self.now()
            for seat in self.seats.ready_again():
                self.catch_up(seat)
            ended = self.seats.end_slow(now=now)
            if ended:
                logger.info("hub.slow_sockets_ended", count=ended)
            self.seats.beat(self.heartbeat(), now=now)
            self._count()
            await self.chores()

    def _count(self) -> None:
        metrics.SOCKETS.labels(self.kind).set(len(self.seats))
        metrics.SOCKET_DIRTY.labels(self.kind).set(self.seats.behind_count)

    def _is_over(self) -> bool:
        since = self._empty_since
        return since is not None and self.now() - since > _LINGER_SECONDS


def _heed_cancellation() -> None:
    """
    End a task that was told to end while it waited for Redis.

    The client takes a cancellation for its own when both come at one moment, and the loop around
    it would then go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
