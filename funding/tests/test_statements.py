"""How often one transfer asks the database, all transactions counted: it must not creep up."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import customer, make_account
from funding.tests.factories import make_bank
from ledger.tests.factories import open_ledger

# Outside a transaction of the test's own, so that each of ours really begins and ends.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def statements_of(api, funds):
    """Ask for a transfer over HTTP, and list what the database was asked."""
    bank = make_bank(make_account("ada"))
    open_ledger(bank.account, "100.00")
    client = api(customer("ada"))

    def statements_of(direction, amount):
        body = {
            "accountId": bank.account.broker_account_id,
            "relationshipId": bank.broker_relationship_id,
            "amount": amount,
            "direction": direction,
        }
        key = {"Idempotency-Key": str(uuid4())}
        with CaptureQueriesContext(connection) as asked:
            answer = client.post("/initiate-ach-transfer", body, format="json", headers=key)
        assert answer.status_code == 201, answer.content
        return [query["sql"] for query in asked.captured_queries]

    statements_of("INCOMING", "1.00")  # the first one of a process may load what stays
    return statements_of


@pytest.mark.parametrize(("direction", "most"), [("INCOMING", 35), ("OUTGOING", 37)])
def test_a_transfer_takes_few(statements_of, direction, most):
    assert len(statements_of(direction, "2.00")) <= most


def test_the_past_of_the_bank_is_read_once_to_record_and_once_to_send(statements_of):
    asked = statements_of("INCOMING", "2.00")

    for table in ("funding_bankremoval", "funding_transferreturn"):
        assert len([sql for sql in asked if f'"{table}"' in sql]) == 2
    assert not [sql for sql in asked if "SAVEPOINT" in sql]
