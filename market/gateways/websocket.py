"""A WebSocket client without a thread of its own: who reads gets everything that has arrived."""

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

Data = bytes | bytearray | memoryview
Message = Data | str

_PING_SECONDS: Final = 5.0
_PONG_SECONDS: Final = 5.0
_SEND_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 0.5
_LEAST_WAIT_SECONDS: Final = 0.001  # none at all would mean: never wait
# Some hundred prices. More of them alive at a time make the garbage collector look through all
# that the process has, which took longer than reading them.
_MOST_AT_ONCE: Final = 32 * 1024
_LARGEST_MESSAGE: Final = 4 * 1024 * 1024
_LARGEST_FRAME_SENT: Final = 32 * 1024  # what the vendor's own client sends at most
_DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

# At DEBUG this library writes what it sends, our secret included.
_logger = logging.getLogger("market.stream")
_logger.setLevel(logging.WARNING)


@contextlib.contextmanager
def connected(
    url: str, *, headers: Mapping[str, str], timeout_seconds: float
) -> Iterator["WebSocket"]:
    """
    Connect, shake hands, and say goodbye at the end; redirects are not followed.

    :raises OSError: there is nobody, or not in time.
    :raises WebSocketException: the other side does not speak the protocol, or does not want us.
    """
    uri, deadline = parse_uri(url), time.monotonic() + timeout_seconds
    with contextlib.closing(_connect(uri, deadline)) as connection:
        opened = WebSocket(connection, uri)
        opened.shake_hands(headers, deadline=deadline)
        try:
            yield opened
        finally:
            opened.say_goodbye()


def _connect(uri: WebSocketURI, deadline: float) -> socket.socket:
    connection = socket.create_connection((uri.host, uri.port), timeout=_left(deadline))
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not uri.secure:
            return connection
        connection.settimeout(_left(deadline))
        return ssl.create_default_context().wrap_socket(connection, server_hostname=uri.host)
    except BaseException:
        connection.close()
        raise


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), _LEAST_WAIT_SECONDS)


class WebSocket:
    """
    An open connection, for one thread at a time.

    One system call takes in as many messages as fit, which is what makes it fast. It answers pings,
    and sends one of its own after some silence, while somebody waits in `receive`.
    """

    def __init__(self, connection: socket.socket, uri: WebSocketURI) -> None:
        self._connection = connection
        self._protocol = ClientProtocol(uri, max_size=_LARGEST_MESSAGE, logger=_logger)
        self._messages: list[Message] = []
        self._parts: list[Data] = []
        self._is_text = False
        self._heard_at = time.monotonic()
        self._pinged_at = 0.0

    def shake_hands(self, headers: Mapping[str, str], *, deadline: float) -> None:
        """Ask for the protocol, and see that the other side agrees."""
        request = self._protocol.connect()
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._write()
        while self._protocol.state is State.CONNECTING:
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            if time.monotonic() >= deadline:
                raise TimeoutError
            self._read(_left(deadline))

    def send(self, data: bytes) -> None:
        """Send one binary message, in pieces if it is long."""
        self._protocol.send_binary(data[:_LARGEST_FRAME_SENT], fin=len(data) <= _LARGEST_FRAME_SENT)
        for start in range(_LARGEST_FRAME_SENT, len(data), _LARGEST_FRAME_SENT):
            end = start + _LARGEST_FRAME_SENT
            self._protocol.send_continuation(data[start:end], fin=end >= len(data))
        self._write()

    def receive(self, *, timeout_seconds: float) -> list[Message]:
        """
        Wait for messages, at most this long, and return all that are there.

        :raises OSError: the connection has ended or is dead.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                raise ConnectionResetError
            if not self._read(min(_left(deadline), _PING_SECONDS)):
                self._keep_alive()
            # Pings, or the pieces of a message that never ends, must not keep us here.
            if not self._messages and time.monotonic() >= deadline:
                return []
        messages, self._messages = self._messages, []
        return messages

    def say_goodbye(self) -> None:
        """Close as the protocol asks for, unless the other side takes too long."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        with contextlib.suppress(OSError, WebSocketException):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
                self._write()
            while self._protocol.state is not State.CLOSED and time.monotonic() < deadline:
                self._read(_left(deadline))
                self._messages.clear()  # nobody reads them any more

    def _read(self, seconds: float) -> bool:
        """Take in what is there or comes within this time, and say whether that was anything."""
        self._connection.settimeout(seconds)
        try:
            data = self._connection.recv(_MOST_AT_ONCE)
        except TimeoutError:
            return False
        self._heard_at = time.monotonic()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._take(event)
        self._write()
        return True

    def _take(self, frame: Frame) -> None:
        if frame.fin and frame.opcode is Opcode.BINARY:  # nearly always
            self._messages.append(frame.data)
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._parts.append(frame.data)
        if frame.fin:
            whole, self._parts = b"".join(self._parts), []
            self._messages.append(whole.decode(errors="replace") if self._is_text else whole)

    def _write(self) -> None:
        """Send what the protocol has to say; an empty piece means that nothing more will come."""
        for data in self._protocol.data_to_send():
            if data:
                self._connection.settimeout(_SEND_SECONDS)
                self._connection.sendall(data)
            else:
                with contextlib.suppress(OSError):  # the other side may have gone already
                    self._connection.shutdown(socket.SHUT_WR)

    def _keep_alive(self) -> None:
        """Ping after some silence; whoever has not answered a ping in time is gone."""
        now = time.monotonic()
        if self._pinged_at > self._heard_at:
            if now - self._pinged_at > _PONG_SECONDS:
                raise TimeoutError
        elif now - self._heard_at > _PING_SECONDS:
            self._protocol.send_ping(b"")
            self._write()
            self._pinged_at = now
