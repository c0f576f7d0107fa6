"""Requests for orders that meet at one account, one key or one lock, over HTTP and in threads."""

import itertools
import threading
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db import connection

from accounts import services as account_services
from core.auth import SYSTEM, acting_as
from core.idempotency import IdempotencyRow
from core.tests.locks import wait_until_somebody_waits
from trading import approvals, services
from trading.tests import factories
from trading.tests.conftest import client_of
from trading.tests.factories import customer, orders_of
from trading.tests.proposing import propose
from trading.tests.stopping import now
from trading.tests.test_concurrency import all_at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_hurry"),
]


@pytest.fixture
def other(account):
    """The account that the same customer opened after `account` was closed."""
    account.vendor_status = "ACCOUNT_CLOSED"
    with acting_as(SYSTEM):
        account.save(update_fields=["vendor_status"])
    other = factories.new_account(account.user_id)
    factories.fund(other)
    return other


@pytest.fixture
def rival(broker, account):
    """Somebody whose requests run in a thread of their own."""
    threads = []

    def start(act):
        found = []

        def run():
            try:
                found.append(act())
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)
        return lambda: (thread.join(60), found[0])[1]

    yield start
    for thread in threads:
        thread.join(60)


@contextmanager
def locked(account):
    with acting_as(SYSTEM):
        account_services.lock_account(account_id=account.pk)
        yield


def post(account_id, *, key=None, dollars="25.00", user_id="alice-sub", **more):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"account_id": str(account_id), "ticker": "AAPL", "side": "BUY"}
    body |= {"notional_amount": dollars, **more}
    return client_of(customer(user_id)).post("/api/trade", body, format="json", headers=headers)


def codes(answers):
    return {a.json()["code"] for a in answers if a.status_code != 201}


class TestOneKey:
    def test_with_many_bodies_is_one_order(self, broker, account):
        key, dollars = str(uuid4()), itertools.count(10)

        answers = all_at_once(lambda: post(account.pk, key=key, dollars=f"{next(dollars)}.00"), 50)

        assert [a.status_code for a in answers].count(201) == 1
        assert codes(answers) == {"idempotency_key_reused"}
        assert len(orders_of(account)) == len(broker.submitted) == 1

    def test_for_two_accounts_is_one_order(self, broker, account, other):
        key, turns = str(uuid4()), itertools.cycle([account.pk, other.pk])

        answers = all_at_once(lambda: post(next(turns), key=key), 50)

        decided = {a.content for a in answers if a.status_code == 201 or "rule" in a.json()}
        assert len(decided) == 1
        assert codes(answers) <= {"idempotency_key_reused", "in_progress", "risk_refused"}
        assert "idempotency_key_reused" in codes(answers)
        assert len(orders_of(account) + orders_of(other)) == 1

    def test_naming_the_account_in_every_way_is_one_order(self, broker, account):
        key, theirs = str(uuid4()), account.broker_account_id
        names = itertools.cycle([account.pk, theirs, str(account.pk).upper(), theirs.upper()])

        answers = all_at_once(lambda: post(next(names), key=key), 50)

        assert len({a.content for a in answers if a.status_code == 201}) == 1
        assert codes(answers) <= {"in_progress"}
        assert len(orders_of(account)) == len(broker.submitted) == 1

    def test_of_a_refused_order_is_refused_the_same(self, broker, account):
        key = str(uuid4())

        answers = all_at_once(lambda: post(account.pk, key=key, dollars="4000.00"), 25)

        assert len({a.content for a in answers if a.status_code == 422}) == 1
        assert codes(answers) <= {"risk_refused", "in_progress"}
        assert ([order.is_refused for order in orders_of(account)], broker.submitted) == (
            [True],
            [],
        )


class TestTheSameContent:
    def test_naming_the_account_in_both_ways_is_one_order(self, broker, account):
        names = itertools.cycle([account.pk, account.broker_account_id])

        answers = all_at_once(lambda: post(next(names)), 50)

        assert sorted(a.status_code for a in answers) == [201] + [409] * 49
        assert codes(answers) == {"possible_duplicate"}
        assert len(orders_of(account)) == len(broker.submitted) == 1

    def test_under_keys_of_their_own_is_one_order(self, broker, account):
        answers = all_at_once(lambda: post(account.pk, key=str(uuid4())), 50)

        assert sorted(a.status_code for a in answers) == [201] + [409] * 49
        with acting_as(SYSTEM):
            assert IdempotencyRow.objects.count() == 1

    def test_that_is_meant_is_an_order_each_time(self, broker, account):
        answers = all_at_once(lambda: post(account.pk, dollars="1.00", allow_duplicate=True), 25)

        assert [a.status_code for a in answers] == [201] * 25
        assert len(orders_of(account)) == len(broker.submitted) == 25


class TestWhileTheAccountIsLocked:
    def test_a_replay_waits_and_is_the_first_answer(self, broker, account, rival):
        key = str(uuid4())
        first = post(account.pk, key=key)
        with locked(account):
            again = rival(lambda: post(account.pk, key=key))
            wait_until_somebody_waits()

        assert (again().content, again().headers["Idempotent-Replayed"]) == (first.content, "true")
        assert len(broker.submitted) == 1

    def test_two_with_one_key_and_two_bodies_are_one_order(self, broker, account, rival):
        key = str(uuid4())
        with locked(account):
            results = [rival(lambda d=d: post(account.pk, key=key, dollars=d)) for d in ("5", "6")]
            wait_until_somebody_waits()

        assert sorted(result().status_code for result in results) == [201, 422]
        assert len(broker.submitted) == 1

    def test_a_stranger_is_told_nothing_and_does_not_wait(self, broker, account, rival):
        names = [
            account.pk,
            account.broker_account_id,
            f"{{{account.pk}}}",
            f"urn:uuid:{account.pk}",
        ]
        with locked(account):
            answers = [rival(lambda n=n: post(n, user_id="bob-sub"))() for n in [*names, uuid4()]]
            assert {a.status_code for a in answers} == {404}
            assert {a.json()["detail"] for a in answers} == {answers[-1].json()["detail"]}

        with acting_as(SYSTEM):
            assert not IdempotencyRow.objects.exists()

    def test_a_freeze_that_comes_meanwhile_is_obeyed(self, broker, account, rival):
        with locked(account):
            answer = rival(lambda: post(account.pk))
            wait_until_somebody_waits()
            account.frozen_at = now()
            account.save(update_fields=["frozen_at"])

        assert (answer().status_code, answer().json()["rule"]) == (422, "account_frozen")
        assert broker.submitted == []


class TestLocks:
    """Whoever places, changes, approves and cancels takes them in one order: none is a deadlock."""

    @pytest.fixture
    def turns(self, broker, account):
        key = str(uuid4())

        def change():
            for order in orders_of(account)[-2:]:
                path = f"/api/account/{account.pk}/orders/{order.pk}"
                headers = {"Idempotency-Key": key}
                client_of(customer()).patch(path, {"limit_price": "89"}, "json", headers=headers)

        def approve():
            proposal = propose(str(uuid4()))
            approvals.approve(
                principal=customer(), proposal_id=proposal.pk, shown_hash=proposal.hash, at=now()
            )

        resting = {"units": "1", "limit_price": "90.00", "order_type": "LIMIT"}
        return itertools.cycle(
            [
                lambda: post(account.pk, key=key, dollars="2.00"),
                lambda: post(account.pk, dollars=None, allow_duplicate=True, **resting),
                change,
                approve,
                lambda: services.cancel_all(principal=customer(), account_id=account.pk, at=now()),
            ]
        )

    def test_hold_through_all_of_them_together(self, account, turns):
        all_at_once(lambda: next(turns)(), 75)  # noqa: PLW0108 - each takes the next

        dollars = [order.notional for order in orders_of(account)]
        assert dollars.count(2) == 1
