"""What a closure does next, from facts alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from closure.saga import actions, names, next_action
from closure.saga.facts import (
    Asked,
    Facts,
    Holding,
    OpenOrder,
    Room,
    Sale,
    Withdrawal,
)
from closure.states import CLOSURE_MOVES, COUNTED, ClosureState, ProblemKind, Step, completed

CLOSURE = UUID("019b76da-a800-7c3f-9e1f-5b2d8a6c4e10")
MONDAY = date(2026, 1, 5)
AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
OVER = Sale(is_working=False, is_booked=True, has_sold=True)
WORKING = Sale(is_working=True, is_booked=True, has_sold=False)
PAID = Withdrawal(id=UUID(int=1), business_date=MONDAY, is_unfinished=False)


def facts(step, **changes):
    return Facts(closure_id=CLOSURE, step=step, at=AT, today=MONDAY, **changes)


def share(quantity="3", **changes):
    return Holding(symbol="AAPL", quantity=Decimal(quantity), **changes)


def cash(step, amount="100", **changes):
    given = {"cash": Decimal(amount), "withdrawable": Decimal(amount)}
    room = Room(business_date=MONDAY, most=Decimal(50000))
    return facts(step, **{**given, "room": room, **changes})


def test_a_closed_account_ends_it_at_any_step():
    for step in Step:
        assert next_action(facts(step, is_over=True)) == actions.Finish()


def test_a_wish_to_stop_is_heard_until_money_leaves():
    heard = {
        step for step in Step if next_action(facts(step, is_stop_asked=True)) == actions.Stop()
    }

    assert heard == {Step.READINESS, Step.CANCEL_ORDERS, Step.LIQUIDATE, Step.SETTLE}


def test_a_stopped_account_is_waited_for():
    for step in (Step.LIQUIDATE, Step.WITHDRAW, Step.CLOSE):
        waits = next_action(facts(step, bar="The account is frozen."))
        assert isinstance(waits, actions.Wait)
        assert waits.problem == "The account is frozen."


class TestReadiness:
    def test_what_stands_in_the_way_fails_it_in_its_own_words(self):
        assert next_action(facts(Step.READINESS, blockers=["A.", "B."])) == actions.Fail(
            problem="A. B."
        )

    def test_else_it_begins(self):
        assert next_action(facts(Step.READINESS)) == actions.Move(to=Step.CANCEL_ORDERS)


class TestOrders:
    def test_are_asked_to_be_canceled_once_and_then_waited_for(self):
        step, asked = Step.CANCEL_ORDERS, OpenOrder(is_cancel_asked=True)
        fresh = OpenOrder(is_cancel_asked=False)

        assert next_action(facts(step, others=[asked, fresh])) == actions.CancelOrders()
        assert isinstance(next_action(facts(step, others=[asked])), actions.Wait)
        assert next_action(facts(step)) == actions.Move(to=Step.LIQUIDATE)

    def test_one_of_which_nobody_knows_is_named(self):
        lost = OpenOrder(is_cancel_asked=True, is_under_review=True)

        assert "our staff" in next_action(facts(Step.CANCEL_ORDERS, others=[lost])).problem


class TestSelling:
    def test_sells_exactly_what_is_held_under_a_fixed_id(self):
        given = facts(Step.LIQUIDATE, holdings=[share("1.234567891")], is_market_open=True)

        (order,) = next_action(given).orders
        assert order == actions.Order(
            id=names.sale_id(CLOSURE, "AAPL", 0), symbol="AAPL", quantity=Decimal("1.234567891")
        )
        assert next_action(given) == next_action(given)

    def test_another_round_has_another_id(self):
        given = facts(Step.LIQUIDATE, holdings=[share(number=1)], is_market_open=True)

        assert next_action(given).orders[0].id == names.sale_id(CLOSURE, "AAPL", 1)

    def test_a_few_at_once(self):
        held = [replace(share(), symbol=f"S{number}") for number in range(12)]
        given = facts(Step.LIQUIDATE, holdings=held, is_market_open=True)

        assert [order.symbol for order in next_action(given).orders] == [
            "S0",
            "S1",
            "S2",
            "S3",
            "S4",
        ]

    def test_one_that_is_over_is_counted_before_anything_else_is_sold(self):
        held = [share(sale=OVER), replace(share(), symbol="MSFT")]
        given = facts(Step.LIQUIDATE, holdings=held, is_market_open=True)

        assert next_action(given) == actions.SellAgain(holdings=[held[0]])

    @pytest.mark.parametrize("sale", [WORKING, replace(OVER, is_booked=False)])
    def test_nothing_more_is_sold_of_what_may_be_sold_already(self, sale):
        given = facts(Step.LIQUIDATE, holdings=[share(sale=sale)], is_market_open=True)

        assert isinstance(next_action(given), actions.Wait)

    def test_nothing_is_sold_on_old_knowledge(self):
        given = facts(Step.LIQUIDATE, holdings=[share()], is_market_open=True, is_known=False)

        assert isinstance(next_action(given), actions.Wait)

    def test_a_refused_size_is_sold_in_parts(self):
        given = facts(Step.LIQUIDATE, holdings=[share("9", most=Decimal(5))], is_market_open=True)

        assert next_action(given).orders[0].quantity == 5

    def test_waits_for_the_open_and_no_longer_than_ten_minutes_at_once(self):
        held = {"holdings": [share()], "is_market_open": False}
        soon = facts(Step.LIQUIDATE, **held, opens_at=AT + timedelta(minutes=3))
        late = facts(Step.LIQUIDATE, **held, opens_at=AT + timedelta(hours=60))

        assert next_action(soon).delay == timedelta(minutes=3)
        assert next_action(late).delay == timedelta(minutes=10)
        unknown = facts(Step.LIQUIDATE, holdings=[share()])
        assert "open" in next_action(unknown).problem

    def test_a_symbol_that_failed_waits_for_its_time_and_holds_up_no_other(self):
        later = share(not_before=AT + timedelta(minutes=5), problem="halted")
        given = facts(Step.LIQUIDATE, holdings=[later], is_market_open=True)
        both = replace(given, holdings=[later, replace(share(), symbol="MSFT")])

        waits = next_action(given)
        assert (waits.delay, waits.problem) == (timedelta(minutes=5), "AAPL: halted")
        assert [order.symbol for order in next_action(both).orders] == ["MSFT"]

    def test_all_sold_it_settles_on_the_brokers_day(self):
        sold = facts(Step.LIQUIDATE, has_traded=True, settlement=MONDAY + timedelta(days=1))

        assert next_action(sold) == actions.Move(to=Step.SETTLE, settles_on=date(2026, 1, 6))
        assert isinstance(next_action(replace(sold, settlement=None)), actions.Wait)
        assert next_action(facts(Step.LIQUIDATE)) == actions.Move(to=Step.SETTLE)
        assert isinstance(next_action(replace(sold, working_sales=1)), actions.Wait)


class TestSettling:
    def test_waits_for_the_day_then_for_other_transfers_then_for_the_broker(self):
        ready = cash(Step.SETTLE, settles_on=MONDAY)

        assert next_action(ready) == actions.Move(to=Step.WITHDRAW)
        tuesday = replace(ready, settles_on=MONDAY + timedelta(days=1))
        for given in (
            tuesday,
            replace(ready, others_moving=1),
            replace(ready, withdrawable=Decimal("99.99")),
            replace(ready, withdrawable=None),
            replace(ready, cash=None),
            replace(ready, is_known=False),
        ):
            assert isinstance(next_action(given), actions.Wait)

    def test_without_cash_nothing_is_paid_out(self):
        assert next_action(cash(Step.SETTLE, "0")) == actions.Move(to=Step.CLOSE)

    @pytest.mark.parametrize("step", [Step.SETTLE, Step.WITHDRAW, Step.CLOSE])
    def test_what_is_held_or_ordered_again_leads_back(self, step):
        assert next_action(cash(step, holdings=[share()])) == actions.Move(to=Step.LIQUIDATE)
        order = OpenOrder(is_cancel_asked=False)
        assert next_action(cash(step, others=[order])) == actions.Move(to=Step.CANCEL_ORDERS)


class TestPayingOut:
    def test_pays_what_may_leave_once_a_working_day(self):
        given = cash(Step.WITHDRAW)
        name = names.withdrawal_id(CLOSURE, MONDAY, 0)

        assert next_action(given) == actions.Withdraw(id=name, amount=Decimal(100))
        less = replace(given, room=Room(business_date=MONDAY, most=Decimal(60)))
        assert next_action(less).amount == 60
        rest = replace(less, cash=Decimal(40), withdrawable=Decimal(40), withdrawals=[PAID])
        assert "next working day" in next_action(rest).problem
        tuesday = Room(business_date=MONDAY + timedelta(days=1), most=Decimal(60))
        assert next_action(replace(rest, room=tuesday)).amount == 40

    def test_one_that_came_to_nothing_is_tried_again_under_another_id(self):
        undone = replace(PAID, is_undone=True, reason="no")
        given = cash(Step.WITHDRAW, withdrawals=[undone])

        assert next_action(given).id == names.withdrawal_id(CLOSURE, MONDAY, 1)
        often = [replace(undone, id=UUID(int=number)) for number in range(3)]
        review = next_action(replace(given, withdrawals=often))
        assert review.kind == ProblemKind.WITHDRAWAL_REFUSED
        seen = frozenset(each.id for each in often)
        assert isinstance(
            next_action(replace(given, withdrawals=often, excused=seen)), actions.Withdraw
        )

    def test_one_that_came_back_is_for_people_until_they_have_seen_it(self):
        back = replace(PAID, is_returned=True, reason="R03")
        given = cash(Step.WITHDRAW, withdrawals=[back])

        review = next_action(given)
        assert (review.kind, list(review.about)) == (ProblemKind.WITHDRAWAL_RETURNED, [back.id])
        assert isinstance(
            next_action(replace(given, excused=frozenset({back.id}))), actions.Withdraw
        )
        assert next_action(replace(given, step=Step.CLOSE)).kind == review.kind

    @pytest.mark.parametrize(
        "changes",
        [
            {"withdrawals": [replace(PAID, is_unfinished=True)]},
            {"withdrawals": [replace(PAID, is_under_review=True, is_unfinished=True)]},
            {"others_moving": 1},
            {"room": Room(business_date=None, most=Decimal(100))},
            {"room": Room(business_date=MONDAY, most=Decimal(0))},
            {"withdrawable": Decimal(0)},
            {"cash": None},
        ],
    )
    def test_waits_while_anything_is_open(self, changes):
        assert isinstance(next_action(replace(cash(Step.WITHDRAW), **changes)), actions.Wait)

    def test_dust_and_debts_are_for_people(self):
        small = cash(Step.WITHDRAW, "0.99", smallest=Decimal(1))
        assert next_action(small).kind == ProblemKind.TOO_LITTLE
        assert next_action(cash(Step.WITHDRAW, "-1")).kind == ProblemKind.NEGATIVE_CASH

    def test_a_bank_that_takes_nothing_any_more_is_for_people(self):
        given = cash(Step.WITHDRAW, is_bank_good=False)

        assert next_action(given).kind == ProblemKind.NO_BANK
        # What has arrived needs no bank any more.
        assert next_action(cash(Step.WITHDRAW, "0", is_bank_good=False)).to == Step.CLOSE

    def test_cash_that_our_books_do_not_show_is_not_said_to_leave_tomorrow(self):
        room = Room(business_date=MONDAY, most=Decimal(0), in_books=Decimal(0))

        assert "books" in next_action(cash(Step.WITHDRAW, room=room)).problem
        used_up = replace(room, in_books=Decimal(100))
        assert "working day" in next_action(cash(Step.WITHDRAW, room=used_up)).problem


class TestClosing:
    def test_asks_once_and_only_an_empty_account(self):
        empty = cash(Step.CLOSE, "0")
        name = names.request_id(CLOSURE, 0)

        assert next_action(empty) == actions.AskBroker(id=name, number=0)
        assert next_action(cash(Step.CLOSE, "0.01")) == actions.Move(to=Step.SETTLE)
        waiting = replace(empty, asked=Asked(is_undecided=True))
        assert isinstance(next_action(waiting), actions.Wait)

    def test_follows_what_became_of_it(self):
        def after(**asked):
            return next_action(cash(Step.CLOSE, "0", asked=Asked(is_undecided=False, **asked)))

        assert isinstance(after(is_accepted=True), actions.Wait)
        assert after(is_refused=True, reason="cash").kind == ProblemKind.CLOSING_REFUSED
        assert after() == actions.AskAgain()
        assert after(is_accepted=True, is_overdue=True).kind == ProblemKind.STILL_OPEN


def test_five_steps_are_counted():
    assert [completed(step) for step in COUNTED] == [0, 1, 2, 3, 4]
    assert (completed(Step.READINESS), completed(Step.DONE)) == (0, 5)


def test_nothing_leaves_an_end():
    ends = {ClosureState.DONE, ClosureState.CANCELED, ClosureState.FAILED}

    assert {state for state, moves in CLOSURE_MOVES.items() if not moves} == ends
