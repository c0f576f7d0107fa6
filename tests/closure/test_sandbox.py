"""The whole way with the pretend broker over HTTP, through the clients of production."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import services as account_services
from accounts.tests.factories import application, customer
from closure.models import Closure
from closure.services import starting, steering
from closure.states import ClosureState, Step
from core.auth import SYSTEM, acting_as
from core.clock import Now
from funding.models import Transfer
from funding.services import bank_upkeep, relationships, transfer_upkeep
from funding.tests.factories import BANK
from market import services as market
from trading import selectors as trading_selectors
from trading import services as trading
from trading.tests.factories import buy

pytestmark = pytest.mark.django_db
ADA = customer("ada-who-leaves")
DAY = 24 * 3600


@pytest.fixture
def leaving(sandbox, settings):
    """An account with a bank, cash and some shares, made in the ordinary way."""
    settings.INTENT_LOOK_SECONDS = 0
    account = account_services.open_account(
        principal=ADA, application=application(), request=None, at=datetime.now(UTC)
    )
    sandbox.advance(5)
    account_services.refresh_account(principal=ADA, account_id=account.pk)
    market.refresh_calendar(at=datetime.now(UTC))
    seed = {"cash": "1000", "months": 1}
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/seed", seed)
    bank = relationships.link_bank(
        principal=ADA, account_id=account.pk, bank=BANK, request=None, at=datetime.now(UTC)
    )
    sandbox.advance(10)
    bank_upkeep.refresh_relationships(at=datetime.now(UTC))
    trading.place_order(
        principal=ADA,
        account_id=account.pk,
        ticket=buy(notional="100.00"),
        request=None,
        at=datetime.now(UTC),
    )
    sandbox.advance(5)
    trading.heal_accounts(at=datetime.now(UTC))
    return account, bank


def closure_of(account):
    with acting_as(SYSTEM):
        return Closure.objects.get(account_id=account.pk)


def go_on(sandbox, account, *, at, seconds=10):
    """Let the worker look, then let the broker do its part and be asked about it."""
    with acting_as(SYSTEM):
        Closure.objects.update(next_at=at)
    steering.run_due(at=at)
    sandbox.advance(seconds)
    trading.heal_accounts(at=datetime.now(UTC))
    with acting_as(SYSTEM):
        Transfer.objects.update(due_at=Now())
    transfer_upkeep.refresh_transfers(at=datetime.now(UTC))
    return closure_of(account)


def test_an_account_is_sold_paid_out_and_closed(leaving, sandbox, may_differ):
    account, bank = leaving
    now = datetime.now(UTC)
    starting.initiate(
        principal=ADA,
        account_id=account.pk,
        relationship_id=bank.pk,
        confirm_liquidation=True,
        confirm_irreversible=True,
        request=None,
        at=now,
    )
    for _ in range(6):
        closure = go_on(sandbox, account, at=datetime.now(UTC))
        if closure.step == Step.SETTLE:
            break
    assert (closure.step, closure.problem) == (Step.SETTLE, "")
    assert trading_selectors.list_positions(principal=ADA, account_id=account.pk) == []
    cash = trading_selectors.get_cash(principal=ADA, account_id=account.pk).cash

    # On the day after the settlement, in the morning.
    at = datetime.combine(closure.settles_on, now.timetz(), tzinfo=UTC).replace(hour=15)
    sandbox.advance((at - datetime.now(UTC)).total_seconds() + DAY)
    for _ in range(8):
        closure = go_on(sandbox, account, at=at)
        at += timedelta(minutes=2)
        if closure.state == ClosureState.DONE:
            break

    assert (closure.state, closure.problem) == (ClosureState.DONE, "")
    assert len(sandbox.effects("account.closed")) == 1
    with acting_as(SYSTEM):
        paid = Transfer.objects.get(account_id=account.pk)
    assert (paid.amount, paid.vendor_status) == (cash, "COMPLETE")
    assert cash > Decimal(900)
    refreshed = account_services.refresh_account(principal=ADA, account_id=account.pk)
    assert refreshed.vendor_status == "ACCOUNT_CLOSED"
