"""Reads what Alpaca's market-data socket sends: from msgpack to our own words."""

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import msgpack
import msgspec

from core import metrics
from core.errors import VendorUnavailable
from market.facts import Band, Bar, BestPrices, Corrected, Halted, News, Trade
from market.gateways.websocket import Message
from market.nanos import NANOS

VENDOR: Final = "alpaca-stream"
Entry = dict[str, Any]

_NANOSECONDS: Final = 2  # what msgpack's `timestamp` calls times as whole nanoseconds
# How it writes nearly all times: an extension of eight bytes and type -1, which are nanoseconds in
# front, then seconds.
_TIMESTAMP: Final = 0xD7FF
_unpack_time: Final = struct.Struct(">HQ").unpack
_SECOND_BITS: Final = 34
_SECONDS: Final = (1 << _SECOND_BITS) - 1
# Sales whose price is not the market's at that moment: late, averaged, derived or contingent.
_NOT_LAST: Final = frozenset("CGHMNPQRUVWZ479")
# The words of both tapes for a symbol that stops, and for one that goes on.
_STOPS: Final = frozenset({"2", "H", "P"})
_GOES_ON: Final = frozenset({"3", "T"})

# About the conversation, and not about the market.
_TALK: Final = frozenset({"success", "error", "subscription"})
_UNREADABLE: Final = metrics.TICKS_REJECTED.labels("unreadable")


@final
class _Sale(msgspec.Struct, tag="t", tag_field="T", gc=False):
    symbol: str = msgspec.field(name="S")
    price: Any = msgspec.field(name="p")
    at: msgspec.Raw = msgspec.field(name="t")
    conditions: tuple[str, ...] = msgspec.field(name="c", default=())


@final
class _Quote(msgspec.Struct, tag="q", tag_field="T", gc=False):
    symbol: str = msgspec.field(name="S")
    bid: Any = msgspec.field(name="bp")
    ask: Any = msgspec.field(name="ap")
    at: msgspec.Raw = msgspec.field(name="t")


_decode_prices: Final = msgspec.msgpack.Decoder(list[_Sale | _Quote]).decode


def read(message: Message, *, into: list[News]) -> list[Entry]:
    """
    Add a message's news to a list, in their order, and return what is about the conversation.

    An entry that lacks something is counted and left out, and costs the others nothing.

    :raises VendorUnavailable: it is no array, so that we cannot know what we miss.
    """
    prices = _read_prices(message)
    if prices is None:
        return _read_entries(_decode(message), into)
    into += prices
    return []


def _read_prices(message: Message) -> list[News] | None:
    """
    Read a message of trades and quotes only, as nearly all are; nothing if it is another one.

    Some 100,000 entries a second come through here. Hence only what we need is unpacked, by a
    decoder that knows what to expect, and little is made that the garbage collector counts.
    """
    news: list[News] = []
    add, new, is_free_of = news.append, tuple.__new__, _NOT_LAST.isdisjoint
    try:
        for entry in _decode_prices(message):  # type: ignore[arg-type] # a text is refused
            header, bits = _unpack_time(entry.at)
            nanos = bits >> _SECOND_BITS
            if nanos >= NANOS or header != _TIMESTAMP:
                return None
            at_ns = (bits & _SECONDS) * NANOS + nanos
            if type(entry) is _Quote:
                add(new(BestPrices, (entry.symbol, entry.bid, entry.ask, at_ns)))
            elif is_free_of(entry.conditions):
                add(new(Trade, (entry.symbol, entry.price, at_ns)))
    except (msgspec.MsgspecError, struct.error, TypeError, ValueError, RecursionError):
        return None
    return news


def _decode(message: Message) -> list[Any]:
    try:
        entries = msgpack.unpackb(message, timestamp=_NANOSECONDS, strict_map_key=False)
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise VendorUnavailable(VENDOR, "The price socket is not readable.") from error
    if type(entries) is not list:
        raise VendorUnavailable(VENDOR, "The price socket did not send an array.")
    return entries


def _read_entries(entries: list[Any], into: list[News]) -> list[Entry]:
    talk: list[Entry] = []
    for entry in entries:
        try:
            kind = entry["T"]
            if kind in _TALK:
                talk.append(entry)
            elif kind in _READERS and (news := _READERS[kind](entry)) is not None:
                into.append(news)
        except (TypeError, LookupError):
            _UNREADABLE.inc()
    return talk


def is_last(entry: Mapping[str, Any]) -> bool:
    """Say whether the price of a sale was the market's at its moment."""
    return _NOT_LAST.isdisjoint(entry.get("c") or ())


def _symbol(entry: Entry) -> str:
    symbol = entry["S"]
    if type(symbol) is not str:
        raise TypeError
    return symbol


def _trade(entry: Entry) -> Trade | None:
    return Trade(_symbol(entry), entry["p"], entry["t"]) if is_last(entry) else None


def _best_prices(entry: Entry) -> BestPrices:
    return BestPrices(_symbol(entry), entry["bp"], entry["ap"], entry["t"])


def _bar(entry: Entry) -> Bar:
    return Bar(_symbol(entry), entry["c"], entry["t"], is_updated=entry["T"] == "u")


def _band(entry: Entry) -> Band:
    return Band(_symbol(entry), low=entry["d"], high=entry["u"], at_ns=entry["t"])


def _corrected(entry: Entry) -> Corrected:
    return Corrected(_symbol(entry))


def _halt(entry: Entry) -> Halted | None:
    """Read whether a symbol trades; other words are about its quotes and imbalances."""
    symbol, code = _symbol(entry), entry.get("sc")
    if code not in _STOPS | _GOES_ON:
        return None
    return Halted(symbol, is_halted=code in _STOPS)


_READERS: Final[dict[str, Callable[[Entry], News | None]]] = {
    "t": _trade,
    "q": _best_prices,
    "b": _bar,
    "u": _bar,
    "l": _band,
    "c": _corrected,
    "x": _corrected,
    "s": _halt,
}
