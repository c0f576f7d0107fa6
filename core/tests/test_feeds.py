"""A vendor's stream is read without waiting for us, and kept without losing or repeating."""

import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from structlog.testing import capture_logs

from core import feeds, inbox, leases, streams
from core.errors import VendorUnavailable
from core.feeds import DataLost, VendorEvent
from core.inbox import InboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
GAP = DataLost("dropped 2 messages", can_be_replayed=True)


def event(number):
    return VendorEvent(f"{number:04}", {"n": number})


class Stream:
    """One connection: tells what it was given, then breaks, ends, or falls silent."""

    def __init__(self, *items, error=None, is_silent=False):
        self.items = items
        self.error = error
        self.is_silent = is_silent
        self.told = 0
        self.is_told = threading.Event()
        self.is_closed = threading.Event()

    def __iter__(self):
        for item in self.items:
            self.told += 1
            yield item
        self.is_told.set()
        if self.error is not None:
            raise self.error
        if self.is_silent:
            assert self.is_closed.wait(60)

    def close(self):
        self.is_closed.set()


class Feed:
    """Opens one stream after the other; after the last one the worker is stopped."""

    def __init__(self, *connections):
        self.connections = list(connections)
        self.opened_since = []

    @contextmanager
    def open(self, since):
        if not self.connections:
            streams.ask_all_to_stop()
            raise VendorUnavailable("fake", "There are no more streams.")
        self.opened_since.append(since)
        stream = self.connections.pop(0)
        yield stream
        assert stream.is_closed.is_set()
        assert connection.connection is None  # none was held while waiting for the next event


@pytest.fixture(autouse=True)
def _stops_and_starts_again(monkeypatch):
    monkeypatch.setattr(feeds, "FIRST_BACKOFF_SECONDS", 0.01)
    yield
    streams._stopping.clear()


class Listener:
    """Counts what the follower reports."""

    def __init__(self):
        self.kept = 0
        self.lost = []

    def on_kept(self):
        transaction.on_commit(lambda: None)  # as whoever queues a task does
        self.kept += 1

    def follow(self, *connections):
        feed = Feed(*connections)
        with capture_logs() as logs:
            assert feeds.follow("post", feed, on_kept=self.on_kept, on_lost=self.lost.append)
        self.logged = [entry["event"] for entry in logs]
        return feed.opened_since


def kept():
    return [row.payload["n"] for row in InboxEvent.objects.order_by("id")]


def transactions():
    """In how many transactions the events were kept."""
    with connection.cursor() as sql:
        sql.execute("SELECT count(DISTINCT xmin::text) FROM core_inboxevent")
        return sql.fetchone()[0]


class TestKeeping:
    def test_an_event_that_comes_alone_is_kept_at_once(self):
        class Alone(Listener):
            def on_kept(self):
                super().on_kept()
                self.seen = (kept(), inbox.position_of("post"))
                streams.ask_all_to_stop()

        listener = Alone()
        listener.follow(Stream(None, event(1), is_silent=True))

        assert (listener.kept, listener.seen) == (1, ([1], "0001"))

    def test_a_burst_is_kept_in_its_order_and_starts_the_applying_first_and_last(self, monkeypatch):
        class Slow(Listener):
            def on_kept(self):
                super().on_kept()
                assert burst.is_told.wait(60)

        monkeypatch.setattr(feeds, "BURST_SECONDS", 60.0)
        burst = Stream(*map(event, range(feeds.BATCH + 101)))
        listener = Slow()
        listener.follow(burst)

        assert kept() == list(range(301))
        assert (inbox.position_of("post"), listener.kept) == ("0300", 2)
        assert transactions() in {2, 3}

    def test_a_burst_that_goes_on_starts_the_applying_once_a_second(self, monkeypatch):
        monkeypatch.setattr(feeds, "BURST_SECONDS", 0.0)
        listener = Listener()
        listener.follow(Stream(*map(event, range(801))))

        assert kept() == list(range(801))
        assert listener.kept >= 5  # each batch is late by now

    def test_what_is_known_already_starts_nothing(self):
        listener = Listener()
        since = listener.follow(Stream(event(1), event(2)), Stream(event(1), event(2), None))

        assert since == [None, "0002"]
        assert kept() == [1, 2]
        assert listener.kept in {1, 2}  # the two may have come together or not

    def test_the_cursor_is_the_furthest_of_a_batch(self):
        Listener().follow(Stream(event(3), event(2)))

        assert (kept(), inbox.position_of("post")) == ([3, 2], "0003")

    def test_does_not_read_ahead_without_end(self):
        class Stuck(Listener):
            def on_kept(self):
                super().on_kept()
                ends = time.monotonic() + 60
                while endless.told <= feeds.READ_AHEAD and time.monotonic() < ends:
                    endless.is_told.wait(0.01)
                assert not endless.is_told.wait(0.3)
                self.told = endless.told
                streams.ask_all_to_stop()

        endless = Stream(*map(event, range(5_000)))
        listener = Stuck()
        listener.follow(endless)

        assert feeds.READ_AHEAD < listener.told <= feeds.READ_AHEAD + feeds.BATCH + 1
        assert len(kept()) <= feeds.BATCH

    def test_follows_only_while_it_leads(self):
        assert leases.acquire("stream.post", seconds=60) is not None
        feed = Feed(Stream(event(1)))

        assert not feeds.follow("post", feed, on_kept=list, on_lost=list)
        assert (feed.opened_since, kept()) == ([], [])


class TestLosses:
    def test_what_the_vendor_dropped_is_heard_by_opening_anew(self):
        listener = Listener()
        since = listener.follow(
            Stream(event(1), GAP, event(4), is_silent=True), Stream(*map(event, range(1, 5)))
        )

        assert since == [None, "0001"]
        assert kept() == [1, 2, 3, 4]
        assert listener.lost == ["dropped 2 messages"]
        assert "feed.data_lost" in listener.logged

    def test_what_cannot_be_read_is_reported_and_the_stream_goes_on(self):
        listener = Listener()
        since = listener.follow(Stream(event(1), DataLost("unreadable"), event(2)))

        assert (since, kept(), listener.lost) == ([None], [1, 2], ["unreadable"])

    def test_a_stream_that_breaks_is_opened_anew_behind_what_was_kept(self):
        broken = VendorUnavailable("fake", "It broke off.")
        listener = Listener()
        since = listener.follow(Stream(event(1), event(2), error=broken), Stream(event(3)))

        assert (since, kept(), listener.lost) == ([None, "0002"], [1, 2, 3], [])
        assert "feed.broken" in listener.logged

    def test_an_error_of_ours_is_not_hidden_in_the_reader(self):
        with pytest.raises(ZeroDivisionError):
            Listener().follow(Stream(event(1), error=ZeroDivisionError()))

        assert kept() == [1]
        assert leases.acquire("stream.post", seconds=1) is not None

    def test_an_event_that_cannot_be_kept_ends_the_following_and_moves_no_cursor(self):
        endless = Stream(VendorEvent("x" * 256, {}), *map(event, range(5_000)))

        with pytest.raises(Exception, match="too long"):
            Listener().follow(endless)

        assert (kept(), inbox.position_of("post")) == ([], None)
