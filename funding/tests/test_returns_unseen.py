"""A transfer that came back before we saw it arrive: only the broker's books know if it had."""

from decimal import Decimal

import pytest

from accounts.tests.factories import now
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from core.tests.parcels import pass_time
from funding.services import returns, transfer_upkeep
from funding.tests.factories import make_bank
from funding.tests.moving import (
    account_of,
    case_of,
    kinds,
    move,
    refresh,
    row,
    sent_back,
    tell,
    told,
)
from ledger.tests import invariants
from ledger.tests.factories import entries_of, movement, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(funds):
    yield make_bank()
    invariants.check()


class TestWhatNeverArrived:
    def test_is_a_case_and_a_message_and_nothing_else(self, funds, bank):
        transfer = move(bank)

        sent_back(funds, transfer)
        refresh()

        case = case_of(transfer)
        assert (case.was_complete, case.has_restricted, case.code) == (False, False, "R10")
        assert account_of(bank).is_tradable
        assert kinds(bank) == []
        [news] = told(bank, returns.RETURNED)
        assert news["is_restricted"] is False

    def test_had_arrived_after_all_when_the_brokers_books_say_so(self, funds, bank):
        transfer = move(bank, "77.00")
        sent_back(funds, transfer)
        assert case_of(transfer).was_complete is False
        post(movement(bank.account, "DEPOSIT", "77.00"))
        post(movement(bank.account, "DEPOSIT_RETURN", "-77.00"))

        refresh()

        assert kinds(bank) == [("DEPOSIT", Decimal(77)), ("DEPOSIT_RETURN", Decimal(-77))]
        assert (case_of(transfer).was_complete, account_of(bank).is_frozen) == (True, True)
        with acting_as(SYSTEM):
            witnesses = [
                {witness.kind for witness in entry.witnesses.all()}
                for entry in entries_of(bank.account)
            ]
        assert witnesses == [{"ACTIVITY", "TRANSFER"}] * 2

    def test_the_arrival_of_a_twin_on_its_way_is_not_taken_for_its_own(self, funds, bank):
        transfer = move(bank, "77.00")
        twin = move(bank, "77.00")
        post(movement(bank.account, "DEPOSIT", "77.00"))

        sent_back(funds, transfer)
        tell(twin, "COMPLETE", after=3)

        assert kinds(bank) == [("DEPOSIT", Decimal(77))]
        assert case_of(transfer).was_complete is False
        assert account_of(bank).is_tradable

    def test_nor_is_that_of_a_twin_of_which_nobody_knows_yet(self, funds, bank):
        transfer = move(bank, "77.00")
        funds.fails_after = VendorUnclear("fake", "no answer")
        lost = move(bank, "77.00")
        post(movement(bank.account, "DEPOSIT", "77.00"))

        sent_back(funds, transfer)
        transfer_upkeep.sweep_transfers(at=now())
        tell(row(lost), "COMPLETE", after=3)
        pass_time(86400)
        refresh()

        assert kinds(bank) == [("DEPOSIT", Decimal(77))]
        assert case_of(transfer).was_complete is False
        assert account_of(bank).is_tradable

    def test_is_looked_at_again_soon_as_long_as_the_books_may_yet_tell(self, funds, bank):
        transfer = move(bank, "77.00")
        twin = move(bank, "77.00")
        post(movement(bank.account, "DEPOSIT", "77.00"))
        post(movement(bank.account, "DEPOSIT_RETURN", "-77.00"))
        sent_back(funds, transfer)
        refresh()
        assert case_of(transfer).was_complete is False

        funds.settle(twin.broker_transfer_id, "CANCELED")
        tell(twin, "CANCELED", after=3)
        pass_time(31)
        refresh()

        assert (case_of(transfer).was_complete, account_of(bank).is_frozen) == (True, True)
