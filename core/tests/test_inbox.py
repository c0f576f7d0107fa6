"""An event is kept once, applied once, and parked when it cannot be."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DataError, connection
from structlog.testing import capture_logs

from core import inbox, streams
from core.clock import database_now
from core.inbox import InboxEvent
from core.tests.parcels import pass_time

pytestmark = pytest.mark.django_db


def keep(*names):
    return inbox.receive_all("post", [(name, {"name": name}) for name in names])


def kept(name):
    return InboxEvent.objects.get(external_id=name)


@pytest.fixture
def long_pauses(monkeypatch):
    """Let nothing be due again because the machine is slow."""
    for name in ("FIRST_PAUSE", "SHORTEST_WAIT"):
        monkeypatch.setattr(inbox, name, timedelta(minutes=1))


def apply_once(handler):
    """Hand over what one look finds, however much is due again by then."""

    def last(event):
        streams.ask_all_to_stop()
        handler(event)

    try:
        return inbox.apply_waiting("post", last)
    finally:
        streams._stopping.clear()


def put_off(name, handler):
    """Say how many seconds the event is put off for: at least so many, and at most."""
    before = database_now()
    assert apply_once(handler) == 0
    after, due_at = database_now(), kept(name).due_at
    return (due_at - after).total_seconds(), (due_at - before).total_seconds()


def fails(_event):
    raise KeyError("name")


def is_early(_event):
    raise inbox.NotYet


class Eager:
    """A handler that takes whatever comes and remembers it."""

    def __init__(self):
        self.seen = []

    def __call__(self, event):
        self.seen.append(event["name"])


class TestReceive:
    def test_keeps_an_event_once_and_moves_the_cursor_forward_only(self):
        assert inbox.receive("post", "02", {"n": 2}, cursor="02")
        assert inbox.receive("post", "01", {"n": 1}, cursor="01")
        assert not inbox.receive("post", "02", {"n": 2}, cursor="02")

        assert inbox.position_of("post") == "02"
        assert InboxEvent.objects.filter(source="post").count() == 2

    def test_sources_do_not_share_names(self):
        assert inbox.receive("post", "01", {})
        assert inbox.receive("bank", "01", {})
        assert inbox.position_of("bank") is None

    def test_keeps_many_in_their_order_and_says_how_many_are_new(self):
        keep("b")

        assert keep("z", "b", "y", "z", "x") == 3
        names = InboxEvent.objects.order_by("id").values_list("external_id", flat=True)
        assert list(names) == ["b", "z", "y", "x"]

    def test_keeps_every_payload_as_it_was_told(self):
        text = 'it\'s "odd" \\ % \u2028 ü'
        odd = {"text": text, "deep": [{"n": [1, None, True]}], "price": "1.10"}

        assert inbox.receive_all("post", [("odd", odd), ("none", {})]) == 2
        assert (kept("odd").payload, kept("none").payload) == (odd, {})

    @pytest.mark.django_db(transaction=True)
    def test_a_refused_batch_is_refused_with_its_cursor(self):
        inbox.receive("post", "01", {}, cursor="01")

        with pytest.raises(DataError):
            inbox.receive_all("post", [("02", {}), ("x" * 256, {})], cursor="03")

        assert inbox.position_of("post") == "01"
        assert InboxEvent.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_readers_of_one_source_keep_each_event_once_and_do_not_block_each_other(self):
        events = [(f"{n:03}", {}) for n in range(200)]

        def read(number):
            told = events if number % 2 else events[::-1]
            try:
                return sum(
                    inbox.receive_all("post", told[at : at + 20], cursor=told[at][0])
                    for at in range(0, 200, 20)
                )
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            new = list(pool.map(read, range(4)))

        assert sum(new) == InboxEvent.objects.count() == 200
        assert inbox.position_of("post") == "199"


class TestApply:
    def test_hands_each_event_over_once_in_order(self):
        eager = Eager()
        keep("b", "a")

        assert inbox.apply_waiting("post", eager) == 2
        assert inbox.apply_waiting("post", eager) == 0
        assert eager.seen == ["b", "a"]

    def test_a_poisonous_event_is_parked_and_the_others_flow(self):
        seen = []

        def handler(event):
            if event["name"] == "bad":
                raise KeyError("name")
            seen.append(event["name"])

        keep("bad", "good")
        with capture_logs() as logs:
            for _ in range(7):
                inbox.apply_waiting("post", handler)
                pass_time(10)

        bad = kept("bad")
        assert seen == ["good"]
        assert (bad.attempts, bad.error, bad.applied_at) == (5, "KeyError", None)
        alarms = [entry for entry in logs if entry["event"] == "inbox.event_parked"]
        assert [(alarm["inbox_id"], alarm["error"]) for alarm in alarms] == [(bad.pk, "KeyError")]

    def test_a_failure_is_tried_again_after_a_growing_pause(self):
        keep("bad")
        for pause in (1, 2, 4, 8):
            least, most = put_off("bad", fails)
            assert least <= pause <= most
            pass_time(pause)

        assert kept("bad").attempts == 4

    def test_a_parked_event_flows_again_once_its_attempts_are_taken_back(self):
        eager = Eager()
        keep("bad")
        for _ in range(5):
            inbox.apply_waiting("post", fails)
            pass_time(10)
        assert inbox.apply_waiting("post", eager) == 0

        InboxEvent.objects.update(attempts=0)
        pass_time(10)

        assert inbox.apply_waiting("post", eager) == 1
        assert eager.seen == ["bad"]

    def test_a_failing_handler_leaves_nothing_half_done(self):
        def handler(event):
            inbox.receive("post", "side effect", {})
            raise KeyError("name")

        inbox.receive("post", "1", {})
        inbox.apply_waiting("post", handler)

        assert not InboxEvent.objects.filter(external_id="side effect").exists()

    def test_what_is_kept_meanwhile_is_applied_as_well(self):
        eager = Eager()

        def handler(event):
            eager(event)
            if event["name"] == "first":
                keep("second")

        keep("first")

        assert inbox.apply_waiting("post", handler) == 2
        assert eager.seen == ["first", "second"]

    def test_stops_between_two_events_when_the_worker_does(self):
        keep(*(f"{n:03}" for n in range(inbox.BATCH + 1)))
        eager = Eager()
        streams.ask_all_to_stop()
        try:
            assert inbox.apply_waiting("post", eager) == 0
        finally:
            streams._stopping.clear()

        assert eager.seen == []
        assert inbox.apply_waiting("post", eager) == inbox.BATCH + 1

    @pytest.mark.django_db(transaction=True)
    def test_a_crash_between_keeping_and_applying_costs_nothing(self):
        def crashes(event):
            inbox.receive("effects", event["name"], {})
            raise SystemExit

        eager = Eager()
        keep("a", "b")
        with pytest.raises(SystemExit):
            inbox.apply_waiting("post", crashes)

        assert not InboxEvent.objects.filter(source="effects").exists()
        assert inbox.apply_waiting("post", eager) == 2
        assert eager.seen == ["a", "b"]


class TestNotYet:
    @pytest.mark.parametrize(
        ("waited", "pause"), [(0, 1), (3, 3), (20, 20), (59, 59), (61, 60), (3600, 60)]
    )
    def test_is_no_failure_and_the_pause_is_as_long_as_the_wait(self, waited, pause):
        keep("early")
        apply_once(is_early)
        pass_time(waited)
        InboxEvent.objects.update(due_at=database_now())

        least, most = put_off("early", is_early)
        too_long = database_now() - kept("early").waits_since - timedelta(seconds=waited)
        assert least <= min(pause + too_long.total_seconds(), 60)
        assert pause <= most
        assert (kept("early").attempts, kept("early").error) == (0, "")

    @pytest.mark.usefixtures("long_pauses")
    def test_is_not_handed_over_before_it_is_due(self):
        keep("early")
        inbox.apply_waiting("post", is_early)
        eager = Eager()

        assert inbox.apply_waiting("post", eager) == 0
        pass_time(61)
        assert inbox.apply_waiting("post", eager) == 1

    @pytest.mark.usefixtures("long_pauses")
    def test_is_woken_when_what_it_waits_for_is_recorded(self):
        inbox.receive("bank", "other", {"name": "other"})
        keep("early", "late")
        for source in ("post", "bank"):
            inbox.apply_waiting(source, is_early)
        eager = Eager()

        inbox.wake("post")

        assert inbox.apply_waiting("post", eager) == 2
        assert eager.seen == ["early", "late"]
        assert inbox.apply_waiting("bank", eager) == 0

    @pytest.mark.usefixtures("long_pauses")
    def test_waking_takes_no_failure_back(self):
        keep("bad")
        inbox.apply_waiting("post", fails)

        inbox.wake("post")

        assert inbox.apply_waiting("post", fails) == 0
        assert kept("bad").attempts == 1

    def test_after_a_day_a_person_is_called(self):
        keep("early")
        inbox.apply_waiting("post", is_early)
        pass_time(24 * 3600 - 60)
        inbox.apply_waiting("post", is_early)
        assert kept("early").attempts == 0

        pass_time(61)
        with capture_logs() as logs:
            inbox.apply_waiting("post", is_early)

        event = kept("early")
        assert (event.attempts, event.error) == (inbox.MAX_ATTEMPTS, "not_yet")
        assert logs == [
            {
                "event": "inbox.event_parked",
                "log_level": "error",
                "inbox_id": event.pk,
                "error": "not_yet",
            }
        ]

    def test_a_day_in_which_nobody_looked_does_not_count(self):
        keep("early")
        pass_time(3 * 24 * 3600)
        inbox.apply_waiting("post", is_early)

        assert kept("early").attempts == 0
        assert kept("early").due_at - database_now() < timedelta(seconds=2)

    @pytest.mark.usefixtures("long_pauses")
    def test_many_that_must_wait_do_not_starve_one_that_need_not(self):
        seen = []

        def handler(event):
            seen.append(event["name"])
            if event["name"] != "fresh":
                raise inbox.NotYet

        early = [f"early {n}" for n in range(2 * inbox.BATCH)]
        keep(*early, "fresh")

        assert inbox.apply_waiting("post", handler) == 1
        assert seen == [*early, "fresh"]

    def test_what_is_due_again_lets_the_others_go_first(self):
        keep("early")
        keep("bad")
        apply_once(fails)
        keep("fresh", "fresher")
        pass_time(2)
        eager = Eager()

        assert inbox.apply_waiting("post", eager) == 4
        assert eager.seen == ["fresh", "fresher", "early", "bad"]

    @pytest.mark.usefixtures("long_pauses")
    def test_what_was_woken_keeps_its_place_before_them(self):
        keep("early")
        inbox.apply_waiting("post", is_early)
        keep("fresh")
        inbox.wake("post")
        eager = Eager()

        assert inbox.apply_waiting("post", eager) == 2
        assert eager.seen == ["early", "fresh"]


@pytest.mark.django_db(transaction=True)
class TestSeveralAppliers:
    def test_one_at_a_time_and_what_came_meanwhile_is_not_left_behind(self):
        eager = Eager()
        is_in, may_go_on = threading.Event(), threading.Event()

        def slow(event):
            eager(event)
            is_in.set()
            assert may_go_on.wait(60)

        def apply():
            try:
                return inbox.apply_waiting("post", slow)
            finally:
                connection.close()

        keep("a", "b")
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(apply)
            assert is_in.wait(60)
            keep("c")
            turned_away = inbox.apply_waiting("post", eager)
            may_go_on.set()

            assert (first.result(60), turned_away) == (3, 0)
        assert eager.seen == ["a", "b", "c"]

    def test_sources_do_not_wait_for_each_other(self):
        eager = Eager()
        inbox.receive("bank", "1", {"name": "1"})

        def handler(event):
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(bank).result(60) == 1

        def bank():
            try:
                return inbox.apply_waiting("bank", eager)
            finally:
                connection.close()

        keep("a")
        assert inbox.apply_waiting("post", handler) == 1
        assert eager.seen == ["1"]
