"""The feed of an account: numbered without gaps, in the order of commits, for its owner alone."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.live.pages import NEWEST, Place, list_moved, read_pages
from accounts.models import AccountEvent, AccountFeed
from accounts.services import feed
from accounts.services.feed import CHANNEL, News
from accounts.tests.factories import customer, make_account, service
from core import realtime
from core.auth import SYSTEM, acting_as
from core.errors import NotFound
from core.ids import new_id

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "account.status"


def push(account, **payload):
    with acting_as(SYSTEM):
        return feed.push(account_id=account.pk, user_id=account.user_id, kind=KIND, payload=payload)


def told(account, *, after=0, limit=1000, principal=SYSTEM):
    """Read events as their sockets get them."""
    place = Place(account.pk, after)
    page = read_pages([place], limit=limit, principal=principal)[place]
    return [json.loads(event.text) for event in page.events]


def numbers(account, **options):
    return [event["seq"] for event in told(account, **options)]


class TestPush:
    def test_numbers_events_from_one_on_for_each_account(self):
        ada, bob = make_account("ada"), make_account("bob")

        assert [push(ada), push(ada), push(bob), push(ada)] == [1, 2, 1, 3]
        assert (numbers(ada), numbers(bob)) == ([1, 2, 3], [1])

    def test_keeps_what_is_told(self):
        account = make_account()
        push(account, status="APPROVED", requirements=[], note="Grüße")

        (event,) = told(account)
        with acting_as(SYSTEM):
            at = AccountEvent.objects.get().at
        assert event == {
            "type": "event",
            "seq": 1,
            "kind": KIND,
            "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "payload": {"status": "APPROVED", "requirements": [], "note": "Grüße"},
        }

    def test_numbers_a_batch_in_its_order(self):
        ada, bob = make_account("ada"), make_account("bob")
        push(ada, n=0)
        batch = [(ada, 1), (bob, 2), (ada, 3), (bob, 4), (ada, 5)]
        with acting_as(SYSTEM):
            last = feed.push_all(
                [News(who.pk, who.user_id, f"kind.n{n}", {"n": n}) for who, n in batch]
            )

        assert last == {ada.pk: 4, bob.pk: 2}
        assert [(e["seq"], e["kind"], e["payload"]["n"]) for e in told(ada)] == [
            (1, KIND, 0),
            (2, "kind.n1", 1),
            (3, "kind.n3", 3),
            (4, "kind.n5", 5),
        ]
        assert [e["payload"]["n"] for e in told(bob)] == [2, 4]

    def test_of_nothing_writes_nothing(self):
        with acting_as(SYSTEM):
            assert feed.push_all([]) == {}
            assert AccountFeed.objects.count() == 0

    def test_that_is_rolled_back_leaves_no_gap_and_no_notice(self):
        account = make_account()
        push(account)
        with realtime.connection().pubsub() as notices:
            notices.subscribe(CHANNEL)
            notices.get_message(timeout=30)
            with transaction.atomic():
                assert push(account) == 2
                transaction.set_rollback(True)
            assert push(account) == 2
            heard = [notices.get_message(timeout=wait) for wait in (30, 0.2)]

        assert numbers(account) == [1, 2]
        assert json.loads(heard[0]["data"]) == {"accounts": {str(account.pk): 2}}
        assert heard[1] is None

    def test_is_told_only_after_the_commit(self):
        account = make_account()
        with realtime.connection().pubsub() as notices:
            notices.subscribe(CHANNEL)
            notices.get_message(timeout=30)
            with transaction.atomic():
                push(account)
                assert notices.get_message(timeout=0.2) is None
            assert notices.get_message(timeout=30)["type"] == "message"

    def test_to_an_account_of_somebody_else_is_refused(self):
        account = make_account("ada")
        wrong = {"account_id": account.pk, "user_id": "bob", "kind": KIND, "payload": {}}

        for principal in (SYSTEM, customer("bob")):
            with pytest.raises(NotFound), acting_as(principal):
                feed.push(**wrong)
        with pytest.raises(NotFound), acting_as(customer("bob")):
            feed.push(**wrong | {"user_id": "ada"})
        with pytest.raises(NotFound), acting_as(SYSTEM):
            feed.push(**wrong | {"account_id": new_id()})
        with acting_as(SYSTEM):
            assert (AccountFeed.objects.count(), AccountEvent.objects.count()) == (0, 0)

    def test_of_more_than_a_message_holds_is_refused(self):
        account = make_account()
        with pytest.raises(ValueError, match="too long"):
            push(account, note="ü" * 5000)

        assert numbers(account) == []


class TestTogether:
    def test_twenty_threads_leave_no_gap_and_nobody_sees_one(self):
        account = make_account()
        barrier, is_over = threading.Barrier(21), threading.Event()
        seen = []

        def write(thread):
            barrier.wait(timeout=60)
            try:
                return [push(account, thread=thread, n=n) for n in range(10)]
            finally:
                connection.close()

        def watch():
            barrier.wait(timeout=60)
            try:
                while not is_over.is_set():
                    seen.append(numbers(account))
            finally:
                connection.close()

        with ThreadPoolExecutor(21) as pool:
            watching = pool.submit(watch)
            written = list(pool.map(write, range(20)))
            is_over.set()
            watching.result()

        assert sorted(seq for of_thread in written for seq in of_thread) == [*range(1, 201)]
        assert all(of_thread == sorted(of_thread) for of_thread in written)
        assert all(found == [*range(1, len(found) + 1)] for found in seen)
        by_number = {event["seq"]: event["payload"] for event in told(account)}
        assert all(
            by_number[seq] == {"thread": thread, "n": n}
            for thread, of_thread in enumerate(written)
            for n, seq in enumerate(of_thread)
        )

    def test_batches_in_opposite_orders_do_not_wait_for_each_other(self):
        accounts = [make_account() for _ in range(8)]
        barrier = threading.Barrier(4)

        def write(order):
            barrier.wait(timeout=60)
            try:
                for _ in range(10):
                    with acting_as(SYSTEM):
                        feed.push_all([News(a.pk, a.user_id, KIND, {}) for a in order])
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, [accounts, accounts[::-1]] * 2))

        assert [numbers(account) for account in accounts] == [[*range(1, 41)]] * 8


class TestWhoSees:
    def test_another_customer_sees_nothing_even_without_a_filter(self):
        account = make_account("ada")
        push(account)

        with acting_as(customer("bob")):
            assert (AccountFeed.objects.count(), AccountEvent.objects.count()) == (0, 0)
        assert told(account, principal=customer("bob")) == []
        assert list_moved({account.pk: 0}, principal=customer("bob")) == []
        assert numbers(account, principal=customer("ada")) == [1]

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE accounts_accountevent SET seq = 7", "DELETE FROM accounts_accountevent"],
    )
    def test_nobody_changes_what_was_told(self, statement):
        account = make_account()
        push(account)

        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            acting_as(SYSTEM),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        assert numbers(account) == [1]


class TestPages:
    def test_many_places_are_read_at_once(self):
        ada, bob, new = make_account("ada"), make_account("bob"), make_account("new")
        for _ in range(5):
            push(ada)
        push(bob)
        wanted = {
            Place(ada.pk, 0): (5, 1, [1, 2, 3]),
            Place(ada.pk, 3): (5, 1, [4, 5]),
            Place(ada.pk, NEWEST): (5, 1, []),
            Place(bob.pk, 1): (1, 1, []),
            Place(new.pk, 0): (0, None, []),
        }

        pages = read_pages(wanted, limit=3)

        found = {
            place: (page.last, page.oldest, [event.seq for event in page.events])
            for place, page in pages.items()
        }
        assert found == wanted

    def test_a_gap_is_noticed(self):
        account = make_account()
        for _ in range(5):
            push(account)
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute("DELETE FROM accounts_accountevent WHERE seq IN (1, 4)")
            cursor.execute("SET ROLE clera_app")

        def continues(after, *, limit=1000):
            place = Place(account.pk, after)
            return read_pages([place], limit=limit)[place].continues(after)

        assert [continues(after) for after in range(7)] == [
            False, False, False, False, True, True, False
        ]  # fmt: skip
        assert continues(1, limit=2)

    def test_says_which_accounts_have_moved(self):
        ada, bob, new = make_account("ada"), make_account("bob"), make_account("new")
        push(ada)
        push(ada)
        push(bob)

        assert list_moved({ada.pk: 1, bob.pk: 1, new.pk: 0}) == [ada.pk]
        assert list_moved({ada.pk: 3}) == [ada.pk]
        assert list_moved({}) == []


class TestOverHttp:
    def url(self, account_id):
        return f"/api/account/{account_id}/events"

    def test_answers_the_same_records_page_by_page(self, api):
        account = make_account("ada")
        for n in range(5):
            push(account, n=n)
        client = api(customer("ada"))

        first = client.get(self.url(account.broker_account_id), {"limit": 3}).json()
        second = client.get(self.url(account.pk), {"after": 3, "limit": 3}).json()
        third = client.get(self.url(account.pk), {"after": 5}).json()

        assert first == {
            "account_id": account.broker_account_id,
            "seq": 5,
            "oldest": 1,
            "reset": False,
            "events": told(account, limit=3),
        }
        assert second["events"] == told(account, after=3)
        assert (third["events"], third["reset"]) == ([], False)

    def test_says_when_the_client_is_ahead_of_us(self, api):
        account = make_account("ada")
        push(account)

        answer = api(customer("ada")).get(self.url(account.pk), {"after": 9}).json()

        assert answer == {
            "account_id": str(account.pk),
            "seq": 1,
            "oldest": 1,
            "reset": True,
            "events": [],
        }

    @pytest.mark.parametrize(
        "query", [{"after": "-1"}, {"after": "x"}, {"limit": "0"}, {"limit": "1001"}]
    )
    def test_says_which_field_is_wrong(self, api, query):
        account = make_account("ada")

        answer = api(customer("ada")).get(self.url(account.pk), query)

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, list(query))

    def test_somebody_elses_account_does_not_exist(self, api):
        account = make_account("ada")
        push(account)

        for account_id in (account.pk, account.broker_account_id, new_id(), "x"):
            answer = api(customer("mallory")).get(self.url(account_id))
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_a_service_needs_the_scope(self, api):
        account = make_account("ada")
        push(account)

        good = api(service("accounts:read", "act_for")).get(self.url(account.pk))
        poor = api(service("portfolio:read", "act_for")).get(self.url(account.pk))

        assert (good.status_code, good.json()["seq"]) == (200, 1)
        assert poor.status_code == 403
