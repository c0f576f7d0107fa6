"""What the price leader publishes, on a real Redis."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from core import metrics, realtime
from core.ids import new_id
from core.leases import Lease
from market import days, frames
from market.desk import Desk
from market.facts import BestPrices
from market.nanos import nanoseconds
from market.publishing import FencedOff
from market.tests.factories import snapshot, trade
from market.ticking import Ticker

pytestmark = pytest.mark.usefixtures("no_prices")
NOON = datetime(2026, 3, 6, 17, tzinfo=UTC)
NANOS = 10**9


class Leader:
    """A leader whose clock a test moves, and somebody who follows it."""

    def __init__(self, fence=1):
        self.now, self.passed = NOON, 0.0
        self.desk = Desk(clock=lambda: self.now, monotonic=lambda: self.passed)
        self.desk.heard()
        self.desk.book.add("AAPL", 5)
        self.ticker = Ticker(self.desk, Lease("prices", new_id(), fence))
        self._ears = realtime.connection().pubsub(ignore_subscribe_messages=True)
        self._ears.subscribe(frames.CHANNEL)
        self._hear()

    def offer(self, *prices, later=0):
        at = self.now + timedelta(seconds=later)
        trades = [trade(price=price, at=at) for price in prices]
        self.desk.book.offer(trades, now_ns=self.desk.vendor_now_ns())

    def tick(self, *, seconds=0.1):
        """Let time pass, publish, and return the frames that were heard."""
        self.passed += seconds
        self.now += timedelta(seconds=seconds)
        self.ticker.tick()
        return [frames.decode(data) for data in self._hear()]

    def _hear(self):
        """Take what was published until now: whatever it is, it comes before the pong."""
        self._ears.ping()
        heard, ends = [], time.monotonic() + 60
        while time.monotonic() < ends:
            message = self._ears.get_message(timeout=1)
            if message and message["type"] == "pong":
                return heard
            if message:
                heard.append(message["data"])
        raise AssertionError(heard)


@pytest.fixture
def leader():
    return Leader()


@pytest.fixture
def started(leader):
    leader.offer(100.0)
    assert [frame.is_full for frame in leader.tick()] == [True]
    return leader


def row_of(number):
    data = realtime.connection().hget(frames.SNAPSHOT_KEY, str(number))
    return None if data is None else frames.read_row(data)


class TestFrames:
    def test_name_only_what_has_changed(self, started):
        started.desk.book.add("MSFT", 6)
        started.offer(101.0)

        (frame,) = started.tick()

        assert (frame.numbers.tolist(), frame.prices.tolist()) == ([5], [101 * NANOS])
        assert (frame.seq, frame.is_full, frame.closes.tolist()) == (2, False, [])

    def test_carry_flags_and_so_does_the_hash(self, started):
        started.desk.book.note_halt("AAPL", is_halted=True)

        (frame,) = started.tick()

        assert (frame.prices.tolist(), frame.flags.tolist()) == ([100 * NANOS], [frames.HALTED])
        row = row_of(5)
        assert row is not None
        assert (row.price, row.flags) == (100 * NANOS, frames.HALTED)

    def test_do_not_carry_bid_and_ask_but_the_hash_does(self, started):
        at_ns = nanoseconds(started.now)
        started.desk.book.offer_quotes([BestPrices("AAPL", 99.5, 100.5, at_ns)], now_ns=at_ns)

        (frame,) = started.tick()

        assert (frame.numbers.tolist(), frame.seq) == ([], 2)
        assert row_of(5) == (
            100 * NANOS, 0, nanoseconds(NOON), 99_500_000_000, 100_500_000_000, at_ns, 0
        )  # fmt: skip

    def test_without_news_come_once_a_second_as_a_sign_of_life(self, started):
        heard = [frame for _ in range(25) for frame in started.tick()]

        assert [frame.seq for frame in heard] == [2, 3]
        assert [len(frame.numbers) + len(frame.close_numbers) for frame in heard] == [0, 0]

    def test_have_numbers_without_a_gap_but_before_a_full_one(self, started):
        last = 1

        for step in range(12):
            started.offer(101.0 + step)
            if step % 4 == 3:
                realtime.connection().delete(frames.SNAPSHOT_KEY)
            for frame in started.tick():
                assert frame.is_full == (step % 4 == 3)
                assert frame.seq == last + 1 + frame.is_full
                last = frame.seq

        assert last == 16

    def test_of_thousands_of_changes_reach_every_row(self, leader):
        symbols = [f"S{number}" for number in range(1201)]
        for number, symbol in enumerate(symbols):
            leader.desk.book.add(symbol, 4_294_967_295 - number)
        trades = [trade(s, 1.0 + n, at=NOON) for n, s in enumerate(symbols)]
        leader.desk.book.offer(trades, now_ns=nanoseconds(NOON))

        (frame,) = leader.tick()

        assert len(frame.numbers) == 1201
        found = [row_of(4_294_967_295 - number) for number in (0, 499, 500, 1200)]
        assert [row.price for row in found if row] == [n * NANOS for n in (1, 500, 501, 1201)]

    def test_of_an_earlier_leader_are_refused(self, started):
        Leader(fence=2).tick()
        started.offer(101.0)

        with pytest.raises(FencedOff):
            started.tick()

        assert row_of(5) is None

    def test_measure_how_long_the_first_trade_has_waited(self, started):
        def total():
            return metrics.REGISTRY.get_sample_value("clera_tick_to_frame_seconds_sum")

        before = total()
        started.offer(101.0)
        started.now += timedelta(seconds=0.03)
        started.offer(102.0)
        started.tick(seconds=0.02)
        started.tick(seconds=1)

        assert total() - before == pytest.approx(0.05)


class TestDay:
    def test_is_that_of_the_closes_and_unknown_until_all_were_asked_for(self, started):
        (frame,) = started.tick(seconds=1)
        assert frame.day == 0

        started.desk.day = NOON.date()
        (frame,) = started.tick()

        assert frame.day == days.day_at(NOON)

    def test_a_new_one_comes_at_once_with_all_closes(self, started):
        book, now_ns = started.desk.book, started.desk.vendor_now_ns()
        book.add("MSFT", 6)
        for symbol, close in (("AAPL", "99"), ("MSFT", "50")):
            book.seed(snapshot(symbol, None, at=NOON, close=close), now_ns=now_ns)
        started.desk.day = NOON.date()
        started.tick()

        book.seed(snapshot("AAPL", None, at=NOON, close="100"), now_ns=now_ns)
        started.desk.day = NOON.date() + timedelta(days=1)
        (frame,) = started.tick()

        assert frame.day == days.day_at(NOON) + 1
        closes = dict(zip(frame.close_numbers.tolist(), frame.closes.tolist(), strict=True))
        assert closes == {5: 100 * NANOS, 6: 50 * NANOS}
        whole = frames.decode_snapshot(realtime.connection().hgetall(frames.SNAPSHOT_KEY))
        assert whole is not None
        assert whole.day == frame.day
