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
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

EXTENSION: Final = "clera.socket"
LARGEST_MESSAGE: Final = 64 * 1024
# What a reader that has stopped costs us: this much here, and twice the second in the kernel.
_HIGH_WATER: Final = 32 * 1024
_LOW_WATER: Final = 8 * 1024
_KERNEL_BUFFER: Final = 64 * 1024
_LAST_WORDS_SECONDS: Final = 3.0
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
        self._is_full = False

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER, low=_LOW_WATER)
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != getattr(socket, "AF_UNIX", None):
            # A reader far behind shall not have old prices queued for it by the kernel.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # else the handshake was refused, and there is no scope
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    async def run_asgi(self) -> None:
        """Run the application; what we log about the connection does not show its token."""
        app, scope = self.app, self.scope
        query = without_secrets(scope["query_string"])

        async def with_full_scope(_: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)

        self.app = with_full_scope
        self.scope = {**scope, "query_string": query}
        await super().run_asgi()

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
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_LAST_WORDS_SECONDS, self.abort)

    def abort(self) -> None:
        """Cut the connection with a reset; what is unsent is lost, here and in the kernel."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None and not self.transport.is_closing():
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


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
