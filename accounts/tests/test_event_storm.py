"""Whatever the stream does to the events, what comes of them is what they say, and happens once."""

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from structlog.testing import capture_logs

from accounts import services
from accounts.events import AccountStatusChanged
from accounts.gateways import get_brokerage
from accounts.models import AccountEvent, BrokerageAccount
from accounts.services import status as statuses
from accounts.tests.event_source import BEGIN, FIRST_STATUS, EventSource, Plan, moment_of, ulid
from accounts.tests.factories import make_account
from core import feeds, inbox, streams
from core.auth import SYSTEM, acting_as
from core.clock import database_now
from core.events import subscribe
from core.inbox import InboxEvent, StreamCursor
from core.intents.models import IntentStep

pytestmark = pytest.mark.django_db(transaction=True)
APPLIERS = 2
PATIENCE_SECONDS = 30
heard: list[AccountStatusChanged] = []
subscribe(AccountStatusChanged, heard.append)


def fold(source):
    """Say, without any of our code, which changes of status each account goes through."""
    changes = defaultdict(list)
    now = dict.fromkeys(source.account_ids, FIRST_STATUS)
    for told in source.history:
        if told.kind in {"good", "unknown"} and now[told.account_id] != told.status:
            now[told.account_id] = told.status
            changes[told.account_id].append(told.status)
    return changes


class Storm:
    """The real reader, the real services, and two workers that apply, until all is done."""

    def __init__(self, source):
        self.source = source
        self.lost = []
        self._is_over = threading.Event()

    def run(self):
        with ThreadPoolExecutor(1 + APPLIERS) as pool, capture_logs() as self.logs:
            work = [pool.submit(self._in_thread, self._follow)]
            work += [pool.submit(self._in_thread, self._apply) for _ in range(APPLIERS)]
            try:
                self._wait()
            finally:
                self._is_over.set()
                streams.ask_all_to_stop()
            for each in work:
                each.result(60)
        streams._stopping.clear()

    def logged(self, event, key):
        return {entry[key] for entry in self.logs if entry["event"] == event}

    def _in_thread(self, act):
        try:
            act()
        finally:
            connection.close()

    def _follow(self):
        feed = get_brokerage().status_feed()
        assert feeds.follow(services.SOURCE, feed, on_kept=lambda: None, on_lost=self.lost.append)

    def _apply(self):
        while not self._is_over.wait(0.02):
            services.apply_events()

    def _wait(self):
        """Wait until all is applied; how long that may take depends on how busy the machine is."""
        readable = [told for told in self.source.history if told.kind != "bad_json"]
        stuck = sum(told.kind == "shapeless" for told in readable)
        waiting = InboxEvent.objects.filter(applied_at=None)
        seen, ends = None, 0.0
        while (now := (InboxEvent.objects.count(), waiting.count())) != (len(readable), stuck):
            if now != seen:
                seen, ends = now, time.monotonic() + PATIENCE_SECONDS
            elif time.monotonic() > ends:
                pytest.fail(f"{now[1]} of {now[0]} events still wait")
            self._is_over.wait(0.1)


@pytest.fixture(autouse=True)
def _hurries(monkeypatch):
    monkeypatch.setattr(feeds, "FIRST_BACKOFF_SECONDS", 0.02)
    heard.clear()
    yield
    streams._stopping.clear()


@pytest.fixture
def weather(settings):
    """Serve a storm to accounts that are all in the first status."""

    def run(plan):
        source = EventSource(plan)
        for broker_account_id in source.account_ids:
            make_account(status=FIRST_STATUS, broker_account_id=broker_account_id)
        StreamCursor.objects.create(
            source=services.SOURCE, position=ulid(BEGIN + timedelta(minutes=5))
        )
        storm = Storm(source)
        with source.serving() as url:
            settings.ALPACA_BROKER_URL = url
            settings.VENDOR_TOTAL_SECONDS = 10
            storm.run()
            heal()
        return storm

    return run


def heal():
    """Read every account at the broker, as a lost event asks for."""
    services.heal_accounts()
    while statuses.refresh_due():
        pass


def accounts():
    with acting_as(SYSTEM):
        return {row.broker_account_id: row for row in BrokerageAccount.objects.all()}


def check(storm):
    """Compare what has become of it with the model."""
    source, changes, rows = storm.source, fold(storm.source), accounts()
    healed = {
        one: [source.status_of(one)]
        for one in source.account_ids
        if source.status_of(one) != ([FIRST_STATUS, *changes[one]])[-1]
    }
    expected = {one: changes[one] + healed.get(one, []) for one in source.account_ids}
    assert {one: rows[one].vendor_status for one in rows} == {
        one: source.status_of(one) for one in source.account_ids
    }
    assert {one: sorted(told) for one, told in news_of(rows).items()} == {
        one: sorted(told) for one, told in expected.items()
    }
    assert notices_of(rows) == expected
    assert steps_of(rows) == expected
    check_faults(storm)


def check_faults(storm):
    """Make sure that everything planned went wrong, and was noticed."""
    source, plan = storm.source, storm.source.plan
    assert source.faults_left == 0
    assert len(source.since) > plan.cuts + plan.gaps
    assert source.frames_sent > plan.events * (1 + plan.repeated * 0.8)

    assert len(source.reopened) == plan.gaps
    for gap, since in source.reopened:
        assert timedelta(minutes=4) < gap.first.at - moment_of(since) < timedelta(minutes=6)
        assert f"you are reading too slowly, dropped {gap.count} messages" in storm.lost
    assert storm.lost.count("an event was not readable") >= plan.bad_json

    unknown = {told.status for told in source.history if told.kind == "unknown"}
    assert storm.logged("account.unknown_status", "status") == unknown
    shapeless = {told.ulid for told in source.history if told.kind == "shapeless"}
    assert parked() == dict.fromkeys(shapeless, "Unreadable")


def parked():
    """Try what fails until it is given up, and say what and why."""
    waiting = InboxEvent.objects.filter(applied_at=None)
    for _ in range(inbox.MAX_ATTEMPTS):
        waiting.update(due_at=database_now())
        with capture_logs():
            services.apply_events()
    assert set(waiting.values_list("attempts", flat=True)) <= {inbox.MAX_ATTEMPTS}
    return dict(waiting.values_list("external_id", "error"))


def news_of(rows):
    """What other apps heard; two workers may tell it in either order."""
    told = {one: [] for one in rows}
    names = {row.pk: one for one, row in rows.items()}
    for event in heard:
        told[names[event.account_id]].append(event.status)
    return told


def notices_of(rows):
    """What the owners were told, in its order; the numbers have no gaps."""
    told = {one: [] for one in rows}
    with acting_as(SYSTEM):
        for one, row in rows.items():
            events = list(AccountEvent.objects.filter(account_id=row.pk).order_by("seq"))
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            told[one] = [event.payload["status"] for event in events]
    return told


def steps_of(rows):
    """What the history of each account holds of its statuses; nothing came late."""
    steps = IntentStep.objects.filter(from_state=F("to_state")).order_by("id")
    assert set(steps.values_list("reason", flat=True)) <= {""}
    names = {row.pk: one for one, row in rows.items()}
    told = {one: [] for one in rows}
    for account_id, word in steps.values_list("intent_id", "vendor_status"):
        told[names[account_id]].append(word)
    return told


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
def test_two_thousand_events_come_to_what_they_say(weather, seed):
    check(weather(Plan(seed=seed, events=2_000)))


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_events_come_to_what_they_say(weather, seed):
    plan = Plan(seed=seed, events=10_000, unknown=10, bad_json=10, shapeless=10, cuts=100, gaps=20)
    check(weather(plan))
