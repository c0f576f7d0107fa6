"""Very cheap WebSocket clients, so that what is measured is the server."""

import asyncio
import base64
import os
import time
from dataclasses import dataclass, field

_SEQ = b'"seq":'
_UPDATE = b'"type":"update"'
_PING = b"\x89\x04"
_SHORT, _MEDIUM = 126, 127
# One socket in so many is read message by message, for latencies; the others are only counted.
READ_CLOSELY = 10


@dataclass
class Scores:
    """What all clients of a run have heard."""

    published: dict[int, float] = field(default_factory=dict)
    heard: int = 0
    latencies: list[float] = field(default_factory=list)
    enough: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, count: int) -> None:
        """Count updates."""
        self.heard += count
        if self.heard >= self.enough:
            self.reached.set()

    def note(self, payload: bytes, now: float) -> None:
        """Note how long an update took from its frame to here."""
        at = payload.find(_SEQ)
        if at < 0 or _UPDATE not in payload:
            return
        end = start = at + len(_SEQ)
        while payload[end : end + 1].isdigit():
            end += 1
        published = self.published.get(int(payload[start:end]))
        if published is not None:
            self.latencies.append(now - published)


class Client(asyncio.Protocol):
    """One socket: a handshake, one frame of ours, and then only reading."""

    def __init__(
        self, path: str, port: int, first: bytes | None, scores: Scores, *, is_read_closely: bool
    ) -> None:
        self._path, self._port, self._first, self._scores = path, port, first, scores
        self._is_read_closely = is_read_closely
        self._data = bytearray()
        self._tail = b""
        self._is_open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            "".encode()
        )

    def data_received(self, data: bytes) -> None:
        found = (self._tail + data).count(_UPDATE)
        self._tail = data[1 - len(_UPDATE) :]
        if found:
            self._scores.add(found)
        if self.ready.done() and not self._is_read_closely:
            at = data.find(_PING)  # bytes that no text has
            if at >= 0:
                self._pong(data[at + len(_PING) : at + len(_PING) + 4])
            return
        self._data += data
        if self._is_open or self._open():
            self._read_frames()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"closed before it was served ({exc})"))

    def _open(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self._data.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(bytes(self._data[:60]).decode())
        del self._data[: end + 4]
        self._is_open = True
        if self._first is not None:
            self.transport.write(masked(self._first))
        return True

    def _read_frames(self) -> None:
        data, now, start = self._data, time.perf_counter(), 0
        while len(data) - start >= 2:
            kind, length, head = data[start] & 0x0F, data[start + 1], 2
            if length == _SHORT:
                length, head = int.from_bytes(data[start + 2 : start + 4], "big"), 4
            elif length == _MEDIUM:
                length, head = int.from_bytes(data[start + 2 : start + 10], "big"), 10
            if len(data) - start < head + length:
                break
            self._take(kind, bytes(data[start + head : start + head + length]), now)
            start += head + length
        del data[:start]

    def _take(self, kind: int, payload: bytes, now: float) -> None:
        if kind == 9:
            self._pong(payload)
        elif kind == 1:
            if not self.ready.done():
                self.ready.set_result(None)
            self._scores.note(payload, now)

    def _pong(self, payload: bytes) -> None:
        self.transport.write(bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload)


def masked(text: bytes) -> bytes:
    """Write a client's text frame; a mask of zeros is one as well."""
    head = (
        bytes((0x81, 0x80 | len(text)))
        if len(text) < _SHORT
        else b"\x81\xfe" + len(text).to_bytes(2, "big")
    )
    return head + bytes(4) + text


async def connect_all(
    paths: list[str], port: int, first: bytes | None, scores: Scores, *, at_once: int = 50
) -> list[Client]:
    """Open every socket and wait until each has heard something."""
    loop = asyncio.get_running_loop()
    limit = asyncio.Semaphore(at_once)

    async def one(index: int, path: str) -> Client:
        closely = index % READ_CLOSELY == 0
        async with limit:
            _, client = await loop.create_connection(
                lambda: Client(path, port, first, scores, is_read_closely=closely),
                "127.0.0.1",
                port,
            )
            await asyncio.wait_for(client.ready, 30)
            return client

    numbered = enumerate(paths)
    return list(await asyncio.gather(*(one(n, path) for n, path in numbered)))
