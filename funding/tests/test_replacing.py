"""A bank is replaced by another one at a broker that loses answers."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from accounts import services as account_services
from accounts.tests.factories import application, customer
from core.auth import SYSTEM, acting_as
from funding import selectors
from funding.gateways import get_funds
from funding.models import AchRelationship, BankRemoval
from funding.services import bank_upkeep, relationships, removals
from funding.tests.factories import BANK

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = replace(BANK, number="987654321", account_type="SAVINGS", nickname="")
# How the answer to a removal may get lost, and whether the broker has removed the bank.
ENDINGS = (
    {"kind": "hang", "accepted": False},
    {"kind": "reset", "accepted": True},
    {"kind": "status", "status": 504, "accepted": True},
    {"kind": "status", "status": 500, "accepted": False},
)


@pytest.fixture(autouse=True)
def _looks_at_once(settings):
    settings.INTENT_LOOK_SECONDS = 0


@pytest.fixture
def owner(sandbox):
    ada = customer()
    account = account_services.open_account(
        principal=ada, application=application(), request=None, at=now()
    )
    sandbox.advance(5)
    account_services.refresh_account(principal=ada, account_id=account.pk)
    return ada, account


def now():
    return datetime.now(UTC)


def link(owner, bank):
    ada, account = owner
    return relationships.link_bank(
        principal=ada, account_id=account.pk, bank=bank, request=None, at=now()
    )


def remove(owner, bank):
    ada, account = owner
    return removals.remove_bank(
        principal=ada, account_id=account.pk, relationship_id=bank.pk, at=now()
    )


def reread(row):
    with acting_as(SYSTEM):
        return type(row).objects.get(pk=row.pk)


def approve(sandbox):
    sandbox.advance(10)
    with acting_as(SYSTEM):
        AchRelationship.objects.update(due_at=now())
    bank_upkeep.refresh_relationships(at=now())


def active_at_broker(owner):
    _, account = owner
    return [bank.status for bank in get_funds().list_banks(account.broker_account_id)]


def test_the_old_bank_goes_and_the_new_one_works(sandbox, owner):
    old = link(owner, BANK)
    approve(sandbox)
    assert reread(old).is_usable is True

    assert remove(owner, old).is_certain is True
    new = link(owner, OTHER)
    approve(sandbox)

    assert (reread(old).vendor_status, reread(new).is_usable) == ("CANCELED", True)
    assert active_at_broker(owner) == ["APPROVED"]
    assert len(sandbox.effects("ach_relationship.deleted")) == 1
    listed = selectors.list_relationships(principal=owner[0], account_id=owner[1].pk)
    assert [(bank.number_last4, bank.shown_status) for bank in listed] == [
        ("4321", "APPROVED"),
        ("6789", "CANCELED"),
    ]


@pytest.mark.parametrize("ending", ENDINGS, ids=str)
def test_a_lost_answer_still_removes_it_once(sandbox, owner, ending):
    old = link(owner, BANK)
    approve(sandbox)
    sandbox.fault(vendor="alpaca_broker", method="DELETE", path="/ach_relationships", **ending)
    assert remove(owner, old).is_certain is False

    sandbox.hangs_no_more()
    for _ in range(4):
        removals.sweep_removals(at=now())

    assert reread(old).vendor_status == "CANCELED"
    assert len(sandbox.effects("ach_relationship.deleted")) == 1
    with acting_as(SYSTEM):
        assert BankRemoval.objects.get().state == "ACCEPTED"
    assert link(owner, OTHER).is_accepted is True
