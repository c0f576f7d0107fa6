"""Very many clients that stay, and come back as ours do when they are cut off."""

import asyncio
import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.fanout.clients import Client, Scores, masked

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_PATIENCE_SECONDS = 10.0
_VALUE = b'"raw_value":'
_SEQ = b'"seq":'
_LATER = b'"retry_after":'


@dataclass(frozen=True)
class Place:
    """What one client looks at, and what it says first."""

    path: str
    first: bytes


class Member(Client):
    """One client; it keeps the last value that it was told."""

    def __init__(self, crowd: "Crowd", index: int) -> None:
        place = crowd.places[index]
        super().__init__(place.path, crowd.port, place.first, crowd.scores, is_read_closely=True)
        self._crowd, self._index = crowd, index
        self.ready.add_done_callback(_looked_at)

    def connection_lost(self, exc: Exception | None) -> None:
        was_served = self.ready.done() and self.ready.exception() is None
        super().connection_lost(exc)
        if was_served:
            self._crowd.lost(self._index, self)

    def _take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == 1 and _VALUE in payload:
            self._crowd.told[self._index] = payload
        elif kind == 1 and _LATER in payload:
            self._crowd.asked_to_wait[self._index] = _number(payload, _LATER)
        elif kind == 8:
            self._crowd.codes[int.from_bytes(payload[:2], "big")] += 1
        if kind != 1 or _VALUE in payload:  # heartbeats and refusals are no values
            super()._take(kind, payload, now)


def _looked_at(ready: "asyncio.Future[None]") -> None:
    ready.cancelled() or ready.exception()


@dataclass
class Crowd:
    """All clients of a run, by their number; with `comes_back` whoever is cut off returns."""

    port: int
    places: Sequence[Place]
    comes_back: bool = False
    scores: Scores = field(default_factory=Scores)
    here: dict[int, Member] = field(default_factory=dict)
    told: dict[int, bytes] = field(default_factory=dict)
    asked_to_wait: dict[int, float] = field(default_factory=dict)
    codes: Counter[int] = field(default_factory=Counter)
    losses: int = 0
    failures: int = 0
    _returning: set["asyncio.Task[None]"] = field(default_factory=set)

    async def open(self, first: int, last: int, *, at_once: int = 100) -> float:
        """Open some of the sockets, a few at a time, and say how many seconds that took."""
        limit, started = asyncio.Semaphore(at_once), time.perf_counter()

        async def one(index: int) -> None:
            async with limit:
                await self._connect(index)

        await asyncio.gather(*(one(index) for index in range(first, last)))
        return time.perf_counter() - started

    def lost(self, index: int, member: Member) -> None:
        """Note that a client was cut off, and have it come back if it is of that kind."""
        if self.here.get(index) is not member:
            return
        del self.here[index]
        self.losses += 1
        if self.comes_back:
            task = asyncio.ensure_future(self._return(index))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

    async def until_all_are_here(self, seconds: float) -> float | None:
        """Wait for everybody, and say how long it took; nothing if somebody is missing still."""
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            if len(self.here) == len(self.places):
                return time.perf_counter() - started
            await asyncio.sleep(0.05)
        return None

    def seq_of(self, index: int) -> int:
        """Tell with which frame a client is up to date."""
        return int(_number(self.told[index], _SEQ))

    def value_of(self, index: int) -> float:
        """Tell what a client shows."""
        return _number(self.told[index], _VALUE)

    async def close(self) -> None:
        """Leave, all of us."""
        self.comes_back = False
        for task in list(self._returning):
            task.cancel()
        for member in list(self.here.values()):
            member.transport.abort()
        self.here.clear()

    async def _return(self, index: int) -> None:
        """Try again after a pause that is longer each time, and never the same for two of us."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            asked = self.asked_to_wait.pop(index, 0.0)
            if asked:
                await asyncio.sleep(asked + random.random() * _FIRST_PAUSE_SECONDS)
            else:
                await asyncio.sleep(random.random() * pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            try:
                return await self._connect(index)
            except (OSError, TimeoutError):
                self.failures += 1

    async def _connect(self, index: int) -> None:
        loop, member = asyncio.get_running_loop(), Member(self, index)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await loop.create_connection(lambda: member, "127.0.0.1", self.port)
                await asyncio.shield(member.ready)
        except BaseException:
            with contextlib.suppress(AttributeError):  # it was never connected
                member.transport.abort()
            raise
        self.here[index] = member


def _number(payload: bytes, name: bytes) -> float:
    start = end = payload.index(name) + len(name)
    while payload[end : end + 1] not in {b",", b"}"}:
        end += 1
    return float(payload[start:end])


async def deaf(port: int, place: Place) -> socket.socket:
    """Open a socket, ask for every position's price, and never read from it."""
    loop, raw = asyncio.get_running_loop(), socket.socket()
    raw.setblocking(False)  # noqa: FBT003 - its only argument
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(raw, ("127.0.0.1", port))
    hello = (
        f"GET {place.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await loop.sock_sendall(raw, hello.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:  # and not a byte more
        answer += await loop.sock_recv(raw, 1)
    await loop.sock_sendall(raw, masked(place.first[:-1] + b',"detail":"positions"}'))
    return raw
