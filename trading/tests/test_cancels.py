"""Canceling: a wish that lasts, however the broker, the network or a process fails."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.errors import NotFound, VendorRejected, VendorUnavailable, VendorUnclear
from core.intents.models import IntentStep
from trading import services
from trading.models import Order
from trading.services import cancels
from trading.tests import factories
from trading.tests.factories import bracket, buy, customer, orders_of, pass_time, reload
from trading.tests.telling import held, tell
from trading.tests.test_faults import keep_events

pytestmark = pytest.mark.django_db
UNCLEAR = VendorUnclear("fake", "no answer")
AWAY = VendorUnavailable("fake", "refused")
NO = VendorRejected("fake", "order is already in pending_replace", http_status=422)


def now():
    return datetime.now(UTC)


def sweep(times=1):
    for _ in range(times):
        services.sweep_orders(at=now())


def cancel(account, order, *, user_id="alice-sub"):
    return services.cancel_order(
        principal=customer(user_id),
        account_id=account.broker_account_id,
        order_id=order.public_id,
        at=now(),
    )


class TestCancelOrder:
    def test_asks_the_broker_once_and_notes_who_asked(self, place, broker, account):
        order = place(buy(notional="10"))

        canceled = cancel(account, order)

        assert broker.canceled == [order.broker_order_id]
        assert (canceled.vendor_status, canceled.is_working) == ("pending_cancel", True)
        assert canceled.cancel_asked_by == customer().name

    def test_what_was_not_sent_is_simply_withdrawn(self, place, broker, account):
        broker.plan(AWAY)
        order = place(buy(notional="1000"))

        withdrawn = cancel(account, order)

        assert (withdrawn.state, withdrawn.reason_code) == ("CANCELED", "customer_canceled")
        assert (withdrawn.reserved_cash, held(order), broker.canceled) == (0, 0, [])

    def test_of_an_undecided_order_is_kept_and_carried_out_once_the_order_is_found(
        self, place, broker, account
    ):
        broker.plan(UNCLEAR, is_done=True)
        order = place(buy(notional="10"))

        waiting = cancel(account, order)
        assert (waiting.state, waiting.is_working, broker.canceled) == ("UNKNOWN", True, [])

        sweep()
        order = reload(order)
        assert (order.state, order.vendor_status) == ("ACCEPTED", "pending_cancel")
        assert broker.canceled == [order.broker_order_id]

    def test_of_what_never_arrived_keeps_it_from_being_sent_again(
        self, place, broker, account, settings
    ):
        settings.INTENT_LOOK_SECONDS = 0
        broker.plan(UNCLEAR)
        order = place(buy(notional="10"))
        cancel(account, order)

        sweep(4)

        assert broker.submitted == [str(order.pk)]
        assert reload(order).state in {"UNKNOWN", "NEEDS_REVIEW"}

    def test_while_a_sending_fails_ends_what_was_not_sent(self, place, broker, account):
        class Away(type(broker)):
            def submit(self, ticket, *, broker_account_id, client_order_id):
                (order,) = orders_of(account)
                assert (order.state, cancel(account, order).is_working) == ("SENDING", True)
                raise AWAY

        broker.__class__ = Away
        order = place(buy(notional="1000"))
        assert (order.state, held(order)) == ("PENDING", Decimal(1000))

        sweep()

        ended = reload(order)
        assert (ended.state, ended.reason_code) == ("CANCELED", "customer_canceled")
        assert (ended.reserved_cash, held(order), broker.submitted) == (0, 0, [])

    def test_an_order_that_is_over_stays_over(self, place, broker, account):
        order = place(buy(notional="10"))
        broker.fill(str(order.pk), Decimal("0.1"), Decimal(100))

        with pytest.raises(services.OrderNotOpen):
            cancel(account, order)
        assert reload(order).vendor_status == "filled"

    def test_a_fill_may_still_come_after_it(self, place, broker, account):
        order = place(buy(quantity="1"))
        cancel(account, order)
        broker.fill(str(order.pk), Decimal(1), Decimal(100))

        sweep_late = cancels.repeat_wishes(at=now())
        pass_time(30)
        cancels.repeat_wishes(at=now())

        assert sweep_late == 0
        assert (reload(order).vendor_status, reload(order).filled_quantity) == ("filled", 1)
        assert broker.canceled == [order.broker_order_id]

    @pytest.mark.parametrize("error", [UNCLEAR, AWAY, NO], ids=lambda e: type(e).__name__)
    def test_is_repeated_until_the_broker_is_at_it(self, place, broker, account, error):
        order = place(buy(quantity="1"))
        broker.plan_cancel(error)

        asked = cancel(account, order)
        assert (asked.is_working, broker.canceled) == (True, [])
        pass_time(11)
        sweep()

        assert broker.canceled == [order.broker_order_id]
        assert reload(order).vendor_status == "pending_cancel"

    def test_is_not_repeated_while_the_broker_is_at_it(self, place, broker, account):
        order = place(buy(quantity="1"))
        cancel(account, order)
        broker.move(str(order.pk), "pending_cancel")

        for _ in range(3):
            pass_time(11)
            sweep()

        assert broker.canceled == [order.broker_order_id]

    def test_the_broker_that_let_it_fall_is_asked_again(self, place, broker, account):
        order = place(buy(quantity="1"))
        cancel(account, order)
        broker.move(str(order.pk), "new")  # it refused after all

        pass_time(11)
        sweep()

        assert broker.canceled == [order.broker_order_id] * 2

    def test_that_a_dying_process_wrote_down_is_carried_out(self, place, broker, account):
        order = place(buy(quantity="1"))
        with acting_as(SYSTEM):
            cancels.want(Order.objects.locked(order.pk), by="someone", at=now())

        sweep()
        assert broker.canceled == []  # whoever wrote it down may be about to carry it out
        pass_time(4)
        sweep()

        assert broker.canceled == [order.broker_order_id]

    def test_keeps_the_history_of_the_brokers_words(self, place, broker, account):
        order = place(buy(quantity="1"))
        cancel(account, order)

        steps = IntentStep.objects.filter(intent_id=order.pk).values_list(
            "vendor_status", flat=True
        )
        assert list(steps)[-2:] == ["pending_new", "pending_cancel"]

    def test_anothers_order_does_not_exist(self, place, broker, account):
        order = place(buy(notional="10"))

        with pytest.raises(NotFound):
            cancel(account, order, user_id="bob-sub")
        assert (broker.canceled, reload(order).cancel_asked_at) == ([], None)

    def test_an_order_is_not_found_under_another_account_of_the_same_owner(
        self, place, broker, account
    ):
        order = place(buy(notional="10"))
        with acting_as(SYSTEM):
            type(account).objects.filter(pk=account.pk).update(vendor_status="ACCOUNT_CLOSED")
        other = factories.new_account()

        with pytest.raises(NotFound):
            cancel(other, order)
        assert broker.canceled == []


class TestCancelAll:
    def test_ends_what_waits_and_asks_for_what_the_broker_has(self, place, broker, account):
        there, over = place(buy(quantity="1")), place(buy(quantity="2"))
        tell(broker.fill(str(over.pk), Decimal(2), Decimal(100)))
        broker.plan(UNCLEAR, is_done=True)
        unsure = place(buy(quantity="3"))
        broker.plan(AWAY)
        waiting = place(buy(quantity="1", limit_price="99"))

        orders = services.cancel_all(principal=customer(), account_id=account.pk, at=now())

        assert {order.pk: order.state for order in orders} == {
            there.pk: "ACCEPTED",
            unsure.pk: "UNKNOWN",
            waiting.pk: "CANCELED",
        }
        assert broker.canceled == [there.broker_order_id]
        sweep()
        assert set(broker.canceled) == {there.broker_order_id, reload(unsure).broker_order_id}

    def test_leaves_the_exits_to_their_entry(self, place, broker, account):
        entry = place(bracket("2"))

        services.cancel_all(principal=customer(), account_id=account.pk, at=now())

        assert broker.canceled == [entry.broker_order_id]
        assert all(order.cancel_asked_at for order in orders_of(account))


@pytest.mark.django_db(transaction=True)
class TestAtTheRealBroker:
    """The sandbox counts what it was asked and what came of it."""

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "hang", "accepted": True},
            {"kind": "hang", "accepted": False},
            {"kind": "reset", "accepted": True},
            {"kind": "status", "status": 503, "accepted": False},
        ],
        ids=lambda fault: f"{fault['kind']} {fault['accepted']}",
    )
    def test_a_cancellation_whose_answer_is_lost_happens(self, sandbox, sandbox_account, fault):
        account = sandbox_account
        order = services.place_order(
            principal=customer(),
            account_id=account.pk,
            ticket=buy("AAPL", quantity="1", limit_price=resting(sandbox)),
            request=None,
            at=now(),
        )
        sandbox.advance(1)
        sandbox.fault(vendor="alpaca_broker", method="DELETE", path="/orders/", **fault)

        asked = cancel(account, order)
        assert asked.cancel_asked_at is not None
        sandbox.hangs_no_more()
        for _ in range(3):
            pass_time(11)
            sandbox.advance(1)
            sweep()
            keep_events()
        sweep()

        assert (reload(order).vendor_status, held(order)) == ("canceled", 0)
        assert reload(order).filled_quantity == 0


def resting(sandbox):
    """Choose a price at which a purchase rests and the collar still lets it pass."""
    sandbox.control("POST", "/prices", {"AAPL": "100.00"})
    return "95.00"
