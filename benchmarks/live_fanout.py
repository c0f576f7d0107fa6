"""
How many live values one web process delivers, and how soon: `python -m benchmarks.live_fanout`.

Three contestants deliver the same messages to the same number of sockets in the same run: our hub
(from one price frame for all, which it values itself), a plain Channels consumer with a
`group_send` per account, and a bare Node relay that is handed finished texts. Everything runs on
loopback, in servers that the program starts and ends itself, in about a minute.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
import redis

from benchmarks.fanout import world as worlds
from benchmarks.fanout.clients import Client, Scores, connect_all
from clera.local.testing import start_servers

ROOT = Path(__file__).resolve().parents[1]
RELAY = Path(__file__).parent / "fanout" / "relay.js"
Publish = Callable[[int], Awaitable[None]]
Connect = Callable[[list[str], Scores], Awaitable[list[Client]]]
Texts = Callable[[int], bytes]
_FIRST_SOCKETS = 50
_FIRST_SEQ = 1_000_000


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
    from market.frames import row

    async def publish(seq: int) -> None:
        frame = frame_of(world, seq)
        pairs = zip(frame.numbers.tolist(), frame.prices.tolist(), strict=True)
        rows = [(number, row(price, price - 10**9, 1)) for number, price in pairs]
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
def relay(world: worlds.World, texts: Texts) -> Iterator[Contestant | None]:
    """Node's `ws`, handed finished texts; left out where it cannot be installed."""
    with tempfile.TemporaryDirectory() as folder:
        if not install_ws(Path(folder)):
            yield None
            return
        shutil.copy(RELAY, folder)
        with child(["node", "relay.js"], cwd=folder) as node:
            assert node.stdout is not None
            yield Contestant(
                "node ws relay",
                psutil.Process(node.pid),
                lambda seq: feed(node.stdin, texts(seq)),
                _connect(int(node.stdout.readline()), None),
                _paths("", world),
            )


def _connect(port: int, first: bytes | None) -> Connect:
    return lambda paths, scores: connect_all(paths, port, first, scores)


def _paths(prefix: str, world: worlds.World) -> list[str]:
    return [f"{prefix}/{account}" for account in world.accounts]


async def feed(pipe: IO[bytes] | None, data: bytes) -> None:
    """Write without blocking our own reading."""
    assert pipe is not None
    await asyncio.get_running_loop().run_in_executor(None, _write, pipe, data)


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(data)
    pipe.flush()


def texts_for(world: worlds.World) -> Texts:
    """Make the same messages that the hub makes, ready to be passed on."""
    from market.frames import Epoch
    from portfolio.live.book import Stamp
    from portfolio.live.records import UPDATE, Worth, message, stamp_text

    def made(variant: int) -> bytes:
        at = datetime.now(UTC)
        stamp = stamp_text(Stamp(_FIRST_SEQ, Epoch(1, 1), at, is_stale=False), at=at)
        lines = []
        for index, account in enumerate(world.accounts):
            worth = Worth(123_456_700 + variant * 31 + index, 12_345 + variant, 101)
            text = message(UPDATE, f'"{account}"', worth, stamp)
            lines.append(str(account).encode() + b"\t" + text)
        return b"\n".join(lines) + b"\n"

    # Made before the clock runs: whoever is handed texts shall not wait for us to write them.
    variants = [made(variant) for variant in range(4)]

    def texts(seq: int) -> bytes:
        return variants[seq % 4].replace(b'"seq":%d,' % _FIRST_SEQ, b'"seq":%d,' % seq)

    return texts


# Processes


@contextlib.contextmanager
def uvicorn(arguments: list[str]) -> Iterator[tuple[psutil.Process, int]]:
    """Run one web process on a free port."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - its only argument
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", *arguments, "--lifespan", "off"]
        command += ["--fd", str(listener.fileno()), "--log-level", "warning", "--no-access-log"]
        with child(command, pass_fds=(listener.fileno(),)) as process:
            yield psutil.Process(process.pid), port


@contextlib.contextmanager
def child(
    command: list[str], *, cwd: Path | str = ROOT, pass_fds: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        pass_fds=pass_fds,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if command[0] == "node" else subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def install_ws(folder: Path) -> bool:
    """Try to fetch Node's `ws` into a folder."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "ws@8"]
    try:
        done = subprocess.run(command, cwd=folder, timeout=20, check=False, capture_output=True)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


# Reporting


def show(contestants: list[Contestant], plan: Plan) -> None:
    """Print a table, and the ratios that are the goals."""
    pace = plan.frames_per_second * plan.sockets
    print(f"\n{plan.sockets} sockets, one server process, loopback, {os.cpu_count()} cores")
    print(f"the last four columns: {pace:,.0f} messages/s asked for\n")
    print(f"{'':14}{'msg/s':>9}{'CPU µs/msg':>12}{'KiB/socket':>12}", end="")
    print(f"{'p50 ms':>10}{'p99 ms':>10}{'arrived':>10}")
    for one in contestants:
        p50, p99 = np.quantile(one.latencies or [float("nan")], [0.5, 0.99]) * 1000
        print(f"{one.name:14}{_speed(one):>9,.0f}{np.median(one.cpu_micros):>12.1f}", end="")
        print(f"{one.kib_per_socket:>12.1f}{p50:>10.1f}{p99:>10.1f}{one.arrived / one.sent:>10.1%}")
    found = {one.name: one for one in contestants}
    print()
    for name, goal in (("group_send", 20), ("node ws relay", 1)):
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
        with hub(world) as ours, group_send(world, texts) as usual, relay(world, texts) as bare:
            contestants = [one for one in (ours, usual, bare) if one is not None]
            asyncio.run(compete(contestants, plan))
            show(contestants, plan)
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
