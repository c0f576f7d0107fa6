"""Real clients, a real broker in pretence, and everything that can go wrong between them."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import inbox
from core.feeds import VendorEvent
from trading import gateways, services
from trading.services import news
from trading.tests.factories import (
    buy,
    cash_of,
    customer,
    orders_of,
    pass_time,
    positions_of,
    reload,
    sell,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ENDINGS = (
    {"kind": "hang"},
    {"kind": "reset"},
    {"kind": "status", "status": 504},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 500},
    {"kind": "garbage"},
    {"kind": "garbage", "variant": "html"},
)
PLACING = {"vendor": "alpaca_broker", "method": "POST", "path": "/orders$"}
LOOKING = {"vendor": "alpaca_broker", "method": "GET", "path": "by_client_order_id"}


@pytest.fixture
def account(sandbox_account):
    return sandbox_account


@pytest.fixture
def place(account):
    def place(ticket):
        return services.place_order(
            principal=customer(), account_id=account.pk, ticket=ticket, request=None, at=now()
        )

    return place


def now():
    return datetime.now(UTC)


def sweep(times=1):
    for _ in range(times):
        services.sweep_orders(at=now())


def keep_events():
    """Read the broker's stream up to its first pause, as the follower does."""
    pauses = 0
    with gateways.get_broker().trade_feed().open(inbox.position_of(news.SOURCE)) as opened:
        for item in opened:
            if isinstance(item, VendorEvent):
                inbox.receive(news.SOURCE, item.position, item.payload, cursor=item.position)
            pauses += item is None
            if pauses == 2:  # the first is the greeting
                return


class TestTheOrdinaryWay:
    def test_an_order_is_placed_filled_and_booked(self, sandbox, place, account):
        order = place(buy("AAPL", notional="1000.00"))
        assert (order.state, order.is_working) == ("ACCEPTED", True)

        sandbox.advance(2)
        keep_events()
        assert services.apply_events() >= 2

        order = reload(order)
        assert order.vendor_status == "filled"
        assert positions_of(account) == {"AAPL": order.filled_quantity}
        spent = Decimal(10000) - cash_of(account).cash
        assert abs(spent - Decimal(1000)) <= Decimal("0.01")

        drift = services.sync_holdings(account_id=account.pk, at=now())
        assert (drift, positions_of(account)) == ([], {"AAPL": order.filled_quantity})

    def test_what_was_bought_can_be_sold(self, sandbox, place, account):
        place(buy("AAPL", quantity="2"))
        sandbox.advance(2)
        keep_events()
        services.apply_events()

        place(sell("AAPL", quantity="2"))
        sandbox.advance(2)
        keep_events()
        services.apply_events()

        assert positions_of(account) == {}
        assert services.sync_holdings(account_id=account.pk, at=now()) == []

    def test_events_seen_twice_or_in_disorder_lead_to_the_same_end(self, sandbox, place, account):
        sandbox.fault(kind="partial_fill", vendor="alpaca_broker")
        for kind in ("duplicate", "reorder", "duplicate"):
            sandbox.fault(kind=kind, vendor="alpaca_broker", stream="trades")
        order = place(buy("AAPL", quantity="4"))
        sandbox.advance(3)

        keep_events()
        keep_events()
        services.apply_events()

        assert (reload(order).vendor_status, reload(order).filled_quantity) == ("filled", 4)
        assert positions_of(account) == {"AAPL": Decimal(4)}
        assert services.sync_holdings(account_id=account.pk, at=now()) == []

    def test_a_lost_event_is_healed(self, sandbox, place, account):
        order = place(buy("AAPL", quantity="4"))
        sandbox.advance(3)

        counts = services.heal_accounts(at=now())

        assert (counts["accounts"], counts["orders"]) == (1, 1)
        assert (reload(order).vendor_status, positions_of(account)) == (
            "filled",
            {"AAPL": Decimal(4)},
        )

    def test_a_resting_order_is_canceled(self, sandbox, place, account):
        order = place(buy("AAPL", quantity="1", limit_price="1.00"))
        assert cash_of(account).cash == Decimal(10000)

        services.cancel_order(
            principal=customer(),
            account_id=account.broker_account_id,
            order_id=order.broker_order_id,
            at=now(),
        )
        sandbox.advance(2)
        keep_events()
        services.apply_events()

        assert (reload(order).vendor_status, reload(order).reserved_cash) == ("canceled", 0)

    def test_the_brokers_own_rules_speak_last(self, sandbox, place, account):
        # A market order for shares reserves a little more at the broker than it costs now.
        sandbox.control("POST", "/prices", {"AAPL": "100.00"})

        with pytest.raises(services.OrderRejected) as error:
            place(buy("AAPL", quantity="99.5"))

        assert error.value.extra["broker_code"] == "40310000"
        assert sandbox.effects("order.created") == []
        assert [order.state for order in orders_of(account)] == ["REJECTED"]


class TestLostAnswers:
    @pytest.mark.parametrize("seed", range(14))
    def test_an_order_happens_exactly_once(self, sandbox, place, seed):
        chance = random.Random(seed)
        is_accepted = seed % 2 == 0
        amount = f"{chance.randrange(1, 5000)}.{chance.randrange(100):02}"
        sandbox.fault(**ENDINGS[seed % len(ENDINGS)], accepted=is_accepted, **PLACING)

        order = place(buy("AAPL", notional=amount))
        assert order.state == "UNKNOWN"
        sandbox.hangs_no_more()
        sweep(times=1 if is_accepted else 2)

        (effect,) = sandbox.effects("order.created")
        order = reload(order)
        assert (order.state, order.broker_order_id) == ("ACCEPTED", effect["vendor_id"])
        assert effect["client_key"] == str(order.pk)
        assert Decimal(effect["amount"]) == Decimal(amount)
        assert order.attempts == (1 if is_accepted else 2)

    def test_look_ups_that_fail_decide_nothing(self, sandbox, place):
        sandbox.fault(kind="reset_after_accept", **PLACING)
        sandbox.fault(kind="status", status=500, times=3, **LOOKING)
        order = place(buy("AAPL", notional="10"))

        sweep(times=3)
        assert (reload(order).state, reload(order).looks) == ("UNKNOWN", 0)

        sweep()
        assert reload(order).state == "ACCEPTED"
        assert len(sandbox.effects("order.created")) == 1

    def test_a_broker_that_forgets_for_a_while_still_gets_it_once(self, sandbox, place):
        sandbox.fault(kind="reset_after_accept", **PLACING)
        sandbox.fault(kind="status", status=404, times=2, **LOOKING)
        order = place(buy("AAPL", notional="10"))

        sweep(times=2)  # two empty looks, sent again, and refused as known already
        assert reload(order).state == "UNKNOWN"
        sweep()

        assert (reload(order).state, reload(order).attempts) == ("ACCEPTED", 2)
        assert len(sandbox.effects("order.created")) == 1

    def test_the_broker_away_is_no_effect_and_it_is_sent_later(self, sandbox, place, settings):
        there = settings.ALPACA_BROKER_URL
        place(buy("AAPL", notional="5"))
        settings.ALPACA_BROKER_URL = "http://127.0.0.1:9/alpaca/broker"  # nobody listens
        order = place(buy("AAPL", notional="10"))
        assert (order.state, order.reason_code) == ("PENDING", "vendor_unavailable")

        settings.ALPACA_BROKER_URL = there
        pass_time(10)
        sweep()

        assert reload(order).state == "ACCEPTED"
        assert [e["amount"] for e in sandbox.effects("order.created")] == ["5", "10"]
