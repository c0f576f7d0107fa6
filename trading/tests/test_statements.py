"""How often one order asks the database, all transactions counted: it must not creep up."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger.tests.factories import open_ledger

# Outside a transaction of the test's own, so that each of ours really begins and ends.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def statements_of(alice, account):
    """Place an order over HTTP, and list what the database was asked."""
    open_ledger(account, "1000.00")

    def statements_of(expected=201, **body):
        body = {"account_id": str(account.pk), "ticker": "AAPL", "side": "BUY", **body}
        key = {"Idempotency-Key": str(uuid4())}
        with CaptureQueriesContext(connection) as asked:
            answer = alice.post("/api/trade", body, format="json", headers=key)
        assert answer.status_code == expected, answer.content
        return [query["sql"] for query in asked.captured_queries]

    statements_of(notional_amount="1.00")  # the first one of a process may load what stays
    return statements_of


def test_an_order_takes_twenty_five(statements_of):
    assert len(statements_of(notional_amount="2.00")) <= 25


def test_one_that_may_be_meant_twice_takes_no_more(statements_of):
    assert len(statements_of(notional_amount="1.00", allow_duplicate=True)) <= 25


def test_naming_the_account_as_the_broker_does_costs_a_look_up(statements_of, account):
    body = {"account_id": account.broker_account_id, "notional_amount": "2.00"}

    assert len(statements_of(**body)) <= 31


def test_a_refused_order_takes_no_lease(statements_of):
    asked = statements_of(422, notional_amount="5000.00")

    assert len(asked) <= 15
    assert not [sql for sql in asked if "SENDING" in sql and sql.startswith("UPDATE")]


def test_nothing_is_asked_for_twice_in_a_transaction(statements_of):
    asked = statements_of(notional_amount="2.00")

    begun = [number for number, sql in enumerate(asked) if sql == "BEGIN"]
    for begin, end in zip(begun, [*begun[1:], len(asked)], strict=True):
        mine = [sql for sql in asked[begin:end] if sql.startswith("SELECT")]
        assert len(mine) == len(set(mine))
        assert not [sql for sql in asked[begin:end] if "SAVEPOINT" in sql]
