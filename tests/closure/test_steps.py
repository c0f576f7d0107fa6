"""What can happen in each step of a closure, with vendors in memory."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.tests.factories import customer
from closure.models import Closure
from closure.saga import names
from closure.services import review
from closure.states import ClosureState, ProblemKind, Step
from core.auth import SYSTEM, Principal, acting_as
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from funding.services import limits, transfer_upkeep
from funding.tests.factories import make_bank
from market.facts import new_york_date
from tests.closure.moments import morning, unfreeze, working_day
from trading import services as trading
from trading.tests import factories as trading_factories
from trading.tests.telling import tell

pytestmark = pytest.mark.django_db
ANNA, BERT = Principal.staff(1), Principal.staff(2)


class TestOrders:
    def test_open_orders_are_canceled_before_anything_is_sold(self, world):
        world.customer(positions={"AAPL": "3"})
        order = trading.place_order(
            principal=customer(world.account.user_id),
            account_id=world.account.pk,
            ticket=trading_factories.sell(quantity="1", limit_price="105.00"),
            request=None,
            at=world.at,
        )
        world.initiate()

        row = world.advance(seconds=1)
        assert row.step == Step.CANCEL_ORDERS
        assert world.exchange.canceled == [order.broker_order_id]
        assert len(world.exchange.submitted) == 1
        tell(world.exchange.move(str(order.pk), "canceled"))

        assert world.advance().step == Step.LIQUIDATE
        assert len(world.exchange.submitted) == 2

    def test_what_is_left_of_a_partial_fill_is_sold_in_the_next_round(self, world):
        world.customer(cash="0.00", positions={"AAPL": "3.5"})
        world.initiate()
        world.advance()
        world.fill(part="2")
        assert world.advance().step == Step.LIQUIDATE
        world.end_day()
        world.advance(minutes=1)

        first, second = world.exchange.submitted
        assert first == str(names.sale_id(world.closure.pk, "AAPL", 0))
        assert second == str(names.sale_id(world.closure.pk, "AAPL", 1))
        assert [t.quantity for t in world.exchange.tickets.values()] == [
            Decimal("3.5"),
            Decimal("1.5"),
        ]
        world.fill()
        assert world.advance().step == Step.SETTLE

    def test_a_sale_that_the_broker_rejects_is_tried_again_later_and_is_shown(self, world):
        world.customer(positions={"AAPL": "3"})
        world.initiate()
        for _ in range(2):
            world.exchange.plan(VendorRejected("fake", "asset is not available"))
        world.advance(seconds=1)
        row = world.advance(seconds=10)

        assert (row.step, row.sales["AAPL"]["misses"]) == (Step.LIQUIDATE, 1)
        assert "AAPL" in row.problem
        world.advance(seconds=15)
        row = world.advance(seconds=10)
        assert len(world.exchange.submitted) == 2
        assert row.sales["AAPL"]["misses"] == 2
        world.advance(seconds=20)
        assert len(world.exchange.submitted) == 2, "the second pause is longer"
        world.advance(seconds=20)
        assert len(world.exchange.submitted) == 3
        world.fill()
        row = world.advance()
        assert (row.step, row.problem) == (Step.SETTLE, "")

    def test_while_the_market_is_closed_it_waits_for_the_open(self, world):
        world.customer(positions={"AAPL": "3"})
        world.market.broker.is_open = False
        world.initiate()

        row = world.advance()
        assert (row.step, world.exchange.submitted) == (Step.LIQUIDATE, [])
        assert row.problem == "The market is closed; what is held is sold when it opens."
        world.market.broker.is_open = True
        world.advance(hours=2)
        assert len(world.exchange.submitted) == 1

    def test_a_symbol_that_cannot_be_traded_keeps_it_in_the_step(self, world):
        world.customer(positions={"AAPL": "3", "MSFT": "2"})
        trading_factories.new_instrument("MSFT", tradable=False)
        world.initiate()
        world.advance(seconds=1)
        world.fill()
        world.advance(seconds=15)

        for _ in range(6):
            row = world.advance(minutes=11)
        assert (row.step, row.state) == (Step.LIQUIDATE, ClosureState.RUNNING)
        assert row.problem.startswith("MSFT: ")
        assert len(world.exchange.submitted) == 1
        assert len(world.orders()) < 8, "it is tried less and less often"
        trading_factories.new_instrument("MSFT", tradable=True)
        world.advance(hours=2)
        world.fill()
        assert world.advance().step == Step.SETTLE

    def test_shares_that_are_owed_are_for_people(self, world):
        world.customer(positions={"AAPL": "-3"})
        world.initiate()

        row = world.advance()

        assert (row.state, row.problem_kind) == (
            ClosureState.NEEDS_REVIEW,
            ProblemKind.SHORT_POSITION,
        )
        assert world.exchange.submitted == []

    def test_a_broker_that_is_away_is_waited_for(self, world):
        world.customer(positions={"AAPL": "3"})
        world.initiate()
        world.exchange.plan(VendorUnavailable("fake", "away"))
        world.advance(seconds=1)

        assert world.row().step == Step.LIQUIDATE
        assert world.exchange.orders == {}
        world.leases_run_out()
        trading.sweep_orders(at=world.at)
        world.fill()
        assert world.advance().step == Step.SETTLE
        assert len(world.exchange.orders) == 1


class TestCash:
    def test_waits_until_the_broker_has_released_all_of_it(self, world):
        world.customer(cash="100.00", positions={"AAPL": "1"})
        world.initiate()
        world.advance()
        world.fill()
        world.advance()

        row = world.advance(days=5)
        assert row.step == Step.SETTLE
        assert row.problem == "The broker has not released all of the cash yet."
        world.settle()
        assert world.advance().step == Step.WITHDRAW

    def test_settlement_leaves_out_days_on_which_banks_rest(self, world):
        world.customer(cash="0.00", positions={"AAPL": "1"})
        first = working_day(new_york_date(world.at))
        holiday = working_day(first + timedelta(days=1))
        world.know_days(closed={holiday})
        world.initiate()
        world.advance()
        world.fill()

        assert world.advance().settles_on == working_day(holiday + timedelta(days=1))

    def test_a_negative_balance_is_for_people(self, world):
        world.customer(cash="-12.00")
        world.initiate()

        row = world.advance()

        assert (row.step, row.problem_kind) == (Step.SETTLE, ProblemKind.NEGATIVE_CASH)

    def test_too_little_for_a_transfer_is_for_people(self, world, settings):
        settings.CLOSURE_SMALLEST_WITHDRAWAL = Decimal("1.00")
        world.customer(cash="0.37")
        world.initiate()

        row = world.advance()

        assert (row.state, row.problem_kind) == (ClosureState.NEEDS_REVIEW, ProblemKind.TOO_LITTLE)
        assert world.funds.payments == []

    def test_a_lost_withdrawal_is_found_and_not_sent_twice(self, world):
        world.customer(cash="100.00")
        world.funds.fails_after = VendorUnclear("fake", "no answer")
        world.initiate()
        world.advance()
        assert world.advance().step == Step.WITHDRAW
        world.leases_run_out()
        transfer_upkeep.sweep_transfers(at=world.at)
        world.arrive()

        assert world.advance().state == ClosureState.DONE
        assert len(world.funds.payments) == 1

    def test_a_withdrawal_that_is_refused_is_tried_again_and_then_shown_to_people(self, world):
        world.customer(cash="100.00")
        world.initiate()
        world.at = morning(world)
        for _ in range(3):
            world.funds.fails_before = VendorRejected("fake", "not allowed")
            world.advance(minutes=11)
        row = world.advance(minutes=11)

        assert (row.state, row.problem_kind) == (
            ClosureState.NEEDS_REVIEW,
            ProblemKind.WITHDRAWAL_REFUSED,
        )
        assert len(world.funds.payments) == 3

    def test_a_returned_withdrawal_takes_two_of_the_staff(self, world):
        world.customer(cash="100.00")
        world.initiate()
        world.advance()
        world.arrive()
        world.bounce("R06: returned per ODFI request")

        row = world.advance()
        assert (row.state, row.problem_kind) == (
            ClosureState.NEEDS_REVIEW,
            ProblemKind.WITHDRAWAL_RETURNED,
        )
        unfreeze(world)
        review.resume(staff=ANNA, closure_id=row.pk, reason="Ticket 1", at=world.at)
        assert world.row().state == ClosureState.NEEDS_REVIEW
        with pytest.raises(review.SamePerson):
            review.confirm_resume(staff=ANNA, closure_id=row.pk, at=world.at)
        review.confirm_resume(staff=BERT, closure_id=row.pk, at=world.at)
        world.advance(days=4)
        world.arrive()

        assert world.advance().state == ClosureState.DONE
        assert [payment.amount for payment in world.funds.payments] == [100, 100]

    def test_a_bank_that_takes_nothing_any_more_is_replaced_by_the_accounts_new_one(self, world):
        world.customer(cash="100.00")
        world.initiate()
        world.advance()
        world.arrive()
        world.bounce("R03: no account/unable to locate account")
        row = world.advance()
        unfreeze(world)

        with pytest.raises(review.NoBank):
            review.resume(staff=ANNA, closure_id=row.pk, reason="Ticket 1", at=world.at)
        with acting_as(SYSTEM):
            type(world.bank).objects.filter(pk=world.bank.pk).update(vendor_status="CANCELED")
        bank = make_bank(world.account)
        review.resume(staff=ANNA, closure_id=row.pk, reason="Ticket 1", at=world.at)
        review.confirm_resume(staff=BERT, closure_id=row.pk, at=world.at)
        assert world.row().relationship_id == bank.pk
        world.advance(days=4)
        world.arrive()

        assert world.advance().state == ClosureState.DONE
        assert world.funds.payments[-1].broker_relationship_id == bank.broker_relationship_id

    def test_a_bank_that_is_unlinked_meanwhile_is_replaced_when_two_say_so(self, world):
        world.customer(cash="100.00")
        world.initiate()
        with acting_as(SYSTEM):
            type(world.bank).objects.filter(pk=world.bank.pk).update(vendor_status="CANCELED")
            Closure.objects.filter(pk=world.closure.pk).update(step=Step.WITHDRAW)

        row = world.advance()
        assert (row.state, row.problem_kind) == (ClosureState.NEEDS_REVIEW, ProblemKind.NO_BANK)
        with pytest.raises(review.NoBank):
            review.resume(staff=ANNA, closure_id=row.pk, reason="Ticket 3", at=world.at)
        bank = make_bank(world.account)
        review.resume(staff=ANNA, closure_id=row.pk, reason="Ticket 3", at=world.at)
        assert world.row().state == ClosureState.NEEDS_REVIEW
        review.confirm_resume(staff=BERT, closure_id=row.pk, at=world.at)
        world.advance()

        assert [each.broker_relationship_id for each in world.funds.payments] == [
            bank.broker_relationship_id
        ]


class TestClosing:
    def test_a_lost_request_is_resolved_by_reading(self, world):
        world.customer(cash="0.00")
        world.desk.fails_after = VendorUnclear("fake", "no answer")
        world.desk.tells = False
        world.initiate()
        assert world.advance().step == Step.CLOSE
        world.leases_run_out()
        world.advance()

        assert world.advance().state == ClosureState.DONE
        assert len(world.desk.asked) == 1

    def test_an_account_that_is_closed_already_counts_as_closed(self, world):
        world.customer(cash="0.00")
        world.desk.closed.append(world.account.broker_account_id)
        world.desk.tells = False
        world.desk.on_closed(world.account.broker_account_id)
        world.initiate()

        assert world.advance().problem == "The broker is closing the account."
        assert world.advance().state == ClosureState.DONE

    def test_a_refusal_is_shown_to_people_and_asked_anew_when_they_say_so(self, world):
        world.customer(cash="0.00")
        world.desk.refusal = "account has a cash balance"
        world.initiate()

        row = world.advance()
        assert (row.state, row.problem_kind) == (
            ClosureState.NEEDS_REVIEW,
            ProblemKind.CLOSING_REFUSED,
        )
        world.desk.refusal = ""
        review.resume(staff=ANNA, closure_id=row.pk, reason="Ticket 2", at=world.at)

        assert world.advance().state == ClosureState.DONE
        assert len(world.desk.asked) == 2


class TestRoom:
    def test_is_what_the_limits_leave(self):
        given = {"largest": Decimal(50), "daily_amount": Decimal(80), "daily_count": 2}
        assert limits.left(limits.Facts(**given)) == 50
        assert limits.left(limits.Facts(**given, used_amount=Decimal(60), used_count=1)) == 20
        assert limits.left(limits.Facts(**given, used_count=2)) == 0
        assert limits.left(limits.Facts(**given, available=Decimal(-1))) == 0
