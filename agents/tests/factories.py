"""Customers for tests of the agents: with an account that trades and some cash to spend."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps

from accounts.tests.factories import make_account
from core.auth import SYSTEM, Kind, Principal, acting_as
from trading.tests.factories import fund


@dataclass(frozen=True)
class Customer:
    """A customer who can trade."""

    principal: Principal
    account_id: UUID


def make_customer(*, cash: str = "10000.00") -> Customer:
    """Write a customer with an active account into the database."""
    account = make_account()
    fund(account, cash=cash)
    return Customer(Principal(kind=Kind.CUSTOMER, user_id=account.user_id), account.pk)


def table(label: str) -> Any:
    """Find another app's model without an import, which a contract forbids."""
    return apps.get_model(label)


def count(label: str, **conditions: Any) -> int:
    """Count the rows of a table, whoever they belong to."""
    with acting_as(SYSTEM):
        found: int = table(label).objects.filter(**conditions).count()
    return found
