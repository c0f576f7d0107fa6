"""Transfers that meet at one account, one key or one bank: money moves once, where it may."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts import services as account_services
from accounts.tests.factories import customer, make_account, now
from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable, VendorUnclear
from core.ids import new_id
from core.tests.locks import wait_until_somebody_waits
from core.tests.parcels import pass_time
from funding.models import BankRemoval, Transfer, TransferReturn
from funding.services import transfer_upkeep, transfers
from funding.tests.factories import make_bank, make_transfer
from funding.tests.moving import row
from ledger import selectors as ledger
from ledger.tests.factories import open_ledger

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 12
AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")


@pytest.fixture
def bank(funds):
    bank = make_bank(make_account("ada"))
    open_ledger(bank.account, "100.00")
    return bank


def post(bank, *, key=None, amount="25.00", direction="INCOMING", by="ada", account=None):
    client = APIClient()
    client.force_authenticate(user=customer(by))
    body = {
        "accountId": str(account or bank.account_id),
        "relationshipId": str(bank.pk),
        "amount": amount,
        "direction": direction,
    }
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/initiate-ach-transfer", body, format="json", headers=headers)


def together(act, count=THREADS):
    barrier = threading.Barrier(count)

    def run(_):
        barrier.wait(timeout=60)
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def codes(answers):
    return {a.json()["code"] for a in answers if a.status_code != 201}


def rows():
    with acting_as(SYSTEM):
        return list(Transfer.objects.order_by("id"))


class TestOneKey:
    def test_with_many_amounts_moves_money_once(self, funds, bank):
        key, dollars = str(uuid4()), itertools.count(10)

        answers = together(lambda: post(bank, key=key, amount=f"{next(dollars)}.00"))

        assert [a.status_code for a in answers].count(201) == 1
        assert codes(answers) == {"idempotency_key_reused"}
        assert len(rows()) == len(funds.payments) == 1

    def test_naming_account_and_bank_in_either_way_moves_money_once(self, funds, bank):
        key = str(uuid4())
        ours, theirs = bank.account_id, bank.account.broker_account_id
        names = itertools.cycle([ours, theirs, str(ours).upper(), theirs.upper()])

        answers = together(lambda: post(bank, key=key, account=next(names)))

        assert len({a.content for a in answers if a.status_code == 201}) == 1
        assert codes(answers) <= {"in_progress"}
        assert len(rows()) == len(funds.payments) == 1

    def test_both_ways_is_one_transfer(self, funds, bank):
        key, ways = str(uuid4()), itertools.cycle(["INCOMING", "OUTGOING"])

        answers = together(lambda: post(bank, key=key, direction=next(ways)))

        assert len({a.content for a in answers if a.status_code == 201}) == 1
        assert codes(answers) <= {"idempotency_key_reused", "in_progress"}
        assert len(rows()) == len(funds.payments) == 1


class TestTheSameContent:
    def test_moves_money_once(self, funds, bank):
        keys = itertools.cycle([None, "key-1", "key-2"])

        answers = together(lambda: post(bank, key=next(keys)))

        assert [a.status_code for a in answers].count(201) >= 1
        assert codes(answers) <= {"possible_duplicate", "in_progress"}
        assert len({a.content for a in answers if a.status_code == 201}) == 1
        assert len(rows()) == len(funds.payments) == 1


class TestWithdrawals:
    def test_that_are_more_than_there_is_do_not_all_pass(self, funds, bank):
        dollars = itertools.count(40)

        answers = together(lambda: post(bank, direction="OUTGOING", amount=f"{next(dollars)}.00"))

        sent = [each for each in rows() if each.state == "ACCEPTED"]
        assert 1 <= len(sent) <= 2
        assert len([a for a in answers if a.status_code == 201]) == len(sent)
        with acting_as(SYSTEM):
            cash = ledger.cash_of(account_id=bank.account_id)
        assert cash.available == 100 - sum(each.amount for each in sent)
        assert cash.held == sum(each.amount for each in sent)


class TestWhileTheAccountIsLocked:
    @contextmanager
    def locked(self, bank):
        with acting_as(SYSTEM):
            account_services.lock_account(account_id=bank.account_id)
            yield

    @pytest.fixture
    def beside(self):
        def run(act):
            try:
                return act()
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            yield lambda act: pool.submit(run, act)

    def test_a_replay_is_the_first_answer(self, funds, bank, beside):
        first = post(bank, key="key-1")
        with self.locked(bank):
            again = beside(lambda: post(bank, key="key-1"))
            wait_until_somebody_waits()

        assert again.result(60).content == first.content
        assert len(funds.payments) == 1

    def test_a_stranger_does_not_wait_and_is_told_nothing(self, funds, bank, beside):
        names = [bank.account_id, bank.account.broker_account_id, new_id()]
        with self.locked(bank):
            answers = [
                beside(lambda n=n: post(bank, by="mallory", account=n)).result(60) for n in names
            ]

        assert {a.status_code for a in answers} == {404}
        assert len({a.json()["detail"] for a in answers}) == 1

    def test_a_bank_that_begins_to_go_meanwhile_moves_nothing(self, funds, bank, beside):
        with self.locked(bank):
            answer = beside(lambda: post(bank))
            wait_until_somebody_waits()
            bank.note_status("CANCELED", at=None)

        assert answer.result(60).json()["code"] == "relationship_not_approved"
        assert (rows(), funds.payments) == ([], [])


class TestBetweenRecordingAndSending:
    """It was recorded, the broker could not be reached, and then something has happened."""

    @pytest.fixture
    def earlier(self, bank):
        return make_transfer(bank)

    @pytest.fixture(params=["INCOMING", "OUTGOING"])
    def waiting(self, request, funds, bank, earlier):
        funds.fails_before = AWAY
        transfer = transfers.move_money(
            principal=customer("ada"),
            account_id=bank.account_id,
            relationship_id=bank.pk,
            amount=Decimal(30),
            direction=request.param,
            request=None,
            at=now(),
        )
        assert transfer.state == "PENDING"
        return transfer

    def sweep(self):
        pass_time(30)
        transfer_upkeep.sweep_transfers(at=now())

    def given_up(self, waiting, bank):
        self.sweep()
        assert row(waiting).state == "PENDING"
        pass_time(301)
        transfer_upkeep.sweep_transfers(at=now())
        with acting_as(SYSTEM):
            cash = ledger.cash_of(account_id=bank.account_id)
        return (row(waiting).state, row(waiting).reason_code, cash.held)

    def test_it_is_sent_when_nothing_has(self, waiting, funds):
        self.sweep()

        assert (row(waiting).state, len(funds.transfers)) == ("ACCEPTED", 1)

    def test_a_bank_that_is_being_removed_gets_nothing(self, waiting, funds, bank):
        with acting_as(SYSTEM):
            BankRemoval.ask(bank)

        assert self.given_up(waiting, bank) == ("CANCELED", "not_sent", 0)
        assert funds.transfers == []

    def test_a_bank_that_has_sent_money_back_for_good_gets_nothing(
        self, waiting, earlier, funds, bank
    ):
        with acting_as(SYSTEM):
            TransferReturn.objects.create(
                user_id=bank.user_id,
                account_id=bank.account_id,
                transfer=earlier,
                code="R02",
                was_complete=True,
            )

        assert self.given_up(waiting, bank) == ("CANCELED", "not_sent", 0)
        assert funds.transfers == []

    def test_an_account_that_was_frozen_moves_nothing(self, waiting, funds, bank):
        bank.account.frozen_at = now()
        with acting_as(SYSTEM):
            bank.account.save(update_fields=["frozen_at"])

        assert self.given_up(waiting, bank) == ("CANCELED", "not_sent", 0)
        assert funds.transfers == []


class TestALostAnswer:
    def test_is_found_although_the_bank_has_gone_since(self, funds, bank, settings):
        settings.INTENT_LOOK_SECONDS = 0
        make_transfer(bank, amount="7.00")
        funds.fails_after = UNCLEAR
        assert post(bank).status_code == 202
        with acting_as(SYSTEM):
            bank.note_status("CANCELED", at=None)

        pass_time(30)
        transfer_upkeep.sweep_transfers(at=now())

        assert (rows()[-1].state, len(funds.payments)) == ("ACCEPTED", 1)
