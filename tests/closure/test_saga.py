"""A closure from its beginning to its end, with vendors in memory."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts import services as account_services
from accounts.tests.factories import customer
from closure.models import Closure
from closure.services import review, starting, steering, wishes
from closure.states import ClosureState, Step
from core.auth import SYSTEM, Principal, acting_as
from core.errors import Invalid, NotFound
from core.intents.states import IntentState
from funding.services import dates, rules, transfers
from funding.tests.factories import make_transfer
from tests.closure.moments import during, morning, told
from trading import risk
from trading import services as trading
from trading.tests.factories import buy

pytestmark = pytest.mark.django_db
ANNA, BERT = Principal.staff(1), Principal.staff(2)


class TestTheWholeWay:
    def test_an_account_with_shares_and_cash_is_sold_paid_out_and_closed(self, world):
        world.customer(cash="500.00", positions={"AAPL": "3", "MSFT": "1.5"})
        world.initiate()

        assert world.advance().step == Step.LIQUIDATE
        assert sorted(t.quantity for t in world.exchange.tickets.values()) == [Decimal("1.5"), 3]
        world.fill()
        row = world.advance()
        assert (row.step, row.settles_on > dates.today(world.at)) == (Step.SETTLE, True)

        world.settle()
        assert world.advance(minutes=30).step == Step.SETTLE  # the calendar says tomorrow
        assert world.advance(days=5).step == Step.WITHDRAW
        assert [payment.amount for payment in world.funds.payments] == [Decimal("950.00")]
        world.arrive()
        row = world.advance()

        assert (row.step, row.state) == (Step.DONE, ClosureState.DONE)
        assert world.desk.closed == [world.account.broker_account_id]
        assert world.paid_out() == [Decimal("950.00")]
        account = world.account_row()
        assert account.vendor_status == "ACCOUNT_CLOSED"
        assert account.is_closing
        assert world.log()[0] == (Step.READINESS, "initiated")
        assert world.log()[-1] == (Step.CLOSE, "finished")
        assert world.advance(days=1).state == ClosureState.DONE
        assert len(world.desk.asked) == 1

    def test_an_empty_account_is_closed_at_once(self, world):
        world.customer(cash="0.00")
        world.initiate()

        assert world.advance().state == ClosureState.DONE
        assert world.funds.payments == []

    def test_the_owner_is_told_of_every_step_in_sentences(self, world):
        world.customer(cash="0.00")
        closure = world.initiate()
        world.advance()

        events = told(world)
        steps = [event["step"] for event in events]
        assert steps == ["READINESS", "CANCEL_ORDERS", "LIQUIDATE", "SETTLE", "CLOSE", "DONE"]
        assert events[-1]["sentence"] == "Your account is closed."
        assert {event["confirmation_number"] for event in events} == {closure.confirmation_number}

    def test_cash_beyond_the_daily_limit_leaves_over_several_days(self, world, settings):
        settings.TRANSFER_DAILY_AMOUNT = Decimal(400)
        world.customer(cash="950.00")
        world.initiate()
        world.at = morning(world)
        for _ in range(3):
            world.advance(minutes=1)
            world.arrive()
            row = world.advance(minutes=11)
            if row.state == ClosureState.DONE:
                break
            assert "next working day" in row.problem
            assert world.advance(hours=2).step == Step.WITHDRAW
            world.at = morning(world)

        assert [payment.amount for payment in world.funds.payments] == [400, 400, 150]
        assert row.state == ClosureState.DONE


class TestBeginning:
    @pytest.mark.parametrize("missing", ["confirm_liquidation", "confirm_irreversible"])
    def test_takes_both_confirmations(self, world, missing):
        world.customer()

        with pytest.raises(Invalid) as refused:
            world.initiate(**{missing: False})

        assert list(refused.value.field_errors) == [missing]
        assert not world.account_row().is_closing

    def test_a_deposit_under_way_stands_in_the_way(self, world):
        world.customer()
        make_transfer(world.bank, status="QUEUED")

        with pytest.raises(starting.NotReady) as refused:
            world.initiate()

        assert [each["code"] for each in refused.value.extra["blockers"]] == ["deposit_under_way"]
        assert not world.account_row().is_closing

    def test_a_frozen_account_is_not_closed(self, world):
        world.customer()
        account_services.restrict(account_id=world.account.pk, reason="R29", at=world.at)

        with pytest.raises(starting.NotReady, match="stopped"):
            world.initiate()

    def test_the_bank_has_to_be_the_accounts_own(self, world):
        world.customer()
        with pytest.raises(NotFound):
            world.initiate(relationship_id=world.account.pk)
        with pytest.raises(NotFound):
            world.initiate(principal=customer("somebody-else"))

    def test_what_turns_up_after_it_was_asked_for_ends_it_again(self, world):
        world.customer()
        world.initiate()
        make_transfer(world.bank, status="QUEUED")

        row = world.advance()

        assert row.state == ClosureState.FAILED
        assert row.problem == "A deposit is still on its way; wait until it has arrived."
        assert not world.account_row().is_closing

    def test_nothing_new_begins_meanwhile(self, world):
        world.customer(positions={"AAPL": "3"})
        world.initiate()
        owner = customer(world.account.user_id)

        with pytest.raises(rules.AccountClosing):
            transfers.move_money(
                principal=owner,
                account_id=world.account.pk,
                relationship_id=world.bank.pk,
                amount=Decimal(5),
                direction="INCOMING",
                request=None,
                at=world.at,
            )
        with pytest.raises(risk.RiskRefused) as refused:
            trading.place_order(
                principal=owner,
                account_id=world.account.pk,
                ticket=buy(notional="5.00"),
                request=None,
                at=world.at,
            )
        assert refused.value.extra["rule"] == "account_closing"
        with pytest.raises(account_services.AccountClosing):
            world.initiate()
        assert world.exchange.submitted == []


class TestStopping:
    def test_until_the_first_withdrawal_its_owner_may_stop_it(self, world):
        world.customer(positions={"AAPL": "3"})
        world.initiate()
        world.advance()
        owner = customer(world.account.user_id)

        wishes.stop(principal=owner, account_id=world.account.pk, at=world.at)
        row = world.advance(seconds=1)

        assert row.state == ClosureState.CANCELED
        assert world.orders()[0].cancel_asked_at is not None
        assert not world.account_row().is_closing
        again = wishes.stop(principal=owner, account_id=world.account.pk, at=world.at)
        assert again.state == ClosureState.CANCELED

    def test_a_wish_that_comes_while_a_worker_is_at_it_keeps_money_from_leaving(self, world):
        world.customer(cash="100.00")
        world.initiate()
        wishes.stop(
            principal=customer(world.account.user_id), account_id=world.account.pk, at=world.at
        )

        assert world.advance().state == ClosureState.CANCELED
        assert world.funds.payments == []

    def test_then_it_goes_its_way(self, world):
        world.customer(cash="100.00")
        world.initiate()
        world.advance()
        owner = customer(world.account.user_id)

        with pytest.raises(wishes.NotStoppable):
            wishes.stop(principal=owner, account_id=world.account.pk, at=world.at)

        assert world.row().step == Step.WITHDRAW

    def test_staff_may_stop_it_later_and_what_is_on_its_way_arrives(self, world):
        world.customer(cash="100.00")
        world.initiate()
        world.advance()

        review.hand_back(staff=ANNA, closure_id=world.closure.pk, reason="Ticket 3", at=world.at)

        assert world.row().state == ClosureState.CANCELED
        assert not world.account_row().is_closing
        world.arrive()
        assert world.paid_out() == [Decimal(100)]
        with pytest.raises(review.NotStoppable):
            review.hand_back(staff=ANNA, closure_id=world.closure.pk, reason="again", at=world.at)

    def test_once_money_has_left_only_staff_stops_it_wherever_it_is_led_back_to(self, world):
        world.customer(cash="100.00", positions={"AAPL": "3"})
        world.exchange.positions, kept = {}, world.exchange.positions
        world.initiate()
        assert world.advance().step == Step.WITHDRAW
        world.arrive()
        world.exchange.positions = kept  # as after a late correction
        assert world.advance().step == Step.LIQUIDATE

        with pytest.raises(wishes.NotStoppable):
            wishes.stop(
                principal=customer(world.account.user_id), account_id=world.account.pk, at=world.at
            )
        review.hand_back(staff=ANNA, closure_id=world.closure.pk, reason="Ticket 4", at=world.at)
        assert world.advance(seconds=1).state == ClosureState.CANCELED
        assert world.orders()[0].cancel_asked_at is not None

    def test_a_wish_that_comes_while_the_broker_is_read_is_heard_at_once(self, world):
        world.customer(cash="100.00")
        world.exchange.unsettled = Decimal(50)
        world.initiate()
        assert world.advance().step == Step.SETTLE
        owner = customer(world.account.user_id)

        def and_wish():
            wishes.stop(principal=owner, account_id=world.account.pk, at=world.at)

        during(world.exchange, "get_cash", and_wish)
        row = world.advance()

        assert (row.state, row.next_at <= world.at) == (ClosureState.RUNNING, True)
        assert world.advance(seconds=1).state == ClosureState.CANCELED

    def test_a_new_one_may_be_asked_for_afterwards(self, world):
        world.customer(cash="100.00")
        first = world.initiate()
        wishes.stop(
            principal=customer(world.account.user_id), account_id=world.account.pk, at=world.at
        )
        world.advance()

        second = world.initiate()

        assert second.pk != first.pk
        assert world.advance().step == Step.WITHDRAW


class TestWorkers:
    def test_one_at_a_time_works_on_a_closure(self, world):
        world.customer(cash="100.00")
        closure = world.initiate()
        with acting_as(SYSTEM):
            Closure.objects.filter(pk=closure.pk).update(
                lease_holder=closure.pk, lease_until=world.at + timedelta(hours=1)
            )

        assert not steering.advance(closure.pk, at=world.at)
        assert world.advance().step == Step.READINESS

    def test_who_reads_for_so_long_that_another_has_taken_over_does_nothing(self, world):
        world.customer(positions={"AAPL": "3"})
        closure = world.initiate()

        def and_lose():
            with acting_as(SYSTEM):
                Closure.objects.filter(pk=closure.pk).update(lease_holder=closure.pk)

        during(world.exchange, "list_positions", and_lose)
        world.advance()

        assert (world.orders(), world.row().lease_holder) == ([], closure.pk)

    def test_one_that_breaks_does_not_stop_the_others(self, world):
        world.customer(cash="0.00")
        broken = world.initiate()
        with acting_as(SYSTEM):
            Closure.objects.filter(pk=broken.pk).update(excused=["no id at all"])

        assert steering.run_due(at=world.at) == 1
        row = world.row()
        assert (row.state, row.lease_until) == (ClosureState.RUNNING, None)
        assert row.next_at > world.at

    def test_the_closures_own_sale_is_one_order_however_often_it_is_asked_for(self, world):
        world.customer(positions={"AAPL": "3"})
        world.initiate()
        world.advance(seconds=1)
        for _ in range(3):
            world.advance(minutes=11)

        assert len(world.exchange.submitted) == 1
        assert [order.state for order in world.orders()] == [IntentState.ACCEPTED]
