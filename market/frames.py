"""
How prices travel: binary frames on a Redis channel, and a Redis hash for whoever comes late.

A frame carries what changed since the one before it. Frames are numbered without gaps within an
epoch, which is one publisher's turn; a later turn has a higher epoch. Prices are whole billionths
of a dollar, and instruments are named by their numbers. A consumer that misses a frame, or sees a
new epoch, reads the hash.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

CHANNEL: Final = "clera:prices:frames"
SNAPSHOT_KEY: Final = "clera:prices"
AS_OF_KEY: Final = "clera:prices:as_of"
WANTED_KEY: Final = "clera:prices:wanted"

HEAD_FIELD: Final = b"head"
FENCE_FIELD: Final = b"fence"
SILENCE_SECONDS: Final = 1.0  # a publisher with nothing to say still says so this often

_MAGIC: Final = b"CPF1"
_HEAD: Final = struct.Struct("<4sBxxxIQQqqII")
_STALE: Final = 1
_FULL: Final = 2
ROW: Final = np.dtype([("price", "<i8"), ("close", "<i8"), ("at_ns", "<i8")])

Numbers = NDArray[np.uint32]
Integers = NDArray[np.int64]


class NotAFrame(ValueError):
    """The bytes are no frame, or one of a version we do not know."""


class Epoch(NamedTuple):
    """One publisher's turn: the fence of its lease, and when it began."""

    fence: int
    started_ms: int

    def __str__(self) -> str:
        return f"{self.fence}.{self.started_ms}"


NO_EPOCH: Final = Epoch(0, 0)


def _no_numbers() -> Numbers:
    return np.empty(0, dtype="<u4")


def _no_integers() -> Integers:
    return np.empty(0, dtype="<i8")


@dataclass(frozen=True, eq=False)
class Frame:
    """
    What changed: `numbers[i]` now costs `prices[i]`, as of `times[i]`.

    `as_of_ns` is the newest of all times so far and `sent_ms` when the frame was made. In a full
    frame nothing is left out: what it does not name has no price.
    """

    epoch: Epoch
    seq: int
    as_of_ns: int
    sent_ms: int
    is_stale: bool = False
    is_full: bool = False
    numbers: Numbers = field(default_factory=_no_numbers)
    prices: Integers = field(default_factory=_no_integers)
    times: Integers = field(default_factory=_no_integers)
    close_numbers: Numbers = field(default_factory=_no_numbers)
    closes: Integers = field(default_factory=_no_integers)


def encode(frame: Frame) -> bytes:
    """Write a frame as bytes."""
    flags = (_STALE if frame.is_stale else 0) | (_FULL if frame.is_full else 0)
    head = _HEAD.pack(
        _MAGIC,
        flags,
        frame.epoch.fence,
        frame.epoch.started_ms,
        frame.seq,
        frame.as_of_ns,
        frame.sent_ms,
        len(frame.numbers),
        len(frame.close_numbers),
    )
    parts: tuple[tuple[NDArray[Any], str], ...] = (
        (frame.numbers, "<u4"),
        (frame.prices, "<i8"),
        (frame.times, "<i8"),
        (frame.close_numbers, "<u4"),
        (frame.closes, "<i8"),
    )
    return head + b"".join(np.ascontiguousarray(part, dtype=kind).tobytes() for part, kind in parts)


def decode(data: bytes) -> Frame:
    """
    Read the bytes of a frame.

    :raises NotAFrame: they are something else.
    """
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise NotAFrame("These bytes do not start like a frame.")
    _, flags, fence, started_ms, seq, as_of_ns, sent_ms, count, close_count = _HEAD.unpack_from(
        data
    )
    if len(data) != _HEAD.size + 20 * count + 12 * close_count:
        raise NotAFrame("The frame has another length than it says.")
    at = _HEAD.size

    def take(kind: str, length: int) -> NDArray[Any]:
        nonlocal at
        part = np.frombuffer(data, dtype=kind, count=length, offset=at)
        at += part.nbytes
        return part

    return Frame(
        epoch=Epoch(fence, started_ms),
        seq=seq,
        as_of_ns=as_of_ns,
        sent_ms=sent_ms,
        is_stale=bool(flags & _STALE),
        is_full=bool(flags & _FULL),
        numbers=take("<u4", count),
        prices=take("<i8", count),
        times=take("<i8", count),
        close_numbers=take("<u4", close_count),
        closes=take("<i8", close_count),
    )


def row(price: int, close: int, at_ns: int) -> bytes:
    """Write one instrument's field of the hash."""
    return struct.pack("<qqq", price, close, at_ns)


def read_row(data: bytes) -> tuple[int, int, int]:
    """
    Read one instrument's price, close and time from the hash.

    :raises NotAFrame: it is something else.
    """
    if len(data) != ROW.itemsize:
        raise NotAFrame("This is not an instrument's row.")
    price, close, at_ns = struct.unpack("<qqq", data)
    return price, close, at_ns


def decode_snapshot(fields: Mapping[Any, Any]) -> Frame | None:
    """
    Read the whole hash as one full frame, or nothing when nobody has published.

    :raises NotAFrame: the hash holds something else.
    """
    if HEAD_FIELD not in fields:
        return None
    head = decode(fields[HEAD_FIELD])
    rows = [(int(n), data) for n, data in fields.items() if n not in {HEAD_FIELD, FENCE_FIELD}]
    numbers = np.array([number for number, _ in rows], dtype="<u4")
    try:
        table = np.frombuffer(b"".join(data for _, data in rows), dtype=ROW)
    except ValueError as error:
        raise NotAFrame("A row of the hash has another length.") from error
    if len(table) != len(numbers):
        raise NotAFrame("A row of the hash has another length.")
    return Frame(
        epoch=head.epoch,
        seq=head.seq,
        as_of_ns=head.as_of_ns,
        sent_ms=head.sent_ms,
        is_stale=head.is_stale,
        is_full=True,
        numbers=numbers,
        prices=table["price"].copy(),
        times=table["at_ns"].copy(),
        close_numbers=numbers,
        closes=table["close"].copy(),
    )
