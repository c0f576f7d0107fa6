"""
How many live values one web process delivers, and how soon: `python -m benchmarks.live_fanout`.

All contestants deliver the same messages to as many sockets in the same run: our hub (one price
frame for all, which it values itself), a plain Channels consumer with a `group_send` per account,
and a bare Node relay that is handed finished texts: one by one over the same Redis, all of a frame
as one message, and, as its upper bound, past Redis by a pipe. Everything runs on loopback, in
servers that the program starts and ends itself, in about a minute and a half.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import redis

from benchmarks.fanout import world as worlds
from benchmarks.fanout.clients import Client, Scores, connect_all
from benchmarks.fanout.feeder import FIRST_SEQ, Feeder, Texts
from benchmarks.fanout.running import child, feed, install, uvicorn
from clera.local.testing import start_servers

RELAY = Path(__file__).parent / "fanout" / "relay.js"
Publish = Callable[[int], Awaitable[None]]
Connect = Callable[[list[str], Scores], Awaitable[list[Client]]]
# Over Redis a message for each account, or one for all of a frame; and past Redis, by a pipe.
RELAYS = ("node, one each", "node, a batch", "node, piped")
_FIRST_SOCKETS = 50


@dataclass(frozen=True)
class Plan:
    """How long and how much; each measurement is made in rounds, in turns."""

    sockets: int
    seconds: float
    frames_per_second: float
    rounds: int = 2
    in_flight: int = 2


@dataclass
class Contestant:
    """One way to deliver, running, and what was measured of it."""

    name: str
    process: psutil.Process
    publish: Publish
    connect: Connect
    paths: list[str]
    scores: Scores = field(default_factory=Scores)
    seq: int = 2
    kib_per_socket: float = 0.0
    speeds: list[float] = field(default_factory=list)
    cpu_micros: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    sent: int = 0
    arrived: int = 0

    async def open(self) -> None:
        """Connect everybody, and see what the sockets after the first ones cost."""
        clients = await self.connect(self.paths[:_FIRST_SOCKETS], self.scores)
        await asyncio.sleep(0.3)
        before = self.process.memory_info().rss
        clients += await self.connect(self.paths[_FIRST_SOCKETS:], self.scores)
        await asyncio.sleep(0.3)
        grown = self.process.memory_info().rss - before
        self.kib_per_socket = grown / 1024 / (len(clients) - _FIRST_SOCKETS)
        for _ in range(3):
            await self.send()
            await asyncio.sleep(0.2)

    async def send(self) -> None:
        """Publish the next frame."""
        self.scores.published[self.seq] = time.perf_counter()
        await self.publish(self.seq)
        self.seq += 1

    async def run_fast(self, plan: Plan, seconds: float) -> None:
        """Publish the next frame when all but the last have arrived everywhere, or are overdue."""
        scores, frames = self.scores, 0
        scores.heard = 0
        cpu, started = _cpu(self.process), time.perf_counter()
        while time.perf_counter() - started < seconds:
            await self.send()
            frames += 1
            scores.enough = (frames - plan.in_flight + 1) * plan.sockets
            scores.reached.clear()
            if scores.heard < scores.enough:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(scores.reached.wait(), 1.0)
        heard, took = scores.heard, time.perf_counter() - started
        self.speeds.append(heard / took)
        self.cpu_micros.append((_cpu(self.process) - cpu) * 1e6 / max(heard, 1))
        await asyncio.sleep(0.5)

    def is_fast_enough(self, plan: Plan) -> bool:
        """Say whether it can keep the pace."""
        return float(np.median(self.speeds)) > plan.frames_per_second * plan.sockets

    async def run_paced(self, plan: Plan, seconds: float) -> None:
        """Publish a frame every so often, and note how long each takes."""
        scores = self.scores
        scores.published.clear()  # what is still on its way does not count
        scores.latencies, scores.heard = [], 0
        interval, frames, started = 1 / plan.frames_per_second, 0, time.perf_counter()
        while (due := started + frames * interval) - started < seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self.send()
            frames += 1
        await asyncio.sleep(0.7)
        self.latencies += scores.latencies
        self.sent += frames * plan.sockets
        self.arrived += scores.heard


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def compete(contestants: list[Contestant], plan: Plan) -> None:
    """Let everybody have the same turns, since the machine may be busier at one time or another."""
    for contestant in contestants:
        await contestant.open()
    gc.disable()
    seconds = plan.seconds / plan.rounds
    for turn in contestants * plan.rounds:
        await turn.run_fast(plan, seconds)
    # Whoever cannot keep the pace comes last: its backlog would disturb the others.
    for turn in [one for one in contestants if one.is_fast_enough(plan)] * plan.rounds:
        await turn.run_paced(plan, seconds)
    for turn in [one for one in contestants if not one.is_fast_enough(plan)]:
        await turn.run_paced(plan, seconds)
    gc.enable()


# The contestants


def frame_of(world: worlds.World, seq: int) -> Any:
    """Move every price a little, so that every account is worth something else."""
    from market.frames import Epoch, Frame

    prices = (100 + (seq % 97) + np.arange(len(world.numbers)) % 13) * 1_000_000_000
    return Frame(
        epoch=Epoch(1, 1),
        seq=seq,
        as_of_ns=time.time_ns(),
        sent_ms=time.time_ns() // 1_000_000,
        is_full=seq == 1,
        numbers=world.numbers,
        prices=prices,
        times=np.full(len(prices), time.time_ns()),
        close_numbers=world.numbers if seq == 1 else world.numbers[:0],
        closes=prices - 1_000_000_000 if seq == 1 else prices[:0],
    )


@contextlib.contextmanager
def hub(world: worlds.World) -> Iterator[Contestant]:
    """Our hub: one frame for all on Redis, valued by the web process."""
    connection = redis.Redis.from_url(os.environ["REDIS_URL"])
    from market import publishing
    from market.frames import SNAPSHOT_KEY, Row, row

    connection.delete(SNAPSHOT_KEY)  # numbers begin anew, and late ones are left out

    async def publish(seq: int) -> None:
        frame = frame_of(world, seq)
        pairs = zip(frame.numbers.tolist(), frame.prices.tolist(), strict=True)
        rows = [(number, row(Row(price, price - 10**9, 1))) for number, price in pairs]
        publishing.publish(connection, frame, rows)

    first = f'{{"type":"auth","token":"{world.api_key}"}}'.encode()
    arguments = ["clera.asgi:application", "--ws", "clera.websockets:SocketProtocol"]
    asyncio.run(publish(1))
    with uvicorn(arguments) as (process, port):
        yield Contestant(
            "hub", process, publish, _connect(port, first), _paths("/ws/portfolio", world)
        )


@contextlib.contextmanager
def group_send(world: worlds.World, texts: Texts) -> Iterator[Contestant]:
    """Plain Channels: one message for each account through Redis."""
    feeding = [sys.executable, "-m", "benchmarks.fanout.plain_channels"]
    with (
        uvicorn(["benchmarks.fanout.plain_channels:application"]) as (process, port),
        child(feeding) as feeder,
    ):
        yield Contestant(
            "group_send",
            process,
            lambda seq: feed(feeder.stdin, texts(seq)),
            _connect(port, None),
            _paths("/ws/portfolio", world),
        )


@contextlib.contextmanager
def relays(world: worlds.World, texts: Texts) -> Iterator[list[Contestant]]:
    """Node's `ws`, handed finished texts; none where it cannot be installed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if not install(Path(folder), "ws@8", "redis@5"):
            yield []
            return
        shutil.copy(RELAY, folder)
        yield [stack.enter_context(_relay(name, folder, world, texts)) for name in RELAYS]


@contextlib.contextmanager
def _relay(name: str, folder: str, world: worlds.World, texts: Texts) -> Iterator[Contestant]:
    with child(["node", "relay.js"], cwd=folder) as node:
        assert node.stdout is not None
        port = int(node.stdout.readline())
        with Feeder(texts, is_batch=name == RELAYS[1]) as feeder:

            async def piped(seq: int) -> None:
                await feed(node.stdin, texts(seq))

            publish = piped if name == RELAYS[2] else feeder.publish
            process = psutil.Process(node.pid)
            one = Contestant(name, process, publish, _connect(port, None), _paths("", world))
            one.seq = FIRST_SEQ
            yield one


def _connect(port: int, first: bytes | None) -> Connect:
    return lambda paths, scores: connect_all(paths, port, first, scores)


def _paths(prefix: str, world: worlds.World) -> list[str]:
    return [f"{prefix}/{account}" for account in world.accounts]


def texts_for(world: worlds.World) -> Texts:
    """Make the same messages that the hub makes, ready to be passed on."""
    from market.frames import Epoch
    from portfolio.live.book import Stamp
    from portfolio.live.records import UPDATE, Worth, message, stamp_text

    def made(variant: int) -> bytes:
        at = datetime.now(UTC)
        stamp = stamp_text(Stamp(FIRST_SEQ, Epoch(1, 1), at, is_stale=False), at=at)
        lines = []
        for index, account in enumerate(world.accounts):
            worth = Worth(123_456_700 + variant * 31 + index, 12_345 + variant, 101)
            text = message(UPDATE, f'"{account}"', worth, stamp)
            lines.append(str(account).encode() + b"\t" + text)
        return b"\n".join(lines) + b"\n"

    # Made before the clock runs: whoever is handed texts shall not wait for us to write them.
    variants = [made(variant) for variant in range(4)]

    def texts(seq: int) -> bytes:
        return variants[seq % 4].replace(b'"seq":%d,' % FIRST_SEQ, b'"seq":%d,' % seq)

    return texts


# Reporting


def show(contestants: list[Contestant], plan: Plan) -> None:
    """Print a table, and the ratios that are the goals."""
    pace = plan.frames_per_second * plan.sockets
    print(f"\n{plan.sockets} sockets, one server process, loopback, {os.cpu_count()} cores")
    print(f"the last four columns: {pace:,.0f} messages/s asked for\n")
    print(f"{'':16}{'msg/s':>9}{'CPU µs/msg':>12}{'KiB/socket':>12}", end="")
    print(f"{'p50 ms':>10}{'p99 ms':>10}{'arrived':>10}")
    for one in contestants:
        p50, p99 = np.quantile(one.latencies or [float("nan")], [0.5, 0.99]) * 1000
        print(f"{one.name:16}{_speed(one):>9,.0f}{np.median(one.cpu_micros):>12.1f}", end="")
        print(f"{one.kib_per_socket:>12.1f}{p50:>10.1f}{p99:>10.1f}{one.arrived / one.sent:>10.1%}")
    found = {one.name: one for one in contestants}
    print()
    for name, goal in (("group_send", 20), *((relay, 1) for relay in RELAYS)):
        if name in found:
            ratio = _speed(found["hub"]) / _speed(found[name])
            print(f"hub / {name}: {ratio:.1f} times as many (goal: {goal})")
        else:
            print(f"{name}: cannot be installed here, left out")


def _speed(contestant: Contestant) -> float:
    return float(np.median(contestant.speeds))


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=2.4, help="for each measurement")
    parser.add_argument("--frames", type=float, default=10.0, help="frames a second when paced")
    options = parser.parse_args()
    plan = Plan(options.sockets, options.seconds, options.frames)
    servers = start_servers()
    try:
        worlds.environment(servers)
        world = worlds.make(accounts=plan.sockets)
        texts = texts_for(world)
        with hub(world) as ours, group_send(world, texts) as usual, relays(world, texts) as bare:
            contestants = [ours, usual, *bare]
            asyncio.run(compete(contestants, plan))
            show(contestants, plan)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
