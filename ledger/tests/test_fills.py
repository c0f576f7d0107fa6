from decimal import Decimal

import pytest

from accounts.tests.factories import make_account
from core.auth import SYSTEM, acting_as
from core.ids import new_id
from ledger import services
from ledger.states import WitnessKind
from ledger.tests.factories import (
    NOW,
    cash_of,
    entries_of,
    hold,
    movement,
    post,
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


class TestFills:
    def test_a_fill_has_one_name_on_both_sides(self):
        assert key("5.0") == key("5") == services.fill_key(ORDER.upper(), Decimal("5.000000000"))
        assert key("0.10") == f"fill:{ORDER}:0.1"
        assert key("1E+2") == f"fill:{ORDER}:100"

    def test_meet_whatever_their_amounts(self, account):
        first = post(movement(account, "PURCHASE", "-10.00", "EXECUTION", natural_key=key()))

        assert post(movement(account, "PURCHASE", "-10.01", natural_key=key())) == first

    def test_do_not_meet_in_another_account(self, account):
        other = make_account()
        first = post(movement(account, "SALE", "10.00", "EXECUTION", natural_key=key()))

        assert post(movement(other, "SALE", "10.00", natural_key=key())) != first

    @pytest.mark.parametrize("corrected_key", [key(), ""])
    @pytest.mark.parametrize("books_first", [False, True])
    def test_a_correction_told_by_both_is_booked_once(self, account, corrected_key, books_first):
        def trading():
            post(
                movement(
                    account, "PURCHASE", "-10", "EXECUTION", natural_key=key(), external_id="e1"
                )
            )
            with acting_as(SYSTEM):
                services.take_back(
                    account_id=account.pk, told_by=WitnessKind.EXECUTION, external_id="e1", at=NOW
                )
            post(
                movement(
                    account,
                    "PURCHASE",
                    "-11",
                    "EXECUTION",
                    natural_key=corrected_key,
                    external_id="e2",
                )
            )

        def broker():
            post(movement(account, "PURCHASE", "-10", natural_key=key(), external_id="a1"))
            with acting_as(SYSTEM):
                services.take_back(
                    account_id=account.pk, told_by=WitnessKind.ACTIVITY, external_id="a1", at=NOW
                )
            post(movement(account, "PURCHASE", "-11", natural_key=key(), external_id="a2"))

        for tell in [broker, trading] if books_first else [trading, broker]:
            tell()
            tell()

        assert cash_of(account).total == -11
        told = [told_of(entry) for entry in entries_of(account)]
        assert told == [["ACTIVITY", "EXECUTION"]] * 3

    def test_a_correction_of_another_size_is_not_what_it_corrects(self, account):
        first = post(movement(account, "PURCHASE", "-10", "EXECUTION", natural_key=key()))
        reverse(first, told_by="EXECUTION")
        second = post(movement(account, "PURCHASE", "-11", "EXECUTION", natural_key=key()))

        assert post(movement(account, "PURCHASE", "-11.01", natural_key=key())) == second
        assert post(movement(account, "PURCHASE", "-10", natural_key=key())) == first

    @pytest.mark.parametrize("books_first", [False, True])
    def test_a_correction_counted_otherwise_by_the_books_is_booked_once(self, account, books_first):
        late = {
            "EXECUTION": movement(account, "SALE", "11", "EXECUTION", natural_key=key("5")),
            "ACTIVITY": movement(account, "SALE", "11", "ACTIVITY", natural_key=key("2")),
        }
        for told_by in late:
            entry = post(movement(account, "SALE", "10", told_by, natural_key=key("2")))
            post(movement(account, "SALE", "30", told_by, natural_key=key("5")))
        for told_by in late:
            reverse(entry, told_by=told_by, external_id=told_by)

        for told_by in sorted(late, reverse=not books_first):
            post(late[told_by])

        assert cash_of(account).total == 41

    def test_equal_fills_of_an_order_that_nobody_took_back_are_two(self, account):
        post(movement(account, "SALE", "10", "EXECUTION", natural_key=key("2")))
        post(movement(account, "SALE", "10", "ACTIVITY", natural_key=key("4")))

        assert cash_of(account).total == 20

    def test_what_people_have_taken_back_is_booked_when_the_broker_tells_of_it(self, account):
        reverse(
            post(movement(account, "SALE", "10", "EXECUTION", natural_key=key())),
            told_by="OPERATOR",
        )
        post(movement(account, "SALE", "10", "ACTIVITY", natural_key=key()))

        assert cash_of(account).total == 10

    def test_a_line_of_another_account_takes_nothing_back(self, account):
        post(movement(account, "SALE", "10", external_id="a1", natural_key=key()))
        with acting_as(SYSTEM):
            back = services.take_back(
                account_id=make_account().pk,
                told_by=WitnessKind.ACTIVITY,
                external_id="a1",
                at=NOW,
            )

        assert (back, cash_of(account).total) == (None, 10)

    def test_the_books_use_up_no_hold_that_they_do_not_know_of(self, account):
        order = new_id()
        hold(account, order, "12.00")
        post(movement(account, "PURCHASE", "-10.00", natural_key=key()))

        assert cash_of(account).held == 12

        post(
            movement(account, "PURCHASE", "-10.00", "EXECUTION", natural_key=key(), reference=order)
        )

        assert (cash_of(account).held, cash_of(account).available) == (2, -12)


class TestConfirmFilled:
    @pytest.fixture
    def confirm_filled(self, account):
        self.order = new_id()

        def confirm_filled(filled):
            with acting_as(SYSTEM):
                return services.confirm_filled(
                    account_id=account.pk,
                    reference=self.order,
                    broker_order_id=ORDER,
                    filled=Decimal(filled),
                    at=NOW,
                )

        return confirm_filled

    def test_counts_no_fill_that_nobody_has_told_of(self, account, confirm_filled):
        post(movement(account, "SALE", "30", natural_key=key("4"), quantity=Decimal(3)))

        assert confirm_filled("4") == 3

    def test_confirms_no_more_than_was_read(self, account, confirm_filled):
        for cumulative, quantity in (("1", 1), ("4", 3)):
            told = {"natural_key": key(cumulative), "quantity": Decimal(quantity)}
            post(movement(account, "SALE", f"{10 * quantity}", **told))

        assert confirm_filled("3") == 1
        assert [told_of(entry) for entry in entries_of(account)] == [
            ["ACTIVITY", "EXECUTION"],
            ["ACTIVITY"],
        ]

    def test_uses_up_what_is_held_once(self, account, confirm_filled):
        hold(account, self.order, "12.00")
        post(movement(account, "PURCHASE", "-10", natural_key=key("1"), quantity=Decimal(1)))

        assert [confirm_filled("1"), confirm_filled("1")] == [1, 1]
        assert (cash_of(account).held, cash_of(account).available) == (2, -12)

    def test_the_event_that_comes_late_is_the_same_fill(self, account, confirm_filled):
        first = post(movement(account, "SALE", "10", natural_key=key("1"), quantity=Decimal(1)))
        confirm_filled("1")

        assert post(movement(account, "SALE", "10", "EXECUTION", natural_key=key("1"))) == first
