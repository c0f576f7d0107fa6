"""
What becomes of bad prices, and how fast: `python -m benchmarks.ticks`.

A tape of 100,000 trades, quotes and bars, of which 5 % are bad in every way that we know, goes
through the real price book, the leader's frames, a real Redis, and the values of a web process.
Each bad one must be refused for its reason, and at the end every account must be worth, to the
cent, what exact arithmetic says. The program ends with 1 if anything differs.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

import numpy as np

from benchmarks.tape import Batch, Tape
from clera.local.testing import start_servers

_SYMBOLS: Final = 400
_ACCOUNTS: Final = 300
_LINES: Final = 12
_BATCHES_A_FRAME: Final = 10
_CENT: Final = Decimal("0.01")


@dataclass
class Outcome:
    """What went in, what came out, and how long it took."""

    ticks: int
    injected: Counter[str]
    rejected: Counter[str]
    faults: list[str] = field(default_factory=list)
    frames: int = 0
    book_seconds: float = 0.0
    whole_seconds: float = 0.0


class Path:
    """From the book of the price leader to the values of a web process that follows it."""

    def __init__(self, tape: Tape, symbols: list[str]) -> None:
        from core import realtime
        from core.leases import Lease
        from market import frames
        from market.desk import Desk
        from market.nanos import moment
        from market.ticking import Ticker
        from portfolio.live.board import Board

        self._frames = frames
        self.board = Board()
        # All clocks are the tape's: how fast the machine is makes no price stale.
        self.desk = Desk(
            clock=lambda: moment(tape.now_ns), monotonic=lambda: tape.now_ns / 1_000_000_000
        )
        # A socket sends them all, so that one which is halted is quiet and not forgotten.
        self.desk.stocks.covered = frozenset(symbols)
        self._ticker = Ticker(self.desk, Lease("prices", uuid4(), 1))
        connection: Any = realtime.connection
        self._redis = connection()
        self._redis.delete(frames.SNAPSHOT_KEY)
        self._ears = self._redis.pubsub(ignore_subscribe_messages=True)
        self._ears.subscribe(frames.CHANNEL)
        self._ears.get_message(timeout=1)
        self.numbers = {symbol: number for number, symbol in enumerate(symbols)}
        self.frame_count = 0
        self._seed(tape)

    def _seed(self, tape: Tape) -> None:
        from market.facts import Snapshot
        from market.nanos import moment

        book, at = self.desk.book, moment(tape.now_ns)
        for symbol, number in self.numbers.items():
            book.add(symbol, number)
            close = tape.closes[symbol]
            told = Snapshot(symbol, close, at, None, None, None, close)
            book.seed(told, now_ns=tape.now_ns)
        for symbol in tape.halted:
            book.note_halt(symbol, is_halted=True, now_ns=tape.now_ns)
        self.publish()

    def offer(self, batch: Batch) -> None:
        """Hand a batch to the book as the reader of the socket does."""
        with self.desk.lock:
            book = self.desk.book
            for band in batch.bands:
                book.note_band(band, now_ns=batch.now_ns)
            book.offer(batch.trades, now_ns=batch.now_ns)
            book.offer_quotes(batch.quotes, now_ns=batch.now_ns)
            book.offer_bars(batch.bars, now_ns=batch.now_ns)
        self.desk.heard()

    def publish(self) -> None:
        """Publish what has changed, and follow it."""
        self._ticker.tick()
        while (message := self._ears.get_message(timeout=0.2)) is not None:
            frame = self._frames.decode(message["data"])
            self.board.follow(frame)
            self.frame_count += 1
            if frame.seq == self.frame_count:
                return

    def published(self) -> Any:
        """Read the prices as a latecomer does."""
        return self._frames.decode_snapshot(self._redis.hgetall(self._frames.SNAPSHOT_KEY))


def run(ticks: int, *, bad_share: float = 0.05, seed: int = 7) -> Outcome:
    """Send the tape through, and compare everything with the truth."""
    symbols = [f"S{number:03}" for number in range(_SYMBOLS)]
    tape = Tape(symbols, bad_share=bad_share, seed=seed)
    path = Path(tape, symbols)
    accounts = make_accounts(path.numbers, seed=seed)
    path.board.put(accounts)
    outcome = Outcome(ticks, tape.truth.injected, path.desk.book.rejected)
    for index, batch in enumerate(tape.batches(ticks), start=1):
        started = time.perf_counter()
        path.offer(batch)
        offered = time.perf_counter()
        if index % _BATCHES_A_FRAME == 0 or index == ticks // len(batch):
            path.publish()
        outcome.book_seconds += offered - started
        outcome.whole_seconds += time.perf_counter() - started
    outcome.frames = path.frame_count
    outcome.faults = [*wrong_prices(path, tape), *wrong_values(path, tape, accounts)]
    if outcome.rejected != outcome.injected:
        outcome.faults.append(f"refused {outcome.rejected}, injected {outcome.injected}")
    return outcome


def make_accounts(numbers: dict[str, int], *, seed: int) -> list[Any]:
    """Make up accounts that hold, owe and have traded all kinds of things."""
    from portfolio.live.holdings import AccountHoldings, Position

    chance = random.Random(seed)

    def amount(most: int, places: int) -> Decimal:
        return Decimal(chance.randint(-most * 10**places, most * 10**places)).scaleb(-places)

    def position(symbol: str) -> Position:
        held = amount(500, chance.choice((0, 0, 3, 9)))
        bought = chance.choice((Decimal(0), amount(5, 3)))
        return Position(
            symbol=symbol,
            number=numbers[symbol],
            quantity=held,
            average_entry_price=Decimal(1),
            opening_quantity=held - bought,
            spent_today=bought * amount(200, 2),
        )

    return [
        AccountHoldings(
            account_id=uuid4(),
            cash=amount(100_000, 2),
            positions=[position(s) for s in sorted(chance.sample(sorted(numbers), _LINES))],
        )
        for _ in range(_ACCOUNTS)
    ]


def wrong_prices(path: Path, tape: Tape) -> list[str]:
    """Name what a latecomer or a follower would take for something else than the truth."""
    from market.frames import DOUBTED, HALTED
    from market.nanos import to_nanos

    whole, book = path.published(), path.board.book
    columns = whole.numbers.tolist(), whole.prices.tolist(), whole.flags.tolist()
    shown = {number: (price, flags) for number, price, flags in zip(*columns, strict=True)}
    found = []
    for symbol, number in path.numbers.items():
        flags = HALTED if symbol in tape.halted else 0
        flags |= DOUBTED if symbol in tape.truth.doubted else 0
        true = to_nanos(tape.truth.prices[symbol]), flags
        if not true == shown[number] == (book.nanos[number], book.flags[number]):
            found.append(f"{symbol}: {shown[number]} is shown, and {true} is true")
    return found


def wrong_values(path: Path, tape: Tape, accounts: list[Any]) -> list[str]:
    """Name the accounts that are not worth what exact arithmetic says."""
    found = []
    if not np.isfinite(path.board.book.prices).all():
        found.append("a price is not a finite number")
    for account in accounts:
        total, gained = account.cash, Decimal(0)
        for position in account.positions:
            worth = position.quantity * tape.truth.prices[position.symbol]
            total += worth
            gained += worth - position.spent_today
            gained -= position.opening_quantity * tape.closes[position.symbol]
        worth = path.board.worth(account.account_id)
        if (worth.total, worth.day_return) != (total.quantize(_CENT), gained.quantize(_CENT)):
            found.append(f"{worth} is shown, and {total}, {gained} are true")
    return found


def main() -> int:
    """Run it in servers of its own, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=100_000)
    parser.add_argument("--bad", type=float, default=0.05, help="the share that is bad")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    servers = start_servers()
    try:
        os.environ.update(servers.env, DJANGO_SETTINGS_MODULE="clera.settings.local")
        import django

        django.setup()
        outcome = run(options.ticks, bad_share=options.bad, seed=options.seed)
    finally:
        servers.stop()
    show(outcome)
    return 1 if outcome.faults else 0


def show(outcome: Outcome) -> None:
    """Print the counts, the speeds, and whatever is not as it must be."""
    print(f"\n{'bad because of':16}{'injected':>10}{'refused':>10}")
    for why in sorted(outcome.injected | outcome.rejected):
        print(f"{why:16}{outcome.injected[why]:>10,}{outcome.rejected[why]:>10,}")
    print(f"{'all':16}{outcome.injected.total():>10,}{outcome.rejected.total():>10,}")
    per_tick = outcome.ticks / outcome.book_seconds
    print(f"\njudged:          {per_tick:>12,.0f} ticks/s on one core")
    print(f"judged to value: {outcome.ticks / outcome.whole_seconds:>12,.0f} ticks/s", end="")
    print(f", in {outcome.frames:,} frames, with Redis and {_ACCOUNTS} accounts")
    for fault in outcome.faults[:20]:
        print(f"WRONG: {fault}")
    verdict = "differ" if outcome.faults else "are equal"
    print(f"prices, flags and values {verdict}, to the cent, to what exact arithmetic says")


if __name__ == "__main__":
    sys.exit(main())
