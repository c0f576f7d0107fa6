"""A socket as hubs see it: try to send, or end it; never wait."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final, Protocol

from core import metrics

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
# Set by `clera.websockets`; nothing here may import the project above it.
_EXTENSION: Final = "clera.socket"
_LAST_WORDS_SECONDS: Final = 1.0


class LiveSocket(Protocol):
    """What the server gives us for each connection."""

    def is_writable(self) -> bool:
        """Say whether the reader keeps up and the connection is open."""
        ...

    def try_send(self, text: bytes) -> bool:
        """Send a text message now, or return false and keep nothing of it."""
        ...

    def end(self, code: int) -> None:
        """Say why, and cut the connection soon whether or not the reader hears it."""
        ...


class WaitingSocket:
    """The same over plain ASGI, where sending waits: one message at a time is on its way."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._sending: asyncio.Task[None] | None = None
        self._end_code: int | None = None
        self._ended = asyncio.Event()

    def is_writable(self) -> bool:
        return self._end_code is None and (self._sending is None or self._sending.done())

    def try_send(self, text: bytes) -> bool:
        if not self.is_writable():
            return False
        self._start({"type": "websocket.send", "text": text.decode()})
        return True

    def end(self, code: int) -> None:
        if self._end_code is not None:
            return
        self._end_code = code
        metrics.SOCKETS_CUT.labels(str(code)).inc()
        self._sending = asyncio.ensure_future(self._close(code, self._sending))
        self._ended.set()

    async def receive(self) -> Message:
        """Wait for the client, or for our own end of the connection."""
        reading = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait([reading, ending], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
            if self._sending is not None:
                await self._sending
            return {"type": "websocket.disconnect", "code": self._end_code}
        finally:
            reading.cancel()
            ending.cancel()

    def _start(self, message: Message) -> None:
        self._sending = asyncio.ensure_future(self._deliver(message))

    async def _close(self, code: int, sending: asyncio.Task[None] | None) -> None:
        """Give what is on its way a moment, then say why it ends here."""
        if sending is not None:
            await asyncio.wait([sending], timeout=_LAST_WORDS_SECONDS)
            sending.cancel()
        await self._deliver({"type": "websocket.close", "code": code})

    async def _deliver(self, message: Message) -> None:
        # The client may have gone, in whatever words this server says so; reading tells us as well.
        with suppress(OSError, RuntimeError):
            await self._send(message)


def attach(scope: Message, receive: Receive, send: Send) -> tuple[LiveSocket, Receive]:
    """Return the server's own handle, or a stand-in, and how to read what the client says."""
    handle: LiveSocket | None = scope.get("extensions", {}).get(_EXTENSION)
    if handle is not None:
        return handle, receive
    waiting = WaitingSocket(receive, send)
    return waiting, waiting.receive
