"""Applications that arrive together lead to one account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection

from accounts import services
from accounts.models import BrokerageAccount
from accounts.tests.factories import application, customer
from core.auth import SYSTEM, acting_as
from core.errors import CleraError

THREADS = 8

pytestmark = pytest.mark.django_db(transaction=True)


def together(act):
    """Run `act(number)` in all threads at once and return what came of each."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(timeout=10)
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
