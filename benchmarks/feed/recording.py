"""Frames like the vendor's: trades of many symbols in msgpack, with all that belongs to them."""

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgpack

FIRST: Final = "FIRST"
LAST: Final = "LAST"
SYMBOLS: Final = tuple(f"S{number}" for number in range(500))
_POPULAR: Final = 20
_MOST_IN_A_FRAME: Final = 100
_NANOS_BETWEEN: Final = 7_000


@dataclass(frozen=True)
class Kind:
    """A sort of day: how many trades there are, and how many share a frame."""

    name: str
    trades: int
    size: Callable[[random.Random], int]


def _mixed(chance: random.Random) -> int:
    """Mostly a few, now and then a burst: as likely from 1 to 10 as from 10 to 100."""
    return round(math.pow(_MOST_IN_A_FRAME, chance.random()))


KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("mixed", 100_000, _mixed),
        Kind("singles", 10_000, lambda _: 1),
        Kind("hundreds", 100_000, lambda _: _MOST_IN_A_FRAME),
    )
}


def frames(kind: Kind) -> list[bytes]:
    """Make all frames of a day, between one with the first and one with the last mark."""
    chance = random.Random(kind.name)
    trades = _trades(chance)
    made = [msgpack.packb([next(trades) | {"S": FIRST}])]
    left = kind.trades
    while left:
        count = min(kind.size(chance), left)
        made.append(msgpack.packb(list(itertools.islice(trades, count))))
        left -= count
    return [*made, msgpack.packb([next(trades) | {"S": LAST}])]


def _trades(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Go on for ever; each price walks about, and every tenth trade is an odd lot."""
    prices = {symbol: chance.uniform(5, 900) for symbol in SYMBOLS}
    at_ns = time.time_ns()
    for number in itertools.count(52_983_525_029_461):
        few = number % 3 == 0
        symbol = SYMBOLS[int(chance.random() * (len(SYMBOLS) if few else _POPULAR))]
        prices[symbol] *= chance.uniform(0.9995, 1.0005)
        at_ns += _NANOS_BETWEEN
        yield {
            "T": "t",
            "S": symbol,
            "i": number,
            "x": "V",
            "p": round(prices[symbol], 2),
            "s": int(1 + chance.random() * 300),
            "c": ["@", "I"] if number % 10 == 0 else ["@"],
            "z": "C",
            "t": msgpack.Timestamp.from_unix_nano(at_ns),
        }
