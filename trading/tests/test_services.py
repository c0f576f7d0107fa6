"""An order from the wish to the broker's answer, with a broker in memory."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from accounts.services import oversight
from core import idempotency
from core.auth import Kind, Principal, acting_as
from core.errors import (
    Invalid,
    NotFound,
    VendorRejected,
    VendorUnavailable,
    VendorUnclear,
)
from core.intents.models import IntentStep
from trading import services
from trading.models import CashBalance, Order
from trading.risk import PriceStale, RiskRefused
from trading.services.orders import NotClosing
from trading.states import Source
from trading.tests import factories
from trading.tests.factories import buy, customer, orders_of, reload, sell

pytestmark = pytest.mark.django_db
UNCLEAR = VendorUnclear("fake", "no answer")
AWAY = VendorUnavailable("fake", "not connected")
NO = VendorRejected("fake", "insufficient buying power", vendor_code="40310000")


def now():
    return datetime.now(UTC)


def keyed(key="key-1", content="same", *, allows_duplicate=False):
    return idempotency.Request(
        principal="customer:alice",
        operation="trading.place_order",
        key=key,
        fingerprint=idempotency.fingerprint_of(content),
        allows_duplicate=allows_duplicate,
    )


def sweep():
    return services.sweep_orders(at=now())


class TestPlaceOrder:
    def test_reaches_the_broker_once_under_our_own_id(self, place, broker):
        order = place(buy(notional="150.00"))

        assert broker.submitted == [str(order.pk)]
        assert broker.tickets[str(order.pk)] == buy(notional="150.00")
        assert (order.state, order.vendor_status) == ("ACCEPTED", "pending_new")
        assert order.broker_order_id == broker.orders[str(order.pk)].broker_order_id
        assert (order.user_id, order.placed_by) == ("alice-sub", "customer:alice-sub")

    def test_keeps_the_verdict_with_the_price_it_saw(self, place, broker):
        order = place(buy(notional="150.00"))

        assert order.verdict["allowed"] is True
        assert (order.verdict["price"], order.verdict["value"]) == ("100", "150.00")

    def test_a_repeated_key_shows_the_first_order_and_sends_nothing(self, place, broker):
        first = place(buy(notional="10"), request=keyed())
        factories.pass_time(30)  # the first request died before it could answer

        again = place(buy(notional="10"), request=keyed())

        assert again == first
        assert broker.submitted == [str(first.pk)]

    def test_the_same_content_within_a_minute_needs_a_word(self, place, broker, account):
        place(buy(notional="10"), request=keyed("key-1"))

        with pytest.raises(idempotency.PossibleDuplicate):
            place(buy(notional="10"), request=keyed("key-2"))
        assert len(orders_of(account)) == 1

        place(buy(notional="10"), request=keyed("key-3", allows_duplicate=True))
        assert len(broker.submitted) == 2

    def test_a_refusal_is_kept_and_never_sent(self, place, broker, account):
        with pytest.raises(RiskRefused) as refusal:
            place(buy(notional="1000.01"))

        (order,) = orders_of(account)
        assert refusal.value.extra == {
            "rule": "insufficient_buying_power",
            "order_id": str(order.pk),
        }
        assert list(refusal.value.field_errors) == ["notional_amount"]
        assert (order.state, order.reason_code) == ("CANCELED", "risk_refused")
        assert order.verdict["rule"] == "insufficient_buying_power"
        assert broker.submitted == []

    def test_a_refused_key_is_refused_again_without_a_second_order(self, place, broker, account):
        with pytest.raises(RiskRefused):
            place(buy(notional="5000"), request=keyed())
        factories.pass_time(30)

        with pytest.raises(RiskRefused):
            place(buy(notional="5000"), request=keyed())
        assert len(orders_of(account)) == 1

    def test_without_a_fresh_price_nothing_is_recorded(self, place, broker, account, apple):
        factories.set_price(apple, "100", at=datetime(2026, 1, 1, tzinfo=UTC))

        with pytest.raises(PriceStale):
            place(buy(notional="10"), request=keyed())

        assert (orders_of(account), broker.submitted) == ([], [])

    def test_a_ticket_without_sense_is_no_order(self, place, broker, account):
        with pytest.raises(Invalid) as error:
            place(buy(notional="10", quantity="1"))

        assert list(error.value.field_errors) == ["units"]
        assert orders_of(account) == []

    def test_anothers_account_does_not_exist(self, place, broker, account):
        with pytest.raises(NotFound):
            place(buy(notional="10"), principal=customer("bob-sub"))

        assert (orders_of(account), broker.submitted) == ([], [])

    def test_a_service_that_names_nobody_sees_no_account(self, place, broker):
        service = Principal(kind=Kind.SERVICE, key_id="k", scopes=frozenset({"trading:write"}))

        with pytest.raises(NotFound):
            place(buy(notional="10"), principal=service)

    def test_an_account_that_is_not_active_trades_nothing(self, broker, apple):
        waiting = factories.new_account(status="APPROVED")

        with pytest.raises(RiskRefused) as refusal:
            services.place_order(
                principal=customer(),
                account_id=waiting.pk,
                ticket=buy(notional="10"),
                request=None,
                at=now(),
            )
        assert refusal.value.extra["rule"] == "account_not_active"
        assert broker.submitted == []


class TestMoneyAndShares:
    def test_undecided_orders_count_against_what_can_be_spent(self, place, broker):
        broker.plan(UNCLEAR)
        place(buy(notional="600"))

        with pytest.raises(RiskRefused) as refusal:
            place(buy(notional="400.01"))
        assert refusal.value.extra["rule"] == "insufficient_buying_power"

        assert place(buy(notional="400")).is_accepted

    def test_undecided_sales_count_against_what_can_be_sold(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "3"})
        place(sell(quantity="2"))

        with pytest.raises(RiskRefused) as refusal:
            place(sell(quantity="1.000000001"))
        assert refusal.value.extra["rule"] == "insufficient_quantity"

        assert place(sell(quantity="1")).is_accepted

    def test_a_rejected_order_frees_what_it_held(self, place, broker):
        broker.plan(NO)
        with pytest.raises(services.OrderRejected):
            place(buy(notional="1000"))

        assert place(buy(notional="1000")).is_accepted

    def test_what_was_spent_is_held_back_until_the_holdings_show_it(self, place, broker, account):
        broker.plan(UNCLEAR, is_done=True)
        order = place(buy(quantity="6"))
        broker.fill(str(order.pk), Decimal(6), Decimal(100))
        sweep()
        assert reload(order).vendor_status == "filled"

        with pytest.raises(RiskRefused) as refusal:
            place(buy(notional="400.01"))
        assert refusal.value.extra["rule"] == "insufficient_buying_power"

        services.sync_holdings(account_id=account.pk, at=now())
        assert reload(order).reserved_cash == 0
        assert place(buy(notional="400")).is_accepted

    def test_an_account_nobody_has_read_is_read_first(self, broker, apple):
        fresh = factories.new_account()
        broker.cash = Decimal("50.00")

        order = services.place_order(
            principal=customer(),
            account_id=fresh.broker_account_id,
            ticket=buy(notional="50"),
            request=None,
            at=now(),
        )

        assert order.is_accepted
        assert factories.cash_of(fresh).cash == Decimal("50.00")

    def test_nobody_is_refused_on_old_knowledge(self, place, broker, account):
        factories.fund(account, cash="5.00")
        factories.pass_time(3)

        assert place(buy(notional="900")).is_accepted
        assert broker.readings == 1

    def test_a_refusal_on_fresh_knowledge_reads_nothing(self, place, broker, account):
        factories.fund(account, cash="5.00")

        with pytest.raises(RiskRefused):
            place(buy(notional="900"))
        assert broker.readings == 0


class TestAnUnsureBroker:
    def test_a_lost_answer_is_unknown_and_the_sweep_finds_the_order(self, place, broker):
        broker.plan(UNCLEAR, is_done=True)
        order = place(buy(notional="10"))
        assert order.state == "UNKNOWN"

        sweep()

        found = reload(order)
        assert (found.state, found.vendor_status) == ("ACCEPTED", "pending_new")
        assert broker.submitted == [str(order.pk)]

    def test_no_trace_is_sent_again_after_two_looks_with_the_same_id(self, place, broker):
        broker.plan(UNCLEAR)
        order = place(buy(notional="10"))

        sweep()
        assert broker.submitted == [str(order.pk)]
        factories.pass_time(10)
        sweep()

        assert broker.submitted == [str(order.pk)] * 2
        assert list(broker.orders) == [str(order.pk)]
        assert reload(order).state == "ACCEPTED"

    def test_an_unreachable_broker_gets_it_later(self, place, broker):
        broker.plan(AWAY)
        order = place(buy(notional="10"))
        assert (order.state, order.reason_code) == ("PENDING", "vendor_unavailable")

        factories.pass_time(5)
        sweep()

        assert reload(order).state == "ACCEPTED"
        assert broker.submitted == [str(order.pk)] * 2

    def test_what_waits_is_not_sent_from_an_account_that_was_frozen_since(
        self, place, broker, account
    ):
        broker.plan(AWAY)
        order = place(buy(notional="10"))
        oversight.freeze(
            staff=Principal.staff(7), account_id=account.pk, reason="looks odd", at=now()
        )

        factories.pass_time(5)
        sweep()
        assert (reload(order).state, broker.submitted) == ("PENDING", [str(order.pk)])

        factories.pass_time(300)
        sweep()
        assert (reload(order).state, broker.submitted) == ("CANCELED", [str(order.pk)])

    def test_what_was_never_sent_is_given_up_and_frees_its_money(self, place, broker, account):
        broker.plan(AWAY)
        order = place(buy(notional="1000"))
        factories.pass_time(301)

        sweep()

        assert (reload(order).state, reload(order).reason_code) == ("CANCELED", "not_sent")
        factories.fund(account)
        assert place(buy(notional="1000")).is_accepted

    def test_a_clear_no_is_final_and_says_why(self, place, broker, account):
        broker.plan(NO)

        with pytest.raises(services.OrderRejected) as error:
            place(buy(notional="10"))

        (order,) = orders_of(account)
        assert (order.state, order.vendor_status) == ("REJECTED", "40310000")
        assert error.value.detail.endswith("insufficient buying power")


class TestAFixedId:
    """What is done again after a crash names its order itself."""

    @pytest.fixture(autouse=True)
    def _closing(self, account):
        factories.set_closing(account, now())

    def place(self, account, order_id):
        return services.place_order(
            principal=customer(),
            account_id=account.pk,
            ticket=buy(notional="10"),
            request=None,
            source=Source.CLOSURE,
            order_id=order_id,
            at=now(),
        )

    def test_is_one_order_however_often_it_is_placed(self, broker, account):
        order_id = uuid4()

        first, again = self.place(account, order_id), self.place(account, order_id)

        assert (first.pk, again.pk, first.source) == (order_id, order_id, "CLOSURE")
        assert broker.submitted == [str(order_id)]

    def test_of_an_order_that_was_not_sent_sends_it_on(self, broker, account):
        order_id = uuid4()
        broker.plan(AWAY)
        assert self.place(account, order_id).state == "PENDING"

        assert self.place(account, order_id).state == "ACCEPTED"
        assert len(orders_of(account)) == 1

    def test_of_a_worker_that_slept_through_the_end_of_the_closure_is_nothing(
        self, broker, account
    ):
        factories.set_closing(account, None)

        with pytest.raises(NotClosing):
            self.place(account, uuid4())

        assert (orders_of(account), broker.submitted) == ([], [])


class TestHistory:
    def test_every_step_is_kept(self, place, broker):
        broker.plan(UNCLEAR, is_done=True)
        order = place(buy(notional="10"))
        sweep()

        steps = IntentStep.objects.filter(intent_id=order.pk).values_list("to_state", flat=True)
        assert list(steps) == ["SENDING", "UNKNOWN", "ACCEPTED"]


class TestRowSecurity:
    def test_a_customer_sees_no_row_of_another(self, place, broker):
        place(buy(notional="10"))

        with acting_as(customer("bob-sub")):
            assert not Order.objects.exists()
            assert not CashBalance.objects.exists()
        with acting_as(customer("alice-sub")):
            assert (Order.objects.count(), CashBalance.objects.count()) == (1, 1)

    def test_nobody_sees_nothing(self, place, broker):
        place(buy(notional="10"))

        assert not Order.objects.exists()
