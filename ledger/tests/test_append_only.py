import pytest
from django.db import DatabaseError, connection, transaction

from accounts.tests.factories import customer, make_account
from core.auth import SYSTEM, acting_as
from ledger.models import Entry
from ledger.tests.factories import movement, post

pytestmark = pytest.mark.django_db
CHANGES = {
    "amount": "UPDATE ledger_entry SET amount = amount + 1",
    "key": "UPDATE ledger_entry SET natural_key = 'other'",
    "entry": "DELETE FROM ledger_entry",
    "witness": "UPDATE ledger_witness SET external_id = 'other'",
    "no witness": "DELETE FROM ledger_witness",
}


@pytest.mark.parametrize("role", ["clera_app", "owner"])
@pytest.mark.parametrize("change", CHANGES)
def test_nobody_changes_what_was_booked(account, role, change):
    entry = post(movement(account, "DEPOSIT", "100.00"))

    with acting_as(SYSTEM), connection.cursor() as sql:
        if role == "owner":
            sql.execute("SET ROLE NONE")
        with pytest.raises(DatabaseError), transaction.atomic():
            sql.execute(CHANGES[change])
        sql.execute("SET ROLE clera_app")
        entry.refresh_from_db()
    assert (entry.amount, entry.natural_key) == (100, "")


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ("debit, credit, amount", "'AVAILABLE', 'AVAILABLE', 1"),
        ("debit, credit, amount", "'AVAILABLE', 'BANK', 0"),
        ("debit, credit, amount", "'AVAILABLE', 'BANK', -1"),
        ("debit, credit, amount", "'AVAILABLE', 'BANK', 'NaN'"),
        ("debit, credit, amount", "'AVAILABLE', 'POCKET', 1"),
    ],
)
def test_the_database_takes_only_balanced_entries(account, columns, values):
    statement = (
        "INSERT INTO ledger_entry (id, user_id, account_id, kind, natural_key, symbol,"
        f" occurred_at, {columns})"
        f" VALUES (gen_random_uuid(), %s, %s, 'DEPOSIT', '', '', now(), {values})"
    )

    refused = pytest.raises(DatabaseError)
    with acting_as(SYSTEM), connection.cursor() as sql, refused, transaction.atomic():
        sql.execute(statement, [account.user_id, account.pk])


def test_a_customer_sees_and_books_only_their_own(account):
    post(movement(account, "DEPOSIT", "100.00"))
    other = make_account()

    with acting_as(customer(other.user_id)):
        assert not Entry.objects.exists()
    with acting_as(customer(account.user_id)):
        assert Entry.objects.count() == 1
