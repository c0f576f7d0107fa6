"""A kill switch: no order leaves after it, what waits is held, and cancellations still go out."""

from decimal import Decimal

import pytest
from django.apps import apps

from core.auth import SYSTEM, acting_as
from core.errors import VendorUnavailable, VendorUnclear
from trading import risk, services
from trading.models import Order, Proposal
from trading.services import switches
from trading.states import SwitchScope
from trading.tests.factories import (
    BOB,
    buy,
    customer,
    new_account,
    pass_time,
    reload,
    set_price,
)
from trading.tests.stopping import STAFF, lift, now, stop
from trading.tests.telling import tell
from trading.tickets import Changes

pytestmark = pytest.mark.django_db
AWAY = VendorUnavailable("alpaca", "not connected")
LOST = VendorUnclear("alpaca", "no answer")


def sweep():
    return services.sweep_orders(at=now())


def release():
    return services.release_due(at=now())


@pytest.fixture
def waiting(place, broker):
    """An order that was recorded, and that the broker could not be reached for."""
    broker.plan(AWAY)
    order = place(buy(notional="100"))
    assert order.state == "PENDING"
    return order


@pytest.fixture
def unsure(place, broker):
    """An order whose answer was lost and of which the broker knows nothing."""
    broker.plan(LOST)
    order = place(buy(notional="100"))
    assert order.state == "UNKNOWN"
    return order


class TestStopping:
    def test_new_orders_are_refused(self, place, broker):
        stop()

        with pytest.raises(risk.RiskRefused) as error:
            place(buy(notional="100"))

        assert error.value.extra["rule"] == "trading_halted"
        assert broker.submitted == []

    def test_what_waits_is_held_and_never_given_up_or_sent(self, waiting, broker):
        stop()
        pass_time(5)

        sweep()

        order = reload(waiting)
        assert (order.state, order.held_for, order.reason_code) == (
            "HELD",
            "KILL_SWITCH",
            "trading_halted",
        )
        assert (order.held_price, order.lease_holder) == (Decimal(100), None)
        for _ in range(3):
            pass_time(301)
            sweep()
            release()
        assert reload(waiting).state == "HELD"
        assert broker.submitted == [str(waiting.pk)]  # the call before the switch

    def test_what_waits_for_its_next_try_is_held_at_once(self, waiting):
        stop()

        assert services.obey_switches(at=now()) == {"held": 1, "cancels_asked": 0}
        assert reload(waiting).state == "HELD"

    def test_what_has_waited_for_five_minutes_is_held_and_not_canceled(self, waiting):
        stop()
        pass_time(301)

        sweep()

        assert reload(waiting).state == "HELD"

    def test_what_may_have_arrived_is_looked_up_and_not_sent_again(self, unsure, broker, settings):
        settings.INTENT_LOOK_SECONDS = 0
        switch = stop()

        for _ in range(5):
            sweep()

        assert (reload(unsure).state, reload(unsure).attempts) == ("UNKNOWN", 1)
        assert broker.submitted == [str(unsure.pk)]

        lift(switch)
        sweep()
        assert (reload(unsure).state, reload(unsure).attempts) == ("ACCEPTED", 2)

    def test_what_did_arrive_is_found_all_the_same(self, place, broker):
        broker.plan(LOST, is_done=True)
        order = place(buy(notional="100"))
        stop()

        sweep()

        assert reload(order).state == "ACCEPTED"

    def test_what_the_broker_has_after_all_is_no_longer_held(self, place, broker):
        broker.plan(AWAY, is_done=True)  # it said no such thing, and took the order
        order = place(buy(notional="100"))
        stop()
        services.obey_switches(at=now())
        assert reload(order).state == "HELD"

        tell(broker.move(str(order.pk), "new"))

        assert (reload(order).state, reload(order).held_for) == ("ACCEPTED", "")

    def test_cancellations_still_go_out(self, place, broker, account):
        order = place(buy(quantity="1", limit_price="99"))
        stop()

        services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=order.pk, at=now()
        )

        assert broker.canceled == [order.broker_order_id]

    def test_changes_do_not(self, place, broker, account):
        order = place(buy(quantity="1", limit_price="99"))
        broker.move(str(order.pk), "new")
        services.heal_accounts(at=now())
        stop()

        with pytest.raises(risk.RiskRefused):
            services.replace_order(
                principal=customer(),
                account_id=account.pk,
                order_id=order.pk,
                changes=Changes(limit_price=Decimal(98)),
                request=None,
                at=now(),
            )

        assert broker.replaced == []


class TestLifting:
    @pytest.fixture
    def switch(self, waiting):
        switch = stop()
        pass_time(5)
        sweep()
        assert reload(waiting).state == "HELD"
        return switch

    def test_what_was_held_is_sent_once(self, waiting, switch, broker):
        lift(switch)

        assert (release(), release()) == ({"sent": 1}, {})
        assert reload(waiting).state == "ACCEPTED"
        assert list(broker.orders) == [str(waiting.pk)]

    def test_what_costs_too_different_a_price_is_suggested_instead(
        self, waiting, switch, broker, apple
    ):
        lift(switch)
        set_price(apple, "106")

        assert release() == {"lapsed": 1}

        assert (reload(waiting).state, reload(waiting).reason_code) == ("CANCELED", "queue_gap")
        with acting_as(SYSTEM):
            assert Proposal.objects.get().origin == "LAPSED"
        assert broker.orders == {}

    def test_what_was_wished_for_more_than_a_day_ago_is_too(self, waiting, switch, broker):
        pass_time(24 * 3600)
        lift(switch)

        assert release() == {"lapsed": 1}
        assert (reload(waiting).reason_code, broker.orders) == ("queue_stale", {})

    def test_what_its_owner_has_canceled_meanwhile_ends(self, waiting, switch, broker):
        with acting_as(SYSTEM):
            Order.objects.update(cancel_asked_at=now(), cancel_asked_by="x")
        lift(switch)

        assert release() == {"lapsed": 1}

        ended = reload(waiting)
        assert (ended.state, ended.reason_code) == ("CANCELED", "customer_canceled")
        assert (ended.reserved_cash, broker.orders) == (0, {})
        with acting_as(SYSTEM):
            assert not Proposal.objects.exists()

    def test_a_change_of_an_order_lapses_and_the_order_works_on(self, place, broker, account):
        old = place(buy(quantity="1", limit_price="99"))
        tell(broker.move(str(old.pk), "new"))
        broker.plan(AWAY)
        change = services.replace_order(
            principal=customer(),
            account_id=account.pk,
            order_id=old.pk,
            changes=Changes(limit_price=Decimal(98)),
            request=None,
            at=now(),
        )
        switch = stop()
        services.obey_switches(at=now())
        assert reload(change).state == "HELD"
        lift(switch)

        assert release() == {"lapsed": 1}

        assert (reload(change).state, reload(change).reason_code) == (
            "CANCELED",
            "replacement_lapsed",
        )
        assert reload(old).is_working
        assert list(broker.orders) == [str(old.pk)]
        with acting_as(SYSTEM):
            assert not Proposal.objects.exists()

    def test_a_switch_thrown_meanwhile_holds_it_on(self, waiting, switch):
        lift(switch)
        stop()

        assert release() == {}
        assert reload(waiting).state == "HELD"


class TestCancelingAll:
    def test_whatever_the_broker_has_is_canceled(self, place, broker, settings):
        settings.INTENT_LOOK_SECONDS = 0
        orders = [place(buy(quantity="1", limit_price=str(90 + n))) for n in range(9)]
        broker.plan(LOST, is_done=True)
        unsure = place(buy(quantity="1", limit_price="89"))
        stop(cancels=True)

        assert services.obey_switches(at=now())["cancels_asked"] == 10
        sweep()  # finds the one that was unsure
        sweep()

        wanted = {order.broker_order_id for order in [*orders, reload(unsure)]}
        assert set(broker.canceled) == wanted
        assert services.obey_switches(at=now())["cancels_asked"] == 0

    def test_it_can_be_ordered_afterwards(self, place, broker):
        order = place(buy(quantity="1", limit_price="99"))
        switch = stop()
        services.obey_switches(at=now())
        assert broker.canceled == []

        switches.cancel_open(staff=STAFF, switch_id=switch.pk, reason="Prices run away.")
        services.obey_switches(at=now())

        assert broker.canceled == [order.broker_order_id]

    def test_others_keep_theirs(self, place, broker, account):
        place(buy(quantity="1", limit_price="99"))
        other = new_account(BOB)
        stop(SwitchScope.ACCOUNT, other.pk, cancels=True)

        assert services.obey_switches(at=now())["cancels_asked"] == 0
        assert broker.canceled == []


class TestFrozenAccounts:
    """An order that turned UNKNOWN under a freeze is not what was wished for when it ends."""

    @pytest.fixture
    def frozen(self, unsure, account, settings):
        settings.INTENT_LOOK_SECONDS = 0
        self.freeze(account, at=now())
        for _ in range(3):
            sweep()
        return unsure

    def freeze(self, account, *, at):
        model = apps.get_model("accounts", "BrokerageAccount")
        with acting_as(SYSTEM):
            model.objects.filter(pk=account.pk).update(frozen_at=at)

    def test_it_is_looked_up_and_not_sent(self, frozen, broker):
        assert (reload(frozen).state, broker.orders) == ("UNKNOWN", {})

    def test_after_a_short_freeze_it_is_sent(self, frozen, account):
        self.freeze(account, at=None)
        sweep()

        assert reload(frozen).state == "ACCEPTED"

    def test_after_a_long_one_people_decide(self, frozen, account, broker):
        pass_time(61)
        self.freeze(account, at=None)
        sweep()

        order = reload(frozen)
        assert (order.state, order.reason_code) == ("NEEDS_REVIEW", "no_trace")
        assert (order.reserved_cash, broker.orders) == (Decimal(100), {})

    def test_what_turns_up_after_all_is_found_without_them(self, frozen, account, broker):
        pass_time(61)
        sweep()
        broker.submit(
            frozen.ticket,
            broker_account_id=frozen.broker_account_id,
            client_order_id=frozen.client_order_id,
        )
        pass_time(601)

        sweep()

        assert reload(frozen).state == "ACCEPTED"
