"""
How many trades a second the price leader can take in: `python -m benchmarks.ingest`.

Two contestants read the same frames from the same server, which is another process, in turns within
the same run: our socket client with the price book behind it, and alpaca-py's own stream with a
handler that does nothing. Then the same without a socket: frames that are in memory already.
Everything runs on loopback, in less than half a minute.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clera.settings.local")
# What alpaca-py imports is on its way out.
warnings.filterwarnings("ignore", category=DeprecationWarning)

import django

django.setup()

import msgpack
from alpaca.data.live import StockDataStream

from benchmarks.feed import recording
from market.facts import News, Trade
from market.gateways import alpaca_news
from market.gateways.alpaca_stream import AlpacaStream
from market.price_book import PriceBook

_ROUNDS = 3
_LONGEST_SECONDS = 20.0
_READ_SECONDS = 0.2
_FAST_ENOUGH, _TIMES_AS_MANY = 100_000, 5
_LEAST_ACCEPTED = 0.99


@dataclass
class Clock:
    """The time, and the processor time of this process, from the first trade to the last."""

    started: float = 0.0
    started_cpu: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    is_over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to measure."""
        self.started, self.started_cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """Take the times."""
        self.seconds = time.perf_counter() - self.started
        self.cpu_seconds = time.process_time() - self.started_cpu
        self.is_over.set()


Contestant = Callable[[str], Clock]


# The whole path


def clera(url: str) -> Clock:
    """Our client, and the price book, as the price leader has them."""
    book, clock = _book(), Clock()
    with AlpacaStream(url, channels=("trades",)).open() as opened:
        opened.cover((*recording.SYMBOLS, recording.FIRST, recording.LAST))
        while not clock.is_over.is_set():
            news = opened.read(timeout_seconds=_READ_SECONDS)
            trades = [item for item in news if type(item) is Trade]
            if not clock.started and trades:
                clock.start()
            book.offer(trades, now_ns=time.time_ns())
            if trades and trades[-1].symbol == recording.LAST:
                clock.stop()
    _check(book)
    return clock


def alpaca_py(url: str) -> Clock:
    """Let the vendor's own client read, which hands each trade to a handler that does nothing."""
    clock = Clock()

    async def begin(_trade: Any) -> None:
        clock.start()

    async def nothing(_trade: Any) -> None:
        pass

    async def end(_trade: Any) -> None:
        clock.stop()

    stream = StockDataStream("key", "secret", url_override=url)
    stream.subscribe_trades(begin, recording.FIRST)
    stream.subscribe_trades(nothing, *recording.SYMBOLS)
    stream.subscribe_trades(end, recording.LAST)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    if not clock.is_over.wait(_LONGEST_SECONDS):
        sys.exit("alpaca-py did not get to the last trade")
    stream.stop()
    thread.join(_LONGEST_SECONDS)
    return clock


# Frames in memory


def clera_alone(frames: Iterable[bytes]) -> Clock:
    """Read frames and judge their trades, one frame at a time."""
    book, clock = _book(), Clock()
    clock.start()
    for frame in frames:
        news: list[News] = []
        alpaca_news.read(frame, into=news)
        book.offer([item for item in news if type(item) is Trade], now_ns=time.time_ns())
    clock.stop()
    _check(book)
    return clock


class Handling(StockDataStream):
    """alpaca-py's stream without its socket."""

    async def take(self, frames: Iterable[bytes]) -> None:
        """Hand on what the frames hold."""
        for frame in frames:
            for entry in msgpack.unpackb(frame):
                await self._dispatch(entry)


def alpaca_py_alone(frames: Iterable[bytes]) -> Clock:
    """Let alpaca-py read frames and hand each trade to a handler that does nothing."""

    async def nothing(_trade: Any) -> None:
        pass

    clock, stream = Clock(), Handling("key", "secret")
    stream.subscribe_trades(nothing, "*")
    clock.start()
    asyncio.run(stream.take(frames))
    clock.stop()
    return clock


def _book() -> PriceBook:
    book = PriceBook()
    for number, symbol in enumerate((*recording.SYMBOLS, recording.FIRST, recording.LAST)):
        book.add(symbol, number)
    return book


def _check(book: PriceBook) -> None:
    """See that the book has not been fast by refusing what it got."""
    refused = sum(book.rejected.values())
    if book.accepted < _LEAST_ACCEPTED * (book.accepted + refused):
        sys.exit(f"the price book refused {dict(book.rejected)}")


# Reporting


@contextlib.contextmanager
def vendor() -> Iterator[str]:
    """Start the server, and tell where it is."""
    command = [sys.executable, "-m", "benchmarks.feed.vendor"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(5)


def show(place: str, trades: int, clocks: dict[str, list[Clock]]) -> tuple[float, float]:
    """Print what each contestant did at its best, and return what each did on a core of its own."""
    speeds = []
    for name, measured in clocks.items():
        seconds = min(clock.seconds for clock in measured)
        cpu_seconds = min(clock.cpu_seconds for clock in measured)
        speeds.append(trades / cpu_seconds)
        print(f"{place:20}{name:12}{trades / seconds:>12,.0f}{speeds[-1]:>16,.0f}", end="")
        print(f"{cpu_seconds / trades * 1e6:>14.2f}")
    ours, theirs = speeds
    return ours, ours / theirs


def main() -> None:
    """Run everything and print it."""
    logging.getLogger("alpaca").setLevel(logging.WARNING)
    print(f"{os.cpu_count()} cores, loopback, the best of {_ROUNDS} rounds\n")
    print(f"{'':20}{'':12}{'trades/s':>12}{'per CPU second':>16}{'CPU µs/trade':>14}")
    found = {}
    with vendor() as url:
        for kind in recording.KINDS.values():
            clocks: dict[str, list[Clock]] = {"clera": [], "alpaca-py": []}
            for _ in range(_ROUNDS):
                clocks["clera"].append(clera(f"{url}/{kind.name}"))
                clocks["alpaca-py"].append(alpaca_py(f"{url}/{kind.name}"))
            found[kind.name] = show(f"socket, {kind.name}", kind.trades, clocks)
    kind = recording.KINDS["mixed"]
    frames = recording.frames(kind)
    clocks = {"clera": [], "alpaca-py": []}
    for _ in range(_ROUNDS):
        clocks["clera"].append(clera_alone(frames))
        clocks["alpaca-py"].append(alpaca_py_alone(frames))
    alone, _ = found["in memory"] = show("in memory, mixed", kind.trades, clocks)
    print(f"\nread and judged on one core: {alone:,.0f} trades/s (goal: {_FAST_ENOUGH:,})")
    for name, (_, ratio) in found.items():
        goal = f" (goal: {_TIMES_AS_MANY})" if name == "mixed" else ""
        print(f"clera / alpaca-py, {name}: {ratio:.1f} times as many on one core{goal}")


if __name__ == "__main__":
    main()
