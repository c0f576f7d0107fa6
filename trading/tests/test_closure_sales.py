"""What a closure wanted to sell, and had not yet, stays when the closure is left."""

from uuid import uuid4

import pytest

from core.auth import SYSTEM
from core.errors import VendorUnavailable, VendorUnclear
from trading import services
from trading.states import Source
from trading.tests import factories
from trading.tests.factories import orders_of, pass_time, sell
from trading.tests.stopping import lift, now, stop

pytestmark = pytest.mark.django_db
AWAY = VendorUnavailable("fake", "not connected")
UNCLEAR = VendorUnclear("fake", "no answer")


@pytest.fixture
def closing(account):
    factories.fund(account, positions={"AAPL": "3"})
    factories.set_closing(account, now())
    return account


def sell_for(account, order_id):
    return services.place_order(
        principal=SYSTEM,
        account_id=account.pk,
        ticket=sell(quantity="3"),
        request=None,
        source=Source.CLOSURE,
        order_id=order_id,
        at=now(),
    )


def leave(account):
    factories.set_closing(account, None)


def test_one_that_waits_for_its_next_try_is_given_up(broker, closing):
    order_id = uuid4()
    broker.plan(AWAY)
    sell_for(closing, order_id)
    leave(closing)

    pass_time(30)
    services.sweep_orders(at=now())
    assert sell_for(closing, order_id).state == "PENDING"
    pass_time(301)
    services.sweep_orders(at=now())

    [order] = orders_of(closing)
    assert (order.state, broker.submitted) == ("CANCELED", [str(order_id)])


def test_one_whose_answer_was_lost_is_not_sent_again(broker, closing, settings):
    settings.INTENT_LOOK_SECONDS = 0
    order_id = uuid4()
    broker.plan(UNCLEAR)
    assert sell_for(closing, order_id).state == "UNKNOWN"
    leave(closing)

    for _ in range(4):
        pass_time(11)
        services.sweep_orders(at=now())

    assert broker.submitted == [str(order_id)]


def test_one_that_a_switch_holds_back_ends(broker, closing):
    broker.plan(AWAY)
    sell_for(closing, uuid4())
    switch = stop()
    services.obey_switches(at=now())
    leave(closing)
    lift(switch)

    services.release_due(at=now())

    [order] = orders_of(closing)
    assert (order.state, order.reason_code) == ("CANCELED", "closure_left")
    assert (broker.tickets, order.reserved_quantity) == ({}, 0)


def test_while_the_account_is_being_closed_each_goes_on(broker, closing):
    broker.plan(AWAY)
    sell_for(closing, uuid4())
    switch = stop()
    services.obey_switches(at=now())
    lift(switch)

    services.release_due(at=now())

    [order] = orders_of(closing)
    assert order.state == "ACCEPTED"
