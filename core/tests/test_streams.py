"""One leader at a time, one standby of each worker, and both end when they must."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import connection, transaction

from core import leases, metrics, streams
from core.streams import Stop, Terms

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = Terms(lease_seconds=1.0, renew_seconds=0.2, look_seconds=0.1)
# A machine that is busy for some seconds must not let it run out.
LONG = replace(QUICK, lease_seconds=60.0)
HOLD = "SELECT 1 FROM core_leaserow WHERE name = %s FOR UPDATE"
# Two processes of one worker: the parent has the place of the standby, the child finds it taken,
# and finds it free once the parent's holder has been killed.
ONE_PLACE = """
import os, signal
from core import streams

def attempt():
    with streams._one_standby() as is_ours:
        return is_ours

ready = os.pipe()
holder = os.fork()
if holder == 0:
    with streams._one_standby() as is_ours:
        os.write(ready[1], b"x")
        signal.pause()
os.read(ready[0], 1)
first = attempt()
os.kill(holder, signal.SIGKILL)
os.waitpid(holder, 0)
print(first, attempt())
"""


@pytest.fixture(autouse=True)
def nobody_stops():
    """Let no test end the streams of those after it."""
    yield
    streams._stopping.clear()


@contextmanager
def running(target):
    """Run something in a thread of its own, and collect what it returns."""
    found = []

    def run():
        try:
            found.append(target())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found, thread
    finally:
        thread.join(timeout=60)
        assert not thread.is_alive()


def until_told(lease, stop):
    while not stop.wait(0.05):
        continue


def until_of(name):
    """Say until when the lease is good."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT until FROM core_leaserow WHERE name = %s", [name])
        return cursor.fetchone()[0]


def take_over(name):
    """Let the lease run out, and give it to somebody else."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_leaserow SET until = clera_now() WHERE name = %s", [name])
    return leases.acquire(name, seconds=60)


class TestLeading:
    def test_without_a_standby_the_second_returns_at_once(self):
        assert leases.acquire("stream.post", seconds=60) is not None
        started = time.monotonic()

        assert not streams.lead("post", until_told, terms=QUICK)
        assert time.monotonic() - started < 30.0

    def test_it_renews_its_lease_for_as_long_as_it_works(self):
        def work(lease, stop):
            for _ in range(3):
                known = until_of(lease.name), stop._good_until
                while not (until_of(lease.name) > known[0] and stop._good_until > known[1]):
                    assert not stop.wait(0.05)

        assert streams.lead("post", work, terms=LONG)

    def test_it_stops_when_another_has_the_lease(self):
        ends = []

        def work(lease, stop):
            assert take_over("stream.post") is not None
            until_told(lease, stop)
            ends.append(time.monotonic())

        started = time.monotonic()
        # It hears of it when it renews, long before its own lease would have run out.
        assert streams.lead("post", work, terms=LONG)
        assert ends[0] - started < 30.0

    def test_it_stops_by_its_own_clock_while_the_database_does_not_answer(self):
        ends = []

        def work(lease, stop):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM core_leaserow WHERE name = %s FOR UPDATE", [lease.name]
                )
                started = time.monotonic()
                until_told(lease, stop)
                ends.append(time.monotonic() - started)

        assert streams.lead("post", work, terms=QUICK)
        assert ends[0] < 30.0  # and not when the database answers again, which is after the work

    def test_its_beginning_is_counted(self):
        count = metrics.LEADER_CHANGES.labels("post")
        before = count._value.get()

        streams.lead("post", lambda lease, stop: None, terms=QUICK)

        assert count._value.get() == before + 1


class TestStop:
    def test_it_ends_at_its_moment_and_stays_ended(self):
        stop = Stop()
        stop.is_good_until(time.monotonic() + 60)
        assert not stop
        stop.is_good_until(time.monotonic() + 0.1)
        assert stop.wait(60.0)

        stop.is_good_until(time.monotonic() + 60)
        assert stop

    def test_waiting_ends_as_soon_as_it_is_set(self):
        stop = Stop()
        threading.Timer(0.1, stop.set).start()
        started = time.monotonic()

        assert stop.wait(60.0)
        assert time.monotonic() - started < 30.0


class TestStandby:
    def test_it_leads_as_soon_as_the_leader_has_left(self):
        led, warmed, is_warm = [], [], threading.Event()
        first = leases.acquire("stream.post", seconds=60)
        assert first is not None

        def warm():
            warmed.append(1)
            if len(warmed) >= 3:
                is_warm.set()

        def lead():
            return streams.lead(
                "post",
                lambda lease, stop: led.append((lease.fence, time.monotonic())),
                terms=QUICK,
                stand_by=warm,
            )

        with running(lead) as (found, thread):
            assert is_warm.wait(60)
            assert thread.is_alive()
            leases.release(first)
            released_at = time.monotonic()

        assert found == [True]
        assert led[0][0] == first.fence + 1
        assert led[0][1] - released_at < 30.0  # the lease was good for a minute

    def test_it_leads_when_the_lease_of_a_dead_leader_has_run_out(self):
        started = time.monotonic()
        assert leases.acquire("stream.post", seconds=QUICK.lease_seconds) is not None

        assert streams.lead("post", lambda lease, stop: None, terms=QUICK, stand_by=lambda: None)
        assert QUICK.lease_seconds <= time.monotonic() - started < 30.0

    def test_it_ends_with_its_worker(self):
        assert leases.acquire("stream.post", seconds=60) is not None

        def lead():
            return streams.lead("post", until_told, terms=QUICK, stand_by=lambda: None)

        with running(lead) as (found, thread):
            thread.join(timeout=0.3)
            assert thread.is_alive()
            streams.ask_all_to_stop()
            thread.join(timeout=60)
            assert found == [False]

    def test_each_worker_has_one_place_and_a_killed_standby_leaves_it(self):
        done = subprocess.run(
            [sys.executable, "-c", ONE_PLACE], capture_output=True, text=True, check=True
        )

        assert done.stdout.split() == ["False", "True"]
