"""The servers of an endurance run: a web process that may be killed, and prices that move."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import redis

from benchmarks.endurance.crowd import Place
from benchmarks.fanout.world import World
from clera.local import processes

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0
_SETTLE_SECONDS = 1.5  # PostgreSQL's own counters are that late


class Web:
    """One web process, started as it is deployed, on a port that stays its own."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        arguments = [*processes.web(self.port).arguments, "--log-level", "warning"]
        self._running = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
        ends = time.monotonic() + _START_SECONDS
        while time.monotonic() < ends:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.05)
        raise RuntimeError("The web process did not start.")

    def kill(self) -> None:
        """Have it vanish in the middle of whatever it does."""
        assert self._running is not None
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()

    def stop(self) -> None:
        """End it."""
        if self._running is not None and self._running.poll() is None:
            self.kill()

    def rss(self) -> int:
        """Tell the memory that it has."""
        assert self._running is not None
        return int(psutil.Process(self._running.pid).memory_info().rss)

    def cut_as_slow(self) -> int:
        """Ask how many sockets it has ended so far because they do not read."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = answer.read().decode()
        found = re.search(
            r'^clera_sockets_cut_total\{code="4408",[^}]*\} (\S+)$', text, re.MULTILINE
        )
        return round(float(found[1])) if found else 0

    def cpu(self) -> float:
        """Tell the processor time that it has used."""
        assert self._running is not None
        times = psutil.Process(self._running.pid).cpu_times()
        return float(times.user + times.system)


class Prices:
    """What the price leader does: a frame whenever something has moved, else one a second."""

    def __init__(self, world: World) -> None:
        self._numbers = world.numbers
        self.nanos = np.full(len(world.numbers), 100 * 10**9, dtype="<i8")
        self._redis = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.seq = 0
        self._started_ms = time.time_ns() // 1_000_000
        self.publish(np.arange(len(self._numbers)))

    def move(self, count: int) -> None:
        """Move the prices of some instruments, in turns, and publish them."""
        chosen = np.arange(self.seq * count, (self.seq + 1) * count) % len(self._numbers)
        self.nanos[chosen] = (100 + (self.seq + chosen) % 89) * 10**9
        self.publish(chosen)

    def publish(self, chosen: Any) -> None:
        """Publish these prices."""
        from market import publishing
        from market.frames import Epoch, Frame, Row, row

        is_full, self.seq, now_ns = not self.seq, self.seq + 1, time.time_ns()
        numbers, prices = self._numbers[chosen], self.nanos[chosen]
        closes = np.full(len(chosen) if is_full else 0, 99 * 10**9, dtype="<i8")
        frame = Frame(
            epoch=Epoch(1, self._started_ms),
            seq=self.seq,
            as_of_ns=now_ns,
            sent_ms=now_ns // 1_000_000,
            is_full=is_full,
            numbers=numbers,
            prices=prices,
            times=np.full(len(chosen), now_ns),
            close_numbers=numbers if is_full else numbers[:0],
            closes=closes,
        )
        pairs = zip(numbers.tolist(), prices.tolist(), strict=True)
        rows = [(number, row(Row(price, 99 * 10**9, now_ns))) for number, price in pairs]
        publishing.publish(self._redis, frame, rows)

    @contextlib.asynccontextmanager
    async def moving(self, count: int, *, every: float) -> AsyncIterator[None]:
        """Move so many prices every so often, beside whatever else happens."""
        task = asyncio.ensure_future(self._move_always(count, every))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _move_always(self, count: int, every: float) -> None:
        while True:
            self.move(count)
            await asyncio.sleep(every)


@dataclass(frozen=True)
class Reads:
    """What PostgreSQL has read so far: rows of positions, and transactions."""

    positions: int
    transactions: int

    def since(self, before: "Reads") -> "Reads":
        """Tell what was read after that."""
        return Reads(self.positions - before.positions, self.transactions - before.transactions)


def settle() -> None:
    """Let PostgreSQL learn how large the tables are, as it has long learnt elsewhere."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as owner:
        owner.execute("ANALYZE")


async def reads() -> Reads:
    """Ask PostgreSQL what it has read."""
    await asyncio.sleep(_SETTLE_SECONDS)
    with psycopg.connect(os.environ["DATABASE_URL"]) as owner:
        row = owner.execute(
            "SELECT (SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read FROM pg_stat_user_tables"
            "         WHERE relname = 'trading_position'),"
            "       (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())"
        ).fetchone()
    assert row is not None
    return Reads(int(row[0]), int(row[1]))


@contextlib.contextmanager
def signing(world: World) -> Iterator[list[Place]]:
    """Serve the keys of an identity provider, and give each account's owner a token."""
    from core.tests import issuer as identity

    with identity.serving() as issuer:
        os.environ["SUPABASE_URL"] = issuer.url
        yield [
            Place(
                f"/ws/portfolio/{account}",
                f'{{"type":"auth","token":"{issuer.token(sub=f"user-{n}")}"}}'.encode(),
            )
            for n, account in enumerate(world.accounts)
        ]


def values(world: World, prices: Prices) -> list[float]:
    """Value every account anew from the tables, to compare with what clients show."""
    price_of = dict(zip(world.numbers.tolist(), (prices.nanos / 1e9).tolist(), strict=True))
    query = """
        SELECT p.account_id, i.number, p.quantity FROM trading_position p
          JOIN market_instrument i ON i.symbol = p.symbol
    """
    found = dict.fromkeys(world.accounts, 1000.0)
    with psycopg.connect(os.environ["DATABASE_URL"]) as owner:
        for account, number, quantity in owner.execute(query):
            found[account] += float(quantity) * price_of[number]
    return [found[account] for account in world.accounts]
