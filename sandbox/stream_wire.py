"""How the data socket writes messages: msgpack or JSON, packed once and joined into frames."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgpack
import simplejson
from starlette.datastructures import Headers

from sandbox import ticker

Message = Mapping[str, Any]
Frame = bytes | str

_MSGPACK_TYPE = "application/msgpack"
_FIXARRAY_LIMIT = 16


class BadFrame(Exception):
    """The client sent what cannot be read."""


class Wire:
    """One of the two notations; `pack` writes a message, `frame` joins packed ones."""

    is_binary = False

    @staticmethod
    def for_headers(headers: Headers) -> "Wire":
        """Choose as the vendor does, by the content type of the handshake."""
        return MSGPACK if _MSGPACK_TYPE in headers.get("content-type", "") else JSON

    def pack(self, message: Message) -> bytes:
        """Write one message."""
        text = simplejson.dumps(dict(message), use_decimal=True, default=ticker.timestamp)
        return text.encode()

    def frame(self, packed: Sequence[bytes]) -> Frame:
        """Join messages into the array that a frame is."""
        return (b"[" + b",".join(packed) + b"]").decode()

    def read(self, frame: Frame) -> dict[str, Any]:
        """
        Read what the client sent.

        :raises BadFrame: it is not one object.
        """
        try:
            read = simplejson.loads(frame)
        except ValueError as error:
            raise BadFrame from error
        return _one_object(read)


class MsgpackWire(Wire):
    is_binary = True

    def pack(self, message: Message) -> bytes:
        packed: bytes = msgpack.packb({k: _plain(v) for k, v in message.items()}, datetime=True)
        return packed

    def frame(self, packed: Sequence[bytes]) -> Frame:
        count = len(packed)
        short = count < _FIXARRAY_LIMIT
        head = bytes([0x90 | count]) if short else b"\xdd" + count.to_bytes(4)
        return head + b"".join(packed)

    def read(self, frame: Frame) -> dict[str, Any]:
        if isinstance(frame, str):
            return super().read(frame)
        try:
            read = msgpack.unpackb(frame)
        except (ValueError, msgpack.UnpackException) as error:
            raise BadFrame from error
        return _one_object(read)


JSON = Wire()
MSGPACK = MsgpackWire()


def _one_object(read: object) -> dict[str, Any]:
    if not isinstance(read, dict):
        raise BadFrame
    return read


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value
