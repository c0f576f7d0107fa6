"""What an account may move is limited, however many ask at once; cash is withdrawn only once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import connection

from accounts.tests.factories import customer, now
from core.auth import SYSTEM, acting_as
from core.errors import CleraError, VendorRejected, VendorUnavailable, VendorUnclear
from core.intents import sending
from core.tests.parcels import pass_time
from funding.models import Transfer, TransferLimit
from funding.services import limits, transfer_upkeep, transfers
from funding.services.limits import Facts, judge
from funding.tests.factories import make_bank
from funding.tests.moving import count_of, move, row, statuses, tell
from ledger.tests import invariants
from ledger.tests.factories import cash_of, entries_of, open_ledger

ROUNDS = 20


def facts(**changes):
    known = {"largest": Decimal(50), "daily_amount": Decimal(100), "daily_count": 3}
    return Facts(**{**known, **changes})


class TestJudge:
    @pytest.mark.parametrize(
        ("amount", "known"),
        [
            ("0.01", facts()),
            ("50", facts()),
            ("50", facts(used_amount=Decimal(50), used_count=2)),
            ("50", facts(available=Decimal(50))),
            ("10.01", facts(used_amount=Decimal("89.99"))),
        ],
    )
    def test_lets_pass_what_is_within_all_limits(self, amount, known):
        assert judge(Decimal(amount), known) is None

    @pytest.mark.parametrize(
        ("amount", "known", "code", "limit", "left"),
        [
            ("50.01", facts(), "transfer_limit", "50.00", "50.00"),
            ("0.01", facts(used_count=3), "transfer_limit", "3", "0"),
            ("10.02", facts(used_amount=Decimal("89.99")), "transfer_limit", "100.00", "10.01"),
            ("1", facts(used_amount=Decimal(130)), "transfer_limit", "100.00", "0.00"),
            ("20.01", facts(available=Decimal(20)), "insufficient_cash", "20.00", "20.00"),
            ("1", facts(available=Decimal("-3.20")), "insufficient_cash", "0.00", "0.00"),
        ],
    )
    def test_says_which_limit_is_in_the_way_and_what_is_left(
        self, amount, known, code, limit, left
    ):
        refusal = judge(Decimal(amount), known)

        assert refusal is not None
        error = refusal.to_error()
        assert (error.code, error.status) == (code, 422)
        assert error.extra == {"limit": limit, "left": left}
        assert list(error.field_errors) == ["amount"]
        assert limit in error.detail


@pytest.mark.django_db
class TestWhatCounts:
    @pytest.fixture(autouse=True)
    def _limits(self, settings):
        settings.TRANSFER_LARGEST = Decimal(500)
        settings.TRANSFER_DAILY_AMOUNT = Decimal(600)
        settings.TRANSFER_DAILY_COUNT = 3
        yield
        invariants.check()

    @pytest.fixture
    def bank(self, funds):
        return make_bank()

    def test_the_day_is_full_when_its_amount_is_used_up(self, funds, bank):
        move(bank, "400")
        with pytest.raises(limits.TransferLimitReached) as refused:
            move(bank, "200.01")

        assert refused.value.extra == {"limit": "600.00", "left": "200.00"}
        assert (count_of(bank), len(funds.payments)) == (1, 1)
        assert move(bank, "200").is_accepted

    def test_and_when_there_were_as_many_as_may_be(self, funds, bank):
        for _ in range(3):
            move(bank, "1")

        with pytest.raises(limits.TransferLimitReached):
            move(bank, "1")

        assert move(bank, "1", "OUTGOING").is_accepted

    def test_one_that_may_have_had_its_effect_counts(self, funds, bank):
        funds.fails_before = VendorUnclear("fake", "no answer")
        lost = move(bank, "500")

        with acting_as(SYSTEM):
            known = limits.facts_for(
                account_id=bank.account_id,
                direction="INCOMING",
                business_date=None,
                cash=None,
                at=now(),
            )

        assert row(lost).state == "UNKNOWN"
        assert (known.used_amount, known.used_count) == (Decimal(500), 1)

    @pytest.mark.parametrize("status", ["CANCELED", "REJECTED", "EXPIRED"])
    def test_one_that_the_broker_has_undone_does_not(self, funds, bank, status):
        tell(move(bank, "500"), status)

        assert move(bank, "500").is_accepted

    @pytest.mark.parametrize("status", ["COMPLETE", "RETURNED", "SENT_TO_CLEARING", "NEW_WORD"])
    def test_one_that_moved_money_does(self, funds, bank, status):
        tell(move(bank, "500"), status)

        with pytest.raises(CleraError) as refused:
            move(bank, "500")

        assert refused.value.code in {"transfer_limit", "account_frozen"}

    def test_a_refused_one_does_not(self, funds, bank):
        funds.fails_before = VendorRejected("fake", "no")
        with pytest.raises(transfers.TransferRefused):
            move(bank, "500")

        assert move(bank, "500").is_accepted

    def test_another_account_has_a_day_of_its_own(self, funds, bank):
        move(bank, "500")

        assert move(make_bank(), "500").is_accepted

    def test_yesterday_is_over(self, funds, bank):
        with acting_as(SYSTEM):
            earlier = move(bank, "500")
            Transfer.objects.filter(pk=earlier.pk).update(
                created_at=now() - timedelta(days=2), business_date=None
            )

        assert move(bank, "500").is_accepted

    def test_a_working_day_reaches_from_cut_off_to_cut_off(self, funds, bank):
        day = date(2031, 3, 3)
        with acting_as(SYSTEM):
            earlier = move(bank, "500")
            Transfer.objects.filter(pk=earlier.pk).update(
                created_at=now() - timedelta(days=3), business_date=day
            )

            used = [
                limits.facts_for(
                    account_id=bank.account_id,
                    direction="INCOMING",
                    business_date=asked,
                    cash=None,
                    at=now(),
                ).used_amount
                for asked in (day, day + timedelta(days=1))
            ]

        assert used == [Decimal(500), Decimal(0)]

    def test_staff_may_give_an_account_limits_of_its_own(self, funds, bank):
        with acting_as(SYSTEM):
            TransferLimit.objects.create(
                account_id=bank.account_id,
                user_id=bank.user_id,
                largest=Decimal(5000),
                daily_amount=Decimal(5000),
                note="A known customer.",
                set_by="staff:1",
            )

        assert move(bank, "4000").is_accepted
        with pytest.raises(limits.TransferLimitReached, match=r"5000\.00"):
            move(bank, "1000.01")
        with pytest.raises(limits.TransferLimitReached, match=r"500\.00"):
            move(make_bank(), "500.01")

    def test_a_refusal_is_answered_by_name(self, api, funds, bank):
        body = {
            "accountId": str(bank.account_id),
            "relationshipId": str(bank.pk),
            "amount": "500.01",
            "direction": "INCOMING",
        }

        answer = api(customer(bank.user_id)).post("/initiate-ach-transfer", body, format="json")

        assert answer.status_code == 422
        problem = answer.json()
        assert (problem["code"], problem["limit"], problem["left"]) == (
            "transfer_limit",
            "500.00",
            "500.00",
        )
        assert list(problem["field_errors"]) == ["amount"]
        assert (count_of(bank), funds.payments) == (0, [])


@pytest.mark.django_db
class TestCash:
    @pytest.fixture
    def bank(self, funds):
        bank = make_bank()
        open_ledger(bank.account, "300.00")
        yield bank
        invariants.check()

    def held(self, bank):
        cash = cash_of(bank.account)
        return cash.total, cash.held, cash.available

    def test_more_than_there_is_is_not_withdrawn(self, funds, bank):
        with pytest.raises(limits.InsufficientCash) as refused:
            move(bank, "300.01", "OUTGOING")

        assert refused.value.extra == {"limit": "300.00", "left": "300.00"}
        assert (count_of(bank), funds.payments) == (0, [])
        assert self.held(bank) == (Decimal(300), 0, Decimal(300))

    def test_a_withdrawal_holds_its_cash_until_it_is_booked(self, funds, bank):
        transfer = move(bank, "120.50", "OUTGOING")
        assert self.held(bank) == (Decimal(300), Decimal("120.50"), Decimal("179.50"))

        tell(transfer, "COMPLETE")
        tell(transfer, "COMPLETE")

        assert self.held(bank) == (Decimal("179.50"), 0, Decimal("179.50"))
        with pytest.raises(limits.InsufficientCash):
            move(bank, "179.51", "OUTGOING")

    @pytest.mark.parametrize("status", ["CANCELED", "REJECTED", "EXPIRED"])
    def test_one_that_the_broker_gives_up_frees_it(self, funds, bank, status):
        transfer = move(bank, "120.50", "OUTGOING")

        tell(transfer, status)
        tell(transfer, status)

        assert self.held(bank) == (Decimal(300), 0, Decimal(300))

    def test_so_does_one_that_the_broker_refuses(self, funds, bank):
        funds.fails_before = VendorRejected("fake", "no")

        with pytest.raises(transfers.TransferRefused):
            move(bank, "120.50", "OUTGOING")

        assert self.held(bank) == (Decimal(300), 0, Decimal(300))
        assert statuses(bank) == ["PENDING", "REJECTED"]

    def test_and_one_that_was_never_sent(self, funds, bank):
        funds.fails_before = VendorUnavailable("fake", "not connected")
        transfer = move(bank, "120.50", "OUTGOING")
        with acting_as(SYSTEM):
            bank.note_status("CANCELED", at=None)
        assert self.held(bank)[1] == Decimal("120.50")

        pass_time(301)
        transfer_upkeep.sweep_transfers(at=now())

        assert row(transfer).state == "CANCELED"
        assert self.held(bank) == (Decimal(300), 0, Decimal(300))

    def test_one_under_review_holds_it_until_staff_has_decided(self, funds, bank):
        funds.fails_before = VendorUnclear("fake", "no answer")
        transfer = move(bank, "120.50", "OUTGOING")
        for _ in range(3):
            transfer_upkeep.sweep_transfers(at=now())
            pass_time(11)
        assert (row(transfer).state, self.held(bank)[1]) == ("NEEDS_REVIEW", Decimal("120.50"))

        sending.dismiss(transfer.pk, through=transfers.TransferCourier(), at=now())

        assert self.held(bank) == (Decimal(300), 0, Decimal(300))

    def test_an_incomplete_ledger_neither_refuses_nor_holds(self, funds, bank):
        with acting_as(SYSTEM):
            apps.get_model("ledger.LedgerBook").objects.update(opened_at=None)

        assert move(bank, "1000", "OUTGOING").is_accepted
        assert [entry.kind for entry in entries_of(bank.account)] == ["DEPOSIT"]


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def race(self, bank, amounts, direction):
        """Ask for all at once, each until it is decided, and return the codes of those refused."""
        barrier = threading.Barrier(len(amounts))

        def ask(amount):
            barrier.wait(timeout=60)
            try:
                while True:
                    try:
                        return move(bank, amount, direction).state
                    except transfers.TransferInProgress:
                        continue  # the other one is on its way to the broker
            except CleraError as error:
                return error.code
            finally:
                connection.close()

        with ThreadPoolExecutor(len(amounts)) as pool:
            return sorted(pool.map(ask, amounts))

    def test_two_withdrawals_of_which_only_one_fits_are_never_both_sent(self, funds):
        for number in range(1, ROUNDS + 1):
            bank = make_bank()
            open_ledger(bank.account, "100.00")

            outcome = self.race(bank, ["60.00", "70.00"], "OUTGOING")

            assert outcome == ["ACCEPTED", "insufficient_cash"]
            assert len(funds.payments) == number
            assert cash_of(bank.account).held == funds.payments[-1].amount
        invariants.check()

    def test_two_deposits_that_pass_the_limit_together_are_never_both_sent(self, funds, settings):
        settings.TRANSFER_DAILY_AMOUNT = Decimal(100)
        for number in range(1, 11):
            bank = make_bank()

            outcome = self.race(bank, ["60.00", "70.00"], "INCOMING")

            assert outcome == ["ACCEPTED", "transfer_limit"]
            assert len(funds.payments) == number
