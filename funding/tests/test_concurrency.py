"""Requests that arrive together move money once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from accounts.tests.factories import customer, make_account
from core import idempotency
from core.errors import CleraError, VendorUnclear
from funding.services import relationships, transfer_upkeep, transfers
from funding.tests.factories import BANK, make_bank

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


def move(bank, *, key=None):
    request = key and idempotency.Request(
        principal="customer:ada", operation="funding.move_money", key=key, fingerprint="same"
    )
    transfer = transfers.move_money(
        principal=customer(bank.user_id),
        account_id=bank.account_id,
        relationship_id=bank.pk,
        amount=Decimal(25),
        direction="INCOMING",
        request=request,
        at=datetime.now(UTC),
    )
    return transfer.state


def test_one_key_moves_money_once(funds):
    bank = make_bank()

    outcomes = together(lambda _: move(bank, key="one"))

    assert sorted(outcomes) == ["ACCEPTED", *["in_progress"] * (THREADS - 1)]
    assert len(funds.payments) == 1


def test_while_one_is_undecided_no_other_is_sent(funds):
    bank = make_bank()
    funds.fails_after = VendorUnclear("fake", "no answer")
    assert move(bank) == "UNKNOWN"

    outcomes = together(lambda _: move(bank))

    assert outcomes == ["transfer_in_progress"] * THREADS
    assert len(funds.payments) == 1


def test_an_account_gets_one_bank(funds):
    account = make_account()

    def link(_):
        bank = relationships.link_bank(
            principal=customer(account.user_id),
            account_id=account.pk,
            bank=BANK,
            request=None,
            at=datetime.now(UTC),
        )
        return bank.state

    outcomes = together(link)

    assert sorted(outcomes) == ["ACCEPTED", *["relationship_exists"] * (THREADS - 1)]
    assert len(funds.bank_accounts) == 1


def test_sweeps_that_meet_record_a_found_transfer_once(funds, settings):
    settings.INTENT_LOOK_SECONDS = 0
    bank = make_bank()
    funds.fails_after = VendorUnclear("fake", "no answer")
    move(bank)

    together(lambda _: transfer_upkeep.sweep_transfers(at=datetime.now(UTC))["looked_up"])

    assert len(funds.payments) == 1
    assert move(bank) == "ACCEPTED"
    assert len(funds.payments) == 2
