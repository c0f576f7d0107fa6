"""What orders do to the cash ledger, however they end and whoever tells of it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.intents import sending
from ledger import services as ledger
from ledger.tests import invariants as ledger_invariants
from trading import services
from trading.models import CashBalance, Order
from trading.risk import RiskRefused
from trading.services.couriers import OrderCourier
from trading.tests import factories
from trading.tests.factories import buy, customer, pass_time, reload, sell
from trading.tests.telling import books_tell, cash, held, now, tell, witnesses

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)


class TestAHold:
    @pytest.mark.parametrize(
        ("ticket", "dollars"),
        [
            (buy(notional="250.00"), "250.00"),
            (buy(quantity="3"), "300.00"),
            (buy(quantity="2", limit_price="99.99"), "199.98"),
            (buy(quantity="0.333333333"), "33.33"),
        ],
        ids=str,
    )
    def test_is_what_a_purchase_may_cost(self, place, broker, account, ticket, dollars):
        order = place(ticket)

        assert held(order) == Decimal(dollars)
        assert cash(account) == (Decimal(0), -Decimal(dollars))

    def test_is_not_made_for_a_sale(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "2"})

        order = place(sell(quantity="2"))

        assert (order.is_accepted, held(order)) == (True, 0)

    def test_is_not_made_for_what_the_rules_refuse(self, place, broker, account):
        with pytest.raises(RiskRefused):
            place(buy(notional="5000.00"))

        assert ledger_invariants.open_holds() == {}

    def test_never_makes_the_ledger_refuse_an_order(self, place, broker, account):
        orders = [place(buy(notional=f"{dollars}.00")) for dollars in (400, 300, 299)]

        assert [order.is_accepted for order in orders] == [True] * 3
        assert cash(account) == (Decimal(0), Decimal(-999))

    def test_stays_while_nobody_knows_what_became_of_the_order(self, place, broker):
        broker.plan(VendorUnclear("fake", "no answer"))

        order = place(buy(notional="10.00"))

        assert (order.state, held(order)) == ("UNKNOWN", 10)


class TestTheEndOfAnOrder:
    """Whatever it is, nothing stays held; the fixture of all tests here looks as well."""

    def ends(self, order, account):
        assert not reload(order).is_working
        assert held(order) == 0
        assert cash(account) == (Decimal(0), Decimal(0))

    def test_by_the_brokers_no(self, place, broker, account):
        broker.plan(VendorRejected("fake", "no", vendor_code="403"))

        with pytest.raises(services.OrderRejected):
            place(buy(notional="10.00"))

        (order,) = factories.orders_of(account)
        self.ends(order, account)

    def test_by_its_owner_before_it_was_sent(self, place, broker, account):
        broker.plan(VendorUnavailable("fake", "away"))
        order = place(buy(notional="10.00"))
        assert (order.state, held(order)) == ("PENDING", 10)

        services.cancel_order(
            principal=customer(account.user_id),
            account_id=account.pk,
            order_id=order.pk,
            at=now(),
        )

        self.ends(order, account)

    def test_by_the_sweep_that_could_not_send_it_in_time(self, place, broker, account):
        broker.plan(VendorUnavailable("fake", "away"))
        order = place(buy(notional="10.00"))
        pass_time(301)

        services.sweep_orders(at=now())

        assert reload(order).state == "CANCELED"
        self.ends(order, account)

    @pytest.mark.parametrize("status", ["canceled", "expired", "rejected", "replaced"])
    def test_by_the_brokers_news(self, place, broker, account, status):
        order = place(buy(notional="10.00"))

        tell(broker.move(str(order.pk), status))

        self.ends(order, account)

    def test_by_news_that_overtake_the_answer(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(notional="10.00"))

        tell(broker.move(str(order.pk), "canceled"))

        self.ends(order, account)

    def test_by_a_look_up_that_finds_it_refused(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(notional="10.00"))
        broker.move(str(order.pk), "rejected")
        pass_time(30)

        services.sweep_orders(at=now())

        assert reload(order).state == "REJECTED"
        self.ends(order, account)

    def test_by_an_operator_who_found_no_trace(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"))
        order = place(buy(notional="10.00"))
        with acting_as(SYSTEM):
            Order.objects.filter(pk=order.pk).update(state="NEEDS_REVIEW")
        assert held(order) == 10

        sending.dismiss(order.pk, through=OrderCourier(), at=now())

        self.ends(order, account)

    def test_by_a_reading_that_finds_it_canceled(self, place, broker, account):
        order = place(buy(notional="10.00"))
        broker.move(str(order.pk), "canceled")

        services.heal_accounts(at=now())

        self.ends(order, account)


class TestAFill:
    def test_uses_up_what_was_held_and_the_rest_is_freed_at_the_end(self, place, broker, account):
        order = place(buy(quantity="4"))
        key = str(order.pk)

        tell(broker.fill(key, Decimal(1), Decimal(99)))
        assert held(order) == 301
        assert cash(account) == (Decimal(-99), Decimal(-400))

        tell(broker.fill(key, Decimal(3), Decimal("98.50")))
        assert held(order) == 0
        assert cash(account) == (Decimal("-394.50"), Decimal("-394.50"))
        assert reload(order).posted_quantity == 4

    def test_may_cost_more_than_was_held(self, place, broker, account):
        order = place(buy(quantity="1"))

        tell(broker.fill(str(order.pk), Decimal(1), Decimal("100.07")))

        assert held(order) == 0
        assert cash(account) == (Decimal("-100.07"), Decimal("-100.07"))

    def test_that_is_the_last_before_a_cancel_leaves_nothing_held(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(1), HUNDRED)

        tell(filled, broker.move(str(order.pk), "canceled"))

        assert (held(order), cash(account)) == (0, (-HUNDRED, -HUNDRED))

    @pytest.mark.parametrize("turns", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1), (2, 2, 0, 1, 1)])
    def test_counts_once_in_any_order_of_events(self, place, broker, account, turns):
        order = place(buy(quantity="6"))
        parts = (Decimal(1), Decimal(2), Decimal(3))
        events = [broker.fill(str(order.pk), part, HUNDRED) for part in parts]

        for number, turn in enumerate(turns):
            tell({**events[turn], "event_ulid": f"01KE6Z3M5QZZZZZZZZZZZZZZ{number:02d}"})

        assert cash(account) == (Decimal(-600), Decimal(-600))
        assert (held(order), reload(order).posted_quantity) == (0, 6)
        assert witnesses(account) == [["EXECUTION"]] * 3

    def test_of_a_sale_brings_money_rounded_half_to_even(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "3"})
        broker.positions["AAPL"] = (Decimal(3), Decimal(270))
        order = place(sell(quantity="3"))

        tell(broker.fill(str(order.pk), Decimal("0.5"), Decimal("100.01")))

        assert cash(account) == (Decimal("50.00"), Decimal("50.00"))

    def test_of_less_than_half_a_cent_moves_nothing(self, place, broker, account):
        order = place(buy(quantity="1"))

        tell(broker.fill(str(order.pk), Decimal("0.00004"), HUNDRED))

        assert (cash(account)[0], reload(order).posted_quantity) == (0, Decimal("0.00004"))

    def test_of_an_order_whose_answer_was_lost_is_told(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        order = place(buy(quantity="2"))

        tell(broker.fill(str(order.pk), Decimal(2), HUNDRED))

        assert (held(order), cash(account)[0]) == (0, Decimal(-200))


class TestTheBrokersBooks:
    def test_that_come_first_use_up_the_hold_with_the_event(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(3), HUNDRED)
        books_tell(account, order, quantity=3, cumulative=3)
        assert (held(order), cash(account)[0]) == (400, Decimal(-300))

        tell(filled)

        assert (held(order), cash(account)) == (100, (Decimal(-300), Decimal(-400)))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]]

    def test_that_come_second_only_add_their_word(self, place, broker, account):
        order = place(buy(quantity="4"))
        tell(broker.fill(str(order.pk), Decimal(4), HUNDRED))

        books_tell(account, order, quantity=4, cumulative="4.000000000")

        assert cash(account) == (Decimal(-400), Decimal(-400))
        assert witnesses(account) == [["ACTIVITY", "EXECUTION"]]


def test_cash_of_which_the_ledger_was_not_told_can_be_spent_at_once(sandbox, sandbox_account):
    at = datetime.now(UTC)
    services.sync_holdings(account_id=sandbox_account.pk, at=at)
    ledger.compare_account(account_id=sandbox_account.pk, at=at)
    seed = {"cash": "50000", "months": 1}
    sandbox.control("POST", f"/accounts/{sandbox_account.broker_account_id}/seed", seed)
    with acting_as(SYSTEM):
        CashBalance.objects.update(fetched_at=at - timedelta(minutes=1))

    order = services.place_order(
        principal=customer(sandbox_account.user_id),
        account_id=sandbox_account.pk,
        ticket=buy(notional="30000"),
        request=None,
        at=datetime.now(UTC),
    )

    assert order.verdict["allowed"] is True
