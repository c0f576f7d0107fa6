"""
Uvicorn's WebSocket protocol with what a hub of many sockets needs.

ASGI has no way to ask whether a socket can take a message: `send` waits. A hub that serves
thousands must not wait for the slowest, nor keep a growing queue for it. So each socket's scope
carries an object by which to try to send, and to end a connection whose reader has stopped reading.

Run as `uvicorn --ws clera.websockets:SocketProtocol`.
"""

import asyncio
import logging
import socket
import struct
from asyncio.transports import BaseTransport
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from core import metrics
from core.sockets import codes, draining

EXTENSION: Final = "clera.socket"
LARGEST_MESSAGE: Final = 64 * 1024
# What a reader that has stopped costs us: this much here, and as much unsent in the kernel, which
# small updates fill within seconds. What is on its way to one that reads may be more.
_HIGH_WATER: Final = 8 * 1024
_LOW_WATER: Final = 2 * 1024
_KERNEL_BUFFER: Final = 64 * 1024
_UNSENT_OPTION: Final = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_LAST_WORDS_SECONDS: Final = 3.0
# Of frames that are answered or joined before the application hears of them, so many in so long.
_MOST_SMALL_FRAMES: Final = 100
_SMALL_FRAMES_SECONDS: Final = 10.0
# What came at once is read a bite at a time, so that a flood is cut before all of it is read; and
# so many messages may wait for the application.
_BITE: Final = 4 * 1024
_MOST_UNREAD: Final = 500
_SECRET_PARAMETERS: Final = frozenset({"token", "api_key"})
_SHORT, _MEDIUM = 126, 65_536
_TEXT: Final = 0x81  # a whole text message in one frame
_MEDIUM_HEAD: Final = struct.Struct(">BBH").pack


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection; it is its own handle in `scope["extensions"]["clera.socket"]`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Without compression: its buffers cost more than all else of an idle socket, and our
        # messages are short. Debug lines would hold the handshake, a token in its URL included.
        self.conn = ServerProtocol(max_size=LARGEST_MESSAGE, logger=logging.getLogger(__name__))
        self.conn.debug = False
        self.queue = Heard()  # type: ignore[assignment]
        self._is_full = False
        self._small_frames = 0
        self._small_frames_since = float("-inf")

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER, low=_LOW_WATER)
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != getattr(socket, "AF_UNIX", None):
            # A reader far behind shall not have old prices queued for it by the kernel.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
            if _UNSENT_OPTION is not None:
                connection.setsockopt(socket.IPPROTO_TCP, _UNSENT_OPTION, _HIGH_WATER)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # else the handshake was refused, and there is no scope
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _BITE):
            if self.transport.is_closing():
                break
            super().data_received(data[start : start + _BITE])
        self._see_out()

    def eof_received(self) -> None:
        super().eof_received()
        self.loop.call_soon(self._see_out)  # the transport closes itself after this

    def send_receive_event_to_app(self) -> None:
        if self.close_sent and not self._bears_another():
            return
        super().send_receive_event_to_app()
        if self.queue.qsize() > _MOST_UNREAD:
            self._cut_flood()

    def handle_ping(self) -> None:
        if self._bears_another():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._bears_another():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        if self._bears_another():
            super().handle_cont(event)

    def _bears_another(self) -> bool:
        """Count a frame that no application slows down, and cut a client that sends a flood."""
        now = self.loop.time()
        if now - self._small_frames_since > _SMALL_FRAMES_SECONDS:
            self._small_frames, self._small_frames_since = 0, now
        self._small_frames += 1
        if self._small_frames <= _MOST_SMALL_FRAMES:
            return True
        self._cut_flood()
        return False

    def _cut_flood(self) -> None:
        if not self.transport.is_closing():
            metrics.SOCKETS_CUT.labels(str(codes.TOO_MANY)).inc()
            self.abort()

    async def run_asgi(self) -> None:
        """Run the application; what we log about the connection does not show its token."""
        app, scope = self.app, self.scope
        query = without_secrets(scope["query_string"])

        async def with_full_scope(_: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        self.app = with_full_scope
        self.scope = {**scope, "query_string": query}
        await super().run_asgi()
        self._see_out()

    async def send(self, message: Any) -> None:
        """Send as usual; the handshake's headers, read by now, are not kept for hours."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self.request.headers.clear()
            self.response.headers.clear()
        elif self.close_timer is not None:  # closed by the application
            self._cut_later()

    # What a hub does with the handle

    def is_writable(self) -> bool:
        """Say whether the reader keeps up and the connection is open."""
        return not (
            self._is_full or self.close_sent or self.disconnected or self.transport.is_closing()
        )

    def try_send(self, text: bytes) -> bool:
        """Send a text message now, or return false and keep nothing of it."""
        if self._is_full or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        # Not to the kernel ourselves: `os.write` gives up the interpreter's lock, and would wait
        # for busy threads after each message; uvloop keeps it.
        self.transport.write(framed(text))
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_full = False

    def end(self, code: int) -> None:
        """Say why, and cut the connection soon whether or not the reader hears it."""
        if self.close_sent or self.disconnected or self.conn.state is not State.OPEN:
            return  # over already, or the client has said goodbye first
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        metrics.SOCKETS_CUT.labels(str(code)).inc()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._cut_later()

    # What the server does with the connection

    def shutdown(self) -> None:
        """Send the client elsewhere: the process is about to end."""
        draining.begin()
        if self.handshake_initiated and not self.handshake_complete:
            return  # the gate turns it away once it is through
        if self.close_timer is not None:
            return  # it is ended already, and cut soon
        if self.handshake_complete and not self.close_sent:
            self.try_send(draining.farewell())
            self.end(codes.RESTARTING)
        else:
            super().shutdown()
            self._see_out()

    def keepalive_timeout(self) -> None:
        """Cut a client that does not answer our pings; what waits for it would wait for ever."""
        super().keepalive_timeout()
        metrics.SOCKETS_CUT.labels(str(codes.NO_ANSWER)).inc()
        self.abort()

    def abort(self) -> None:
        """Cut the connection with a reset; what is unsent is lost, here and in the kernel."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None and not self.disconnected:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _see_out(self) -> None:
        """Cut a closing connection soon: it would wait for ever until its reader reads."""
        if self.transport.is_closing() and not self.disconnected and self.close_timer is None:
            self._cut_later()

    def _cut_later(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(_LAST_WORDS_SECONDS, self.abort)


class Heard:
    """What a client has said and nobody has read; asyncio's own queue takes 2 KiB."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        """Add a message, and wake whoever waits for one."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def empty(self) -> bool:
        """Say whether everything was read."""
        return not self._messages

    def qsize(self) -> int:
        """Say how many messages wait."""
        return len(self._messages)

    async def get(self) -> Any:
        """Wait for the next message."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)


def framed(text: bytes) -> bytes:
    """Put a whole unmasked text message into a WebSocket frame (RFC 6455, 5.2)."""
    length = len(text)
    if length < _SHORT:
        return bytes((_TEXT, length)) + text
    if length < _MEDIUM:
        return _MEDIUM_HEAD(_TEXT, _SHORT, length) + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text


def without_secrets(query: bytes) -> bytes:
    """Blot out the values of parameters that are credentials."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    hidden = [(name, "hidden" if name in _SECRET_PARAMETERS else value) for name, value in pairs]
    return urlencode(hidden).encode()
