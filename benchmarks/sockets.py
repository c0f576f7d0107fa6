"""
What a great many sockets cost, and what happens when they are cut off or do not read.

`python -m benchmarks.sockets` runs three parts, each on one web process over loopback:

- idle: thousands of sockets of as many customers are opened and kept for a while;
- storm: the process is killed and started again, and all of them come back;
- slow: a hundred readers that never read sit beside a thousand that do.
"""

import argparse
import asyncio
import contextlib
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.endurance import host
from benchmarks.endurance.crowd import Crowd, Place, deaf
from benchmarks.fanout import world as worlds
from clera.local.testing import start_servers

_WARM = 200
_NORMAL, _DEAF = 1_000, 100
_STORM_SECONDS = 180.0
_FRAME_SECONDS = 0.1
_SLOW_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """What all parts share."""

    web: host.Web
    world: worlds.World
    places: list[Place]
    sockets: int
    seconds: float
    prices: host.Prices


def say(what: str, figure: str, goal: str = "", *, is_met: bool = True) -> None:
    """Print one figure beside its goal."""
    met = "" if not goal else f"   goal {goal}: {'met' if is_met else 'MISSED'}"
    print(f"  {what:<52}{figure:>14}{met}", flush=True)


async def idle(run: Run) -> Crowd:
    """Open every socket, look what one costs, and keep them for a while."""
    crowd, count = Crowd(run.web.port, run.places[: run.sockets]), run.sockets
    print(f"\nidle: {count:,} sockets of {count:,} customers, kept for {run.seconds:.0f} s")
    async with run.prices.moving(0, every=1.0):
        await crowd.open(0, _WARM)
        await asyncio.sleep(1)
        before, cpu = run.web.rss(), run.web.cpu()
        took = await crowd.open(_WARM, count)
        cpu = run.web.cpu() - cpu
        await asyncio.sleep(2)
        rate, each = (count - _WARM) / took, (run.web.rss() - before) / 1024 / (count - _WARM)
        say("opened a second", f"{rate:,.0f}", "300", is_met=rate >= 300)
        say("processor time to open one", f"{cpu / (count - _WARM) * 1e3:,.2f} ms")
        say("memory of one, its account included", f"{each:,.1f} KiB", "40", is_met=each <= 40)
        cpu = run.web.cpu()
        await asyncio.sleep(run.seconds)
        say("dropped", f"{crowd.losses:,}", "0", is_met=not crowd.losses)
        say("processor, while nothing moves", f"{(run.web.cpu() - cpu) / run.seconds:.1%}")
        each = (run.web.rss() - before) / 1024 / (count - _WARM)
        say("memory of one at the end", f"{each:,.1f} KiB", "40", is_met=each <= 40)
    return crowd


async def storm(run: Run, crowd: Crowd) -> None:
    """Kill the process under everybody, start another, and wait until all have come back."""
    count, crowd.comes_back = len(crowd.places), True
    print(f"\nstorm: the process is killed under {count:,} sockets")
    before = await host.reads()
    async with run.prices.moving(1, every=1.0):
        await asyncio.to_thread(run.web.kill)
        killed = time.perf_counter()
        await asyncio.to_thread(run.web.start)
        say("seconds until the next process listens", f"{time.perf_counter() - killed:.1f}")
        took = await crowd.until_all_are_here(_STORM_SECONDS)
        took = None if took is None else time.perf_counter() - killed
    read = (await host.reads()).since(before)
    run.prices.move(worlds.INSTRUMENTS)
    await asyncio.sleep(3)
    shown = "never" if took is None else f"{took:.1f}"
    say("seconds until all are back", shown, "60", is_met=took is not None and took <= 60)
    say("attempts that failed on the way", f"{crowd.failures:,}")
    loads = read.positions / (count * worlds.POSITIONS)
    bound = max(1.0, (took or _STORM_SECONDS) / 5)
    say("times an account was read", f"{loads:.2f}", "1 each 5 s", is_met=loads <= bound)
    say("transactions for each socket", f"{read.transactions / count:.2f}")
    late = sum(crowd.seq_of(index) != run.prices.seq for index in crowd.here)
    say("not at the newest frame", f"{late:,}", "0", is_met=not late)
    expected = host.values(run.world, run.prices)
    wrong = sum(abs(crowd.value_of(i) - expected[i]) > 0.0101 for i in crowd.here)
    say("values that differ from the tables", f"{wrong:,}", "0", is_met=not wrong)


async def slow(run: Run) -> None:
    """Let some never read beside many that do, in turns with the many alone."""
    crowd = Crowd(run.web.port, run.places[:_NORMAL])
    seconds = max(run.seconds, _SLOW_SECONDS) / 4
    print(f"\nslow: {_DEAF} that never read beside {_NORMAL:,}, 10 frames a second, in turns")
    await crowd.open(0, _NORMAL)
    alone, beside = [], []
    async with run.prices.moving(worlds.INSTRUMENTS, every=1.0):
        await asyncio.sleep(2)
    for _ in range(2):
        alone += await paced(run, crowd, seconds)
        beside += await with_deaf(run, crowd, seconds)
    quantiles = [np.quantile(found, [0.5, 0.99]) * 1000 for found in (alone, beside)]
    for name, (p50, p99) in zip(("alone", "beside them"), quantiles, strict=True):
        say(f"tick to socket {name}, p50 and p99", f"{p50:.1f}, {p99:.1f} ms")
    ratio = quantiles[1][1] / quantiles[0][1]
    say("p99 beside them to p99 alone", f"{ratio:.2f}", "1.20", is_met=ratio <= 1.2)
    say("normal ones that were dropped", f"{crowd.losses:,}", "0", is_met=not crowd.losses)
    await crowd.close()


async def paced(
    run: Run, crowd: Crowd, seconds: float, each: Callable[[], None] = lambda: None
) -> list[float]:
    """Move everything ten times a second, and say how long each value took to arrive."""
    scores, started, frames = crowd.scores, time.perf_counter(), 0
    scores.latencies = []
    while (due := started + frames * _FRAME_SECONDS) - started < seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        scores.published[run.prices.seq + 1] = time.perf_counter()
        run.prices.move(worlds.INSTRUMENTS)
        frames += 1
        each()
    await asyncio.sleep(0.5)
    return scores.latencies


async def with_deaf(run: Run, crowd: Crowd, seconds: float) -> list[float]:
    """Do the same beside sockets that are never read, and see what they cost and when they go."""
    were_cut = await asyncio.to_thread(run.web.cut_as_slow)
    before, opened = run.web.rss(), time.perf_counter()
    raws = [await deaf(run.web.port, place) for place in run.places[:_DEAF]]
    most, cut = before, {}

    def look() -> None:
        nonlocal most
        most = max(most, run.web.rss())
        for raw in raws:
            if raw not in cut and is_cut(raw):
                cut[raw] = time.perf_counter() - opened

    latencies = await paced(run, crowd, seconds, each=look)
    look()
    were_cut = await asyncio.to_thread(run.web.cut_as_slow) - were_cut
    each = (most - before) / 1024 / _DEAF
    say("cut for not reading", f"{were_cut:,}", f"{_DEAF}", is_met=were_cut == _DEAF)
    say("memory of one that never reads", f"{each:,.1f} KiB", "64", is_met=each <= 64)
    last = f"{max(cut.values()):.1f} s" if len(cut) == _DEAF else f"{len(cut)} of {_DEAF}"
    is_met = len(cut) == _DEAF and max(cut.values()) <= 15
    say("until the last of them was cut", last, "15 s", is_met=is_met)
    for raw in raws:
        raw.close()
    return latencies


def is_cut(raw: socket.socket) -> bool:
    """Look whether the server has cut a connection, without reading from it."""
    poller = select.poll()
    poller.register(raw, select.POLLHUP | select.POLLERR | select.POLLRDHUP)
    return bool(poller.poll(0))


async def perform(run: Run, parts: list[str]) -> None:
    """Run the parts, one after the other."""
    if {"idle", "storm"} & set(parts):
        crowd = await idle(run)
        if "storm" in parts:
            await storm(run, crowd)
        await crowd.close()
    if "slow" in parts:
        await slow(run)


def main() -> None:
    """Start the servers, run the parts, and end everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they are kept")
    parser.add_argument("--only", nargs="+", choices=["idle", "storm", "slow"], default=[])
    options = parser.parse_args()
    parts = options.only or ["idle", "storm", "slow"]
    accounts = max(options.sockets if parts != ["slow"] else 0, _NORMAL)
    servers, web = start_servers(), host.Web()
    try:
        worlds.environment(servers)
        os.environ["SOCKETS_PER_ADDRESS"] = "1000000"  # all clients are this machine
        os.environ["SOCKETS_PER_PRINCIPAL"] = "20"
        world = worlds.make(accounts=accounts)
        host.settle()
        with host.signing(world) as places, contextlib.closing(asyncio.Runner()) as runner:
            prices = host.Prices(world)
            run = Run(web, world, places, options.sockets, options.seconds, prices)
            web.start()
            runner.run(perform(run, parts))
    finally:
        web.stop()
        servers.stop()


if __name__ == "__main__":
    main()
