"""What the database itself keeps from others."""

from decimal import Decimal

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.tests.factories import customer
from core.auth import acting_as
from core.ids import new_id
from funding.models import AchRelationship, Transfer
from funding.tests.factories import make_bank

pytestmark = pytest.mark.django_db


def as_agent(sql, *values):
    """Run a statement with the role that the agents' worker has."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE clera_agents")
        cursor.execute(sql, values)


def test_customers_see_their_own_rows_only():
    bank = make_bank()

    with acting_as(customer(bank.user_id)):
        assert AchRelationship.objects.count() == 1
    with acting_as(customer()):
        assert AchRelationship.objects.count() == 0


def test_outside_of_acting_as_nothing_is_seen():
    make_bank()

    assert AchRelationship.objects.count() == 0


def test_a_customer_cannot_write_a_row_for_somebody_else():
    bank = make_bank()

    with (
        acting_as(customer()),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        Transfer.ask(pk=new_id(), relationship=bank, direction="INCOMING", amount=Decimal(1))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM funding_achrelationship",
        "INSERT INTO funding_transfer (id, amount) VALUES (gen_random_uuid(), 1)",
        "UPDATE funding_transfer SET amount = 1",
        "DELETE FROM funding_transfer",
        "INSERT INTO accounts_brokerageaccount (id) VALUES (gen_random_uuid())",
        "UPDATE accounts_brokerageaccount SET vendor_status = 'ACTIVE'",
    ],
)
def test_an_agent_moves_no_money_and_sees_no_bank(sql):
    with pytest.raises(ProgrammingError, match="permission denied"):
        as_agent(sql)
