"""
How prices travel: binary frames on a Redis channel, and a Redis hash for whoever comes late.

A frame carries what changed since the one before it. Frames are numbered without gaps within an
epoch, which is one publisher's turn; a later turn has a higher epoch. Prices are whole billionths
of a dollar, and instruments are named by their numbers. A consumer that misses a frame, or sees a
new epoch, reads the hash.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# The names carry the version: during a deployment an older process finds nothing, not nonsense.
CHANNEL: Final = "clera:prices:2:frames"
SNAPSHOT_KEY: Final = "clera:prices:2"
AS_OF_KEY: Final = "clera:prices:as_of"
WANTED_KEY: Final = "clera:prices:wanted"

HEAD_FIELD: Final = b"head"
FENCE_FIELD: Final = b"fence"
SILENCE_SECONDS: Final = 1.0  # a publisher with nothing to say still says so this often

_MAGIC: Final = b"CPF2"
_HEAD: Final = struct.Struct("<4sBxHIQQqqII")
_STALE: Final = 1
_FULL: Final = 2
# What is wrong with a price that is shown all the same, since nothing better is known.
DOUBTED: Final = 1  # newer ones were refused as unbelievable
HALTED: Final = 2  # the exchange has stopped the trading
STALE: Final = 4  # its market trades, and nobody tells what it costs now

_ROW: Final = struct.Struct("<qqqqqqB7x")
ROW: Final = np.dtype(
    {
        "names": ["price", "close", "at_ns", "bid", "ask", "quoted_ns", "flags"],
        "formats": ["<i8", "<i8", "<i8", "<i8", "<i8", "<i8", "u1"],
        "itemsize": _ROW.size,
    }
)

Numbers = NDArray[np.uint32]
Integers = NDArray[np.int64]
Flags = NDArray[np.uint8]


class Row(NamedTuple):
    """
    One instrument in the hash: prices in billionths of a dollar, times in ns since 1970.

    `close` is the previous close of the instrument's trading day; zero is "not known".
    """

    price: int
    close: int = 0
    at_ns: int = 0
    bid: int = 0
    ask: int = 0
    quoted_ns: int = 0
    flags: int = 0


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


def _no_flags() -> Flags:
    return np.empty(0, dtype="u1")


@dataclass(frozen=True, eq=False)
class Frame:
    """
    What changed: `numbers[i]` now costs `prices[i]`, as of `times[i]`, with `flags[i]`.

    No flags at all mean that nothing is wrong with any of them. `as_of_ns` is the newest of all
    times so far and `sent_ms` when the frame was made. It `is_stale` when all that its publisher
    follows is; of one price alone its flags say so. A full frame names all that its publisher
    knows; what it does not name keeps the price that it had. `day` is the one whose previous closes
    these are, counted as in `market.days`; zero is "not known".
    """

    epoch: Epoch
    seq: int
    as_of_ns: int
    sent_ms: int
    is_stale: bool = False
    is_full: bool = False
    day: int = 0
    numbers: Numbers = field(default_factory=_no_numbers)
    prices: Integers = field(default_factory=_no_integers)
    times: Integers = field(default_factory=_no_integers)
    flags: Flags = field(default_factory=_no_flags)
    close_numbers: Numbers = field(default_factory=_no_numbers)
    closes: Integers = field(default_factory=_no_integers)


def encode(frame: Frame) -> bytes:
    """Write a frame as bytes."""
    flags = (_STALE if frame.is_stale else 0) | (_FULL if frame.is_full else 0)
    head = _HEAD.pack(
        _MAGIC,
        flags,
        frame.day,
        frame.epoch.fence,
        frame.epoch.started_ms,
        frame.seq,
        frame.as_of_ns,
        frame.sent_ms,
        len(frame.numbers),
        len(frame.close_numbers),
    )
    has_flags = len(frame.flags) == len(frame.numbers)
    parts: tuple[tuple[NDArray[Any], str], ...] = (
        (frame.numbers, "<u4"),
        (frame.prices, "<i8"),
        (frame.times, "<i8"),
        (frame.flags if has_flags else np.zeros(len(frame.numbers)), "u1"),
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
    head = _HEAD.unpack_from(data)
    _, flags, day, fence, started_ms, seq, as_of_ns, sent_ms, count, close_count = head
    if len(data) != _HEAD.size + 21 * count + 12 * close_count:
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
        day=day,
        numbers=take("<u4", count),
        prices=take("<i8", count),
        times=take("<i8", count),
        flags=take("u1", count),
        close_numbers=take("<u4", close_count),
        closes=take("<i8", close_count),
    )


def without_stale(frame: Frame) -> Frame:
    """Leave out the prices that are stale; closes are as good as ever."""
    is_stale = (frame.flags & STALE) != 0
    return replace(frame, prices=np.where(is_stale, 0, frame.prices)) if is_stale.any() else frame


def row(row: Row) -> bytes:
    """Write one instrument's field of the hash."""
    return _ROW.pack(*row)


def read_row(data: bytes) -> Row:
    """
    Read one instrument's field of the hash.

    :raises NotAFrame: it is something else.
    """
    if len(data) != _ROW.size:
        raise NotAFrame("This is not an instrument's row.")
    return Row(*_ROW.unpack(data))


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
        day=head.day,
        numbers=numbers,
        prices=table["price"].copy(),
        times=table["at_ns"].copy(),
        flags=table["flags"].copy(),
        close_numbers=numbers,
        closes=table["close"].copy(),
    )
