"""A price leader in a thread, and somebody who hears everything that it publishes."""

import threading
import time
from contextlib import contextmanager

from django.db import connection

from core import realtime, streams
from core.ids import new_id
from core.leases import Lease
from market import following, frames, selectors, services
from market.nanos import to_decimal


def eventually(check, *, within=60.0):
    """Wait until the check holds, and say what it said."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found or time.monotonic() > deadline:
            return found
        threading.Event().wait(0.01)


class Listener:
    """Everything that is published, in order."""

    def __init__(self):
        self.frames = []
        self._pubsub = realtime.connection().pubsub()

    def __enter__(self):
        self._pubsub.subscribe(frames.CHANNEL)
        assert self._pubsub.get_message(timeout=60)["type"] == "subscribe"
        return self

    def __exit__(self, *_):
        self._pubsub.close()

    def read(self, *, seconds=0.0):
        """Take in what has come."""
        deadline = time.monotonic() + seconds
        while message := self._pubsub.get_message(timeout=max(deadline - time.monotonic(), 0.001)):
            self.frames.append(frames.decode(message["data"]))
        return self.frames

    def price_of(self, symbol):
        """Tell the last price that was published of a symbol."""
        prices = self._told_of(symbol, lambda frame: frame.prices.tolist())
        return to_decimal(prices[-1]) if prices else None

    def flags_of(self, symbol):
        """Tell what was said to be wrong with a symbol's price, the last time it was named."""
        flags = self._told_of(symbol, lambda frame: frame.flags.tolist() or [0] * 10_000)
        return flags[-1] if flags else None

    def _told_of(self, symbol, column):
        number = selectors.get_instrument(symbol=symbol).number
        return [
            value
            for frame in self.read()
            for n, value in zip(frame.numbers.tolist(), column(frame), strict=False)
            if n == number
        ]


@contextmanager
def leading(desk=None, *, fence=1):
    """Lead in a thread of our own, as the task does in its process."""
    stop = streams.Stop()
    lease = Lease("stream.prices", new_id(), fence)
    thread = threading.Thread(target=following.follow, args=(lease, stop), kwargs={"desk": desk})
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()


class Watch:
    """A desk's own time, which passes when a test says so, however long all of it takes."""

    def __init__(self):
        self.passed = 0.0

    def __call__(self):
        return self.passed


def tell(desk, stream, make):
    """Let the socket of shares say something, and wait until the desk has heard it."""
    before = desk.stocks.heard_at
    stream.news.put([make()])
    assert eventually(lambda: desk.stocks.heard_at > before)


@contextmanager
def told_again(stream, *makers):
    """Let a socket say these things ten times a second."""
    done = threading.Event()

    def run():
        while not done.wait(0.1):
            stream.news.put([make() for make in makers])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def want(*symbols, reason="test"):
    services.want_symbols(reason=reason, symbols=symbols)


@contextmanager
def two_processes():
    """Run the task twice, in threads: one leads and one stands by, until the worker stops."""
    ended = []

    def run():
        try:
            ended.append(services.follow_prices())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        yield ended
    finally:
        streams.ask_all_to_stop()
        try:
            for thread in threads:
                thread.join(timeout=60)
                assert not thread.is_alive()
        finally:
            streams._stopping.clear()


def take_the_lease_away():
    """Let the lease run out, as that of a leader does which the database has not heard of."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_leaserow SET until = clera_now() WHERE name = 'stream.prices'")
