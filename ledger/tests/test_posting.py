from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from accounts.tests.factories import make_account
from core.auth import SYSTEM, acting_as
from core.errors import NotFound
from core.ids import new_id
from core.money import NotAnAmount
from ledger import services
from ledger.models import Witness
from ledger.services import AlreadyReversed
from ledger.states import WitnessKind
from ledger.tests.factories import (
    NOW,
    cash_of,
    confirm,
    entries_of,
    hold,
    movement,
    post,
    release,
)

pytestmark = pytest.mark.django_db
ORDER = "61e69015-8549-4bfd-b9c3-01e75843f47d"


def key(cumulative="5"):
    return services.fill_key(ORDER, Decimal(cumulative))


def told_of(entry):
    with acting_as(SYSTEM):
        return entry.told_by()


def reverse(entry, *, told_by="ACTIVITY", external_id="gone-1"):
    with acting_as(SYSTEM):
        return services.reverse(
            entry_id=entry.pk, told_by=WitnessKind(told_by), external_id=external_id, at=NOW
        )


class TestPost:
    def test_writes_one_balanced_entry_with_its_witness(self, account):
        entry = post(movement(account, "DEPOSIT", "100.00", "TRANSFER"))

        assert (entry.debit, entry.credit, entry.amount) == ("AVAILABLE", "BANK", 100)
        assert entry.cash_effect == 100
        assert told_of(entry) == ["TRANSFER"]
        assert cash_of(account).total == Decimal("100.00")

    def test_the_same_words_again_change_nothing(self, account):
        deposit = movement(account, "DEPOSIT", "100.00")

        assert post(deposit) == post(deposit)
        assert len(entries_of(account)) == 1

    def test_two_kinds_of_witnesses_share_an_entry(self, account):
        first = post(movement(account, "DEPOSIT", "100.00", "TRANSFER"))

        assert post(movement(account, "DEPOSIT", "100.00", "ACTIVITY")) == first
        assert told_of(first) == ["ACTIVITY", "TRANSFER"]
        assert cash_of(account).total == 100

    def test_two_tellings_of_one_kind_are_two_movements(self, account):
        for _ in range(2):
            post(movement(account, "DEPOSIT", "100.00", "TRANSFER"))

        assert cash_of(account).total == 200

    def test_a_return_told_as_a_withdrawal_is_the_same_movement(self, account):
        returned = post(movement(account, "DEPOSIT_RETURN", "-100.00", "TRANSFER"))

        assert post(movement(account, "WITHDRAWAL", "-100.00", "ACTIVITY")) == returned

    @pytest.mark.parametrize(
        ("cash", "days"), [("100.01", 0), ("-100.00", 0), ("100.00", 7.5), ("100.00", -7.5)]
    )
    def test_another_amount_way_or_week_is_another_movement(self, account, cash, days):
        post(movement(account, "DEPOSIT", "100.00", "TRANSFER"))
        at = NOW + timedelta(days=days)
        post(movement(account, "DEPOSIT", cash, "ACTIVITY", occurred_at=at))

        assert len(entries_of(account)) == 2

    def test_of_two_like_it_the_nearest_is_meant(self, account):
        at = [NOW - timedelta(days=3), NOW]
        far, near = (
            post(movement(account, "DEPOSIT", "5.00", "TRANSFER", occurred_at=moment))
            for moment in at
        )
        seen = NOW - timedelta(hours=1)

        assert post(movement(account, "DEPOSIT", "5.00", occurred_at=seen)) == near
        assert post(movement(account, "DEPOSIT", "5.00", occurred_at=seen)) == far

    def test_of_two_like_it_one_of_its_own_kind_is_meant(self, account):
        other = post(movement(account, "WITHDRAWAL_RETURN", "5.00", "TRANSFER"))
        at = NOW - timedelta(days=3)
        own = post(movement(account, "DEPOSIT", "5.00", "TRANSFER", occurred_at=at))

        assert post(movement(account, "DEPOSIT", "5.00")) == own
        assert post(movement(account, "DEPOSIT", "5.00")) == other

    @pytest.mark.parametrize("year", [1, 9999])
    def test_a_time_at_the_end_of_all_times_is_one(self, account, year):
        at = NOW.replace(year=year, month=1 if year == 1 else 12, day=1 if year == 1 else 31)

        assert post(movement(account, "DEPOSIT", "5.00", occurred_at=at)).occurred_at == at

    def test_a_name_that_was_told_of_another_account_moves_nothing(self, account):
        told = movement(account, "DEPOSIT", "100.00")
        post(told)
        other = make_account()

        with capture_logs() as logs:
            assert post(replace(told, account_id=other.pk)) is None
        assert (entries_of(other), cash_of(account).total) == ([], 100)
        assert logs[0]["event"] == "ledger.told_of_another_account"

    def test_another_account_is_another_movement(self, account):
        post(movement(account, "DEPOSIT", "100.00", "TRANSFER"))
        other = make_account()
        post(movement(other, "DEPOSIT", "100.00", "ACTIVITY"))

        assert (len(entries_of(account)), len(entries_of(other))) == (1, 1)

    @pytest.mark.parametrize(
        ("cash", "amount"),
        [("-1.005", "1.00"), ("1.015", "1.02"), ("-0.005000001", "0.01"), ("0.999", "1.00")],
    )
    def test_rounds_half_to_even_once(self, account, cash, amount):
        assert post(movement(account, "SALE", cash)).amount == Decimal(amount)

    def test_less_than_half_a_cent_is_no_movement(self, account):
        assert post(movement(account, "PURCHASE", "-0.005")) is None
        assert entries_of(account) == []

    def test_of_no_account_says_so(self, account):
        nobody = movement(type("Nobody", (), {"pk": new_id()}), "DEPOSIT", "1.00")

        with pytest.raises(NotFound):
            post(nobody)


class TestConfirm:
    def test_adds_a_witness_to_what_others_have_told(self, account):
        entry = post(movement(account, "WITHDRAWAL", "-50.00"))

        assert confirm(movement(account, "WITHDRAWAL", "-50.00", "TRANSFER")) == entry
        assert told_of(entry) == ["ACTIVITY", "TRANSFER"]

    def test_never_writes_an_entry(self, account):
        assert confirm(movement(account, "DEPOSIT", "100.00", "TRANSFER")) is None
        assert entries_of(account) == []

    def test_repeating_it_changes_nothing(self, account):
        post(movement(account, "DEPOSIT", "1.00"))
        post(movement(account, "DEPOSIT", "1.00"))
        told = movement(account, "DEPOSIT", "1.00", "TRANSFER")

        assert confirm(told) == confirm(told)
        with acting_as(SYSTEM):
            assert Witness.objects.count() == 3


class TestReverse:
    def test_moves_the_same_cash_back(self, account):
        entry = post(movement(account, "FEE", "-3.00"))
        back = reverse(entry)

        assert (back.debit, back.credit, back.amount) == (entry.credit, entry.debit, 3)
        assert cash_of(account).total == 0

    def test_repeating_it_changes_nothing(self, account):
        entry = post(movement(account, "FEE", "-3.00"))

        assert reverse(entry) == reverse(entry)

    def test_another_kind_of_witness_agrees(self, account):
        entry = post(movement(account, "SALE", "3.00"))
        back = reverse(entry)

        assert reverse(entry, told_by="EXECUTION", external_id="bust-1") == back
        assert told_of(back) == ["ACTIVITY", "EXECUTION"]

    def test_the_same_kind_in_other_words_is_refused(self, account):
        entry = post(movement(account, "FEE", "-3.00"))
        reverse(entry)

        with pytest.raises(AlreadyReversed):
            reverse(entry, external_id="gone-2")

    def test_a_transfer_taken_back_is_no_other_transfer(self, account):
        reverse(post(movement(account, "DEPOSIT", "3.00")))
        post(movement(account, "DEPOSIT", "3.00", "TRANSFER"))

        assert cash_of(account).total == 3


class TestHolds:
    def test_hold_and_release_move_no_cash(self, account):
        transfer = new_id()
        post(movement(account, "DEPOSIT", "100.00"))
        hold(account, transfer, "30.00")

        assert (cash_of(account).held, cash_of(account).available) == (30, 70)
        assert release(transfer, "10.00") == 10
        assert release(transfer) == 20
        assert release(transfer) == 0
        assert (cash_of(account).held, cash_of(account).available) == (0, 100)

    def test_no_more_is_freed_than_was_held(self, account):
        transfer = new_id()
        hold(account, transfer, "30.00")

        assert release(transfer, "31.00") == 30

    def test_a_part_of_a_cent_is_held_as_a_whole_one(self, account):
        assert hold(account, new_id(), "1.000000001").amount == Decimal("1.01")

    def test_nothing_but_an_amount_is_held(self, account):
        with pytest.raises(NotAnAmount):
            hold(account, new_id(), "NaN")

    def test_what_leaves_uses_its_hold_up_once(self, account):
        transfer = new_id()
        post(movement(account, "DEPOSIT", "100.00"))
        hold(account, transfer, "30.00")
        sent = movement(account, "WITHDRAWAL", "-30.00", "TRANSFER", reference=transfer)
        post(sent)
        post(sent)
        post(movement(account, "WITHDRAWAL", "-30.00", "ACTIVITY"))

        assert (cash_of(account).held, cash_of(account).total) == (0, 70)
