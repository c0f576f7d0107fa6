import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.clock import SimClock

START = datetime(2026, 3, 2, 15, tzinfo=UTC)


class TestNow:
    def test_stands_still_at_speed_zero(self):
        clock = SimClock(0, start=START)

        assert clock.now() == START

    def test_runs_as_many_times_faster_as_asked(self):
        clock = SimClock(1_000_000, start=START)

        time.sleep(0.01)

        assert clock.now() - START >= timedelta(seconds=10_000)

    def test_is_aware_and_in_utc(self):
        assert SimClock().now().tzinfo is UTC

    def test_a_new_speed_does_not_make_it_jump(self):
        clock = SimClock(0, start=START)
        clock.advance(60)

        clock.set_speed(1)

        assert timedelta(0) <= clock.now() - (START + timedelta(seconds=60)) < timedelta(seconds=30)


class TestAdvance:
    def test_jumps_ahead(self):
        clock = SimClock(0, start=START)

        assert clock.advance(90) == START + timedelta(seconds=90)

    def test_never_goes_back(self):
        clock = SimClock(0, start=START)

        with pytest.raises(ValueError, match="cannot go back"):
            clock.advance(-1)

        assert clock.now() == START


class TestSleep:
    def test_wakes_when_simulated_time_has_passed(self):
        async def slept() -> float:
            clock = SimClock(100)
            began = time.monotonic()
            await clock.sleep(20)
            return time.monotonic() - began

        assert 0.2 <= asyncio.run(slept()) < 15

    def test_wakes_when_the_clock_is_moved_past_the_moment(self):
        async def woken() -> datetime:
            clock = SimClock(0, start=START)
            sleeping = asyncio.create_task(clock.sleep(3600))
            await asyncio.sleep(0)
            clock.advance(1800)
            await asyncio.sleep(0.01)
            assert not sleeping.done()
            clock.advance(1800)
            await asyncio.wait_for(sleeping, 60)
            return clock.now()

        assert asyncio.run(woken()) == START + timedelta(hours=1)

    def test_wakes_sooner_when_time_begins_to_run_faster(self):
        async def woken() -> None:
            clock = SimClock(0, start=START)
            sleeping = asyncio.create_task(clock.sleep(10))
            await asyncio.sleep(0)
            clock.set_speed(1000)
            await asyncio.wait_for(sleeping, 60)

        asyncio.run(woken())


class TestRestore:
    def test_goes_on_as_far_ahead_of_real_time_as_before(self):
        real = START
        first = SimClock(0, start=START, real_now=lambda: real)
        first.advance(3600)
        later = SimClock(1, real_now=lambda: real + timedelta(minutes=5))

        later.restore(first.state())

        assert later.speed == 0
        assert later.now() == START + timedelta(minutes=65)
