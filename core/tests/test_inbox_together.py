"""Events are applied in batches, and each is still applied once, in its order, or parked alone."""

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from core import inbox
from core.inbox import InboxEvent
from core.tests.parcels import pass_time

pytestmark = pytest.mark.django_db
_numbers = itertools.count()


@pytest.fixture
def long_pauses(monkeypatch):
    """Let nothing be due again because the machine is slow."""
    for name in ("FIRST_PAUSE", "SHORTEST_WAIT"):
        monkeypatch.setattr(inbox, name, timedelta(minutes=1))


def keep(*names, account="", **more):
    told = [(name, {"name": name, "account": account, **more}) for name in names]
    return inbox.receive_all("post", told)


class Handler:
    """
    Has an effect in the database for each event, unless the event says otherwise.

    `bad` events raise and `early` ones must wait; the effects of a batch that fails later are
    made before it does.
    """

    def __init__(self):
        self.sizes = []

    def __call__(self, payloads):
        self.sizes.append(len(payloads))
        early = [place for place, event in enumerate(payloads) if event.get("kind") == "early"]
        for place, event in enumerate(payloads):
            if place not in early:
                InboxEvent.objects.create(
                    source="effects", external_id=f"effect {next(_numbers)}", payload=event
                )
        if any(event.get("kind") == "bad" for event in payloads):
            raise KeyError("name")
        return early


def effects():
    """What has happened, in the order in which it did."""
    found = InboxEvent.objects.filter(source="effects").order_by("id")
    return [event.payload["name"] for event in found]


def names(count, first=0):
    return [f"{n:04}" for n in range(first, first + count)]


class TestBatches:
    def test_are_of_a_hundred_and_in_order(self):
        handler = Handler()
        keep(*names(250))

        assert inbox.apply_together("post", handler) == 250
        assert handler.sizes == [100, 100, 50]
        assert effects() == names(250)
        assert not InboxEvent.objects.filter(source="post", applied_at=None).exists()

    def test_one_event_makes_a_batch_of_its_own(self):
        handler = Handler()
        keep("alone")

        assert inbox.apply_together("post", handler) == 1
        assert (handler.sizes, effects()) == ([1], ["alone"])

    @pytest.mark.parametrize("place", [0, 1, 49, 50, 98, 99])
    def test_a_poisonous_event_is_parked_and_the_other_ninety_nine_happen_once(self, place):
        keep(*names(place))
        keep("bad", kind="bad")
        keep(*names(99 - place, first=place))
        handler = Handler()

        with capture_logs() as logs:
            assert inbox.apply_together("post", handler) == 99
            for _ in range(6):
                pass_time(10)
                assert inbox.apply_together("post", handler) == 0

        assert effects() == names(99)
        bad = InboxEvent.objects.get(external_id="bad")
        assert (bad.attempts, bad.error, bad.applied_at) == (5, "KeyError", None)
        assert Counter(entry["event"] for entry in logs)["inbox.event_failed"] == 5

    def test_what_must_wait_is_put_off_and_the_rest_of_its_batch_happens(self):
        keep("a", "b")
        keep("early", kind="early")
        keep("c")
        handler = Handler()

        assert inbox.apply_together("post", handler) == 3
        assert inbox.apply_together("post", handler) == 0
        assert effects() == ["a", "b", "c"]

        InboxEvent.objects.filter(external_id="early").update(payload={"name": "early"})
        inbox.wake("post")
        assert inbox.apply_together("post", handler) == 1
        assert effects() == ["a", "b", "c", "early"]

    def test_a_handler_may_say_not_yet_of_one_event_as_well(self):
        def handler(payloads):
            raise inbox.NotYet

        keep("a", "b")

        assert inbox.apply_together("post", handler) == 0
        waiting = InboxEvent.objects.filter(waits_since__isnull=False)
        assert waiting.count() == 2
        assert set(waiting.values_list("attempts", flat=True)) == {0}

    @pytest.mark.usefixtures("long_pauses")
    def test_many_that_must_wait_do_not_starve_one_that_need_not(self):
        keep(*names(1_500), kind="early")
        keep("fresh")
        handler = Handler()

        assert inbox.apply_together("post", handler) == 1
        assert effects() == ["fresh"]
        keep("fresher")
        assert inbox.apply_together("post", handler) == 1
        assert effects() == ["fresh", "fresher"]
        assert handler.sizes == [*[100] * 15, 1, 1]


events = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["good"] * 6 + ["bad", "early", "twice"])),
    max_size=60,
)


@pytest.mark.django_db
@pytest.mark.usefixtures("long_pauses")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(told=events, size=st.integers(min_value=1, max_value=9))
def test_whatever_comes_each_good_event_happens_once_and_in_its_accounts_order(
    monkeypatch, told, size
):
    monkeypatch.setattr(inbox, "BATCH", size)
    with transaction.atomic():
        for number, (account, kind) in enumerate(told):
            for _ in range(1 + (kind == "twice")):
                keep(f"{number:04}", account=account, kind=kind)
        handler = Handler()
        with capture_logs():
            applied = inbox.apply_together("post", handler)

        good = [f"{n:04}" for n, (_, kind) in enumerate(told) if kind not in {"bad", "early"}]
        left = InboxEvent.objects.filter(source="post", applied_at=None).order_by("id")
        assert effects() == good
        assert applied == len(good)
        assert [event.payload["kind"] for event in left] == [
            kind for _, kind in told if kind in {"bad", "early"}
        ]
        assert all(event.attempts == (event.payload["kind"] == "bad") for event in left)
        assert max(handler.sizes, default=0) <= size
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
class TestSeveralAppliers:
    @pytest.mark.parametrize("at_once", ["together", "waiting"])
    def test_each_event_happens_once_in_the_order_of_its_account(self, at_once):
        handler = Handler()

        def one(event):
            handler([event])

        def apply(_):
            try:
                applied = 0
                while not is_all_kept.is_set() or left():
                    if at_once == "together":
                        applied += inbox.apply_together("post", handler)
                    else:
                        applied += inbox.apply_waiting("post", one)
                return applied
            finally:
                connection.close()

        def left():
            return InboxEvent.objects.filter(source="post", applied_at=None).exists()

        is_all_kept = threading.Event()
        with ThreadPoolExecutor(3) as pool:
            appliers = [pool.submit(apply, number) for number in range(3)]
            for first in range(0, 300, 10):
                keep(*names(10, first=first))
            is_all_kept.set()
            applied = [one.result(60) for one in appliers]

        assert effects() == names(300)
        assert sum(applied) == 300

    def test_a_crash_in_a_batch_costs_nothing(self):
        class Crash(BaseException):
            pass

        def crashes(payloads):
            Handler()(payloads)
            raise Crash

        keep(*names(150))
        with pytest.raises(Crash):
            inbox.apply_together("post", crashes)
        assert effects() == []

        assert inbox.apply_together("post", Handler()) == 150
        assert effects() == names(150)
