"""What arrives together has one outcome, and nobody waits for who waits for them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection

from accounts import services
from accounts.models import BrokerageAccount
from accounts.services.changes import ChangeCourier
from accounts.tests.factories import application, customer, make_account
from core.auth import SYSTEM, acting_as
from core.errors import CleraError, VendorUnavailable
from core.intents import sending
from core.tests.locks import wait_until_somebody_waits

THREADS = 8

pytestmark = pytest.mark.django_db(transaction=True)


def together(act):
    """Run `act(number)` in all threads at once and return what came of each."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(timeout=60)
        try:
            return act(number)
        except CleraError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def apply(principal, email):
    account = services.open_account(
        principal=principal, application=application(email), request=None, at=datetime.now(UTC)
    )
    return account.state


def test_one_address_opens_one_account_whoever_asks(broker):
    outcomes = together(lambda number: apply(customer(f"user-{number}"), "ada@example.com"))

    assert sorted(outcomes) == ["ACCEPTED", *["EMAIL_EXISTS"] * (THREADS - 1)]
    assert len(broker.applications) == 1


def test_one_customer_opens_one_account_whatever_the_address(broker):
    outcomes = together(lambda number: apply(customer("ada"), f"ada{number}@example.com"))

    assert sorted(outcomes) == ["ACCEPTED", *["account_exists"] * (THREADS - 1)]
    assert len(broker.applications) == 1
    with acting_as(SYSTEM):
        assert BrokerageAccount.objects.count() == 1


def change(account, city):
    return services.change_contact(
        principal=customer(account.user_id),
        account_id=account.pk,
        changes={"contact": {"city": city}},
        request=None,
        at=datetime.now(UTC),
    )


def in_another_thread(act):
    """Run it on a connection of its own, and return its future."""

    def run():
        try:
            return act()
        finally:
            connection.close()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    return future


class Pausing(ChangeCourier):
    """Does something else first, once the outcome is written and before the account is locked."""

    def __init__(self, meanwhile):
        super().__init__()
        self._meanwhile = meanwhile

    def settled(self, intent, *, before, at):
        self._meanwhile()
        super().settled(intent, before=before, at=at)


def test_a_change_that_comes_while_another_is_being_settled_waits_its_turn(broker):
    account = services.open_account(
        principal=customer("ada"), application=application(), request=None, at=datetime.now(UTC)
    )
    broker.fails_before = VendorUnavailable("fake", "not connected")
    waiting = change(account, "Oakland")
    following = []

    def ask_again():
        following.append(in_another_thread(lambda: change(account, "Berkeley")))
        wait_until_somebody_waits()

    made = sending.send_once(waiting.pk, through=Pausing(ask_again), at=datetime.now(UTC))

    assert made.state == "ACCEPTED"
    assert following[0].result(timeout=60).state == "ACCEPTED"
    with acting_as(SYSTEM):
        assert BrokerageAccount.objects.get().person().contact["city"] == "Berkeley"


def test_an_owner_can_be_told_something_while_the_account_is_locked():
    account = make_account("ada")

    def tell():
        with acting_as(SYSTEM):
            return services.push(account_id=account.pk, user_id="ada", kind="x.y", payload={})

    with acting_as(SYSTEM):
        services.lock_account(account_id=account.pk)
        assert in_another_thread(tell).result(timeout=60) == 1
