"""The exits of brackets: rows of their own, however the broker's word of them comes."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.errors import VendorUnclear
from trading import selectors, services
from trading.models import Order
from trading.selectors import OrderFilter
from trading.services import legs
from trading.states import OrderClass, OrderType
from trading.tests import factories
from trading.tests.factories import bracket, customer, orders_of, reload, sell
from trading.tests.telling import held, tell
from trading.tests.test_cancels import sweep

pytestmark = pytest.mark.django_db


def now():
    return datetime.now(UTC)


def exits_of(account):
    return [order for order in orders_of(account) if order.source == "BROKER"]


class TestBracket:
    def test_has_an_order_for_each_exit(self, place, broker, account):
        entry = place(bracket("2", stop_loss_limit_price="89"))

        profit, loss = sorted(exits_of(account), key=lambda order: order.order_type)
        assert (profit.order_type, profit.limit_price) == ("LIMIT", Decimal(120))
        assert (loss.order_type, loss.stop_price, loss.limit_price) == (
            "STOP_LIMIT",
            Decimal(90),
            Decimal(89),
        )
        for leg in (profit, loss):
            assert (leg.state, leg.vendor_status, leg.parent_id) == ("ACCEPTED", "held", entry.pk)
            assert (leg.side, leg.quantity, leg.user_id) == ("SELL", Decimal(2), entry.user_id)
            assert leg.client_order_id in broker.orders

    def test_reserves_its_entry_only(self, place, broker, account):
        entry = place(bracket("2"))

        assert (entry.reserved_cash, held(entry)) == (Decimal(200), Decimal(200))
        assert {leg.reserved_quantity for leg in exits_of(account)} == {Decimal(0)}

    def test_whose_answer_was_lost_has_them_once_it_is_found(self, place, broker, account):
        broker.plan(VendorUnclear("fake", "no answer"), is_done=True)
        place(bracket("2"))
        assert exits_of(account) == []

        sweep()
        assert len(exits_of(account)) == 2

    def test_is_told_of_them_twice_and_has_them_once(self, place, broker, account):
        entry = place(bracket("2"))
        told = broker.find(
            broker_account_id=entry.broker_account_id, client_order_id=entry.client_order_id
        )

        with acting_as(SYSTEM):
            again = legs.keep(Order.objects.locked(entry.pk), told, at=now())

        assert again == []
        assert len(exits_of(account)) == 2

    def test_that_is_canceled_shows_on_them_by_news(self, place, broker, account):
        entry = place(bracket("2"))
        services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=entry.pk, at=now()
        )
        for leg in exits_of(account):
            tell(broker.move(leg.client_order_id, "canceled"))
        tell(broker.move(str(entry.pk), "canceled"))

        assert {order.vendor_status for order in orders_of(account)} == {"canceled"}
        assert held(entry) == 0

    def test_sells_what_it_bought(self, place, broker, account):
        entry = place(bracket("2"))
        profit = next(leg for leg in exits_of(account) if leg.order_type == "LIMIT")
        tell(broker.fill(str(entry.pk), Decimal(2), Decimal(100)))
        tell(broker.move(profit.client_order_id, "new"))

        tell(broker.fill(profit.client_order_id, Decimal(2), Decimal(120)))

        assert reload(profit).vendor_status == "filled"
        assert factories.positions_of(account) == {}
        assert factories.cash_of(account).cash == Decimal(1040)

    def test_one_of_them_can_be_canceled_by_itself(self, place, broker, account):
        place(bracket("2"))
        leg = exits_of(account)[0]

        services.cancel_order(
            principal=customer(), account_id=account.pk, order_id=leg.public_id, at=now()
        )

        assert broker.canceled == [leg.broker_order_id]


class TestOthers:
    def test_an_oco_sells_its_shares_once(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "5"})

        order = place(
            sell(
                quantity="5",
                order_class=OrderClass.OCO,
                order_type=OrderType.LIMIT,
                take_profit_price="120",
                stop_loss_price="90",
            )
        )

        (loss,) = exits_of(account)
        assert (order.reserved_quantity, loss.reserved_quantity) == (Decimal(5), Decimal(0))
        assert (loss.side, loss.stop_price) == ("SELL", Decimal(90))

    def test_an_oto_has_one_exit(self, place, broker, account):
        place(
            factories.buy(
                quantity="1",
                limit_price="100",
                order_class=OrderClass.OTO,
                stop_loss_price="90",
            )
        )

        assert [leg.order_type for leg in exits_of(account)] == ["STOP"]


class TestLists:
    def listed(self, account, **wanted):
        return selectors.list_orders(
            principal=customer(), account_id=account.pk, wanted=OrderFilter(**wanted)
        )

    def test_show_them_inside_their_order_or_by_themselves(self, place, broker, account):
        entry = place(bracket("2"))

        assert len(self.listed(account)) == 3
        (nested,) = self.listed(account, is_nested=True)
        assert (nested.pk, nested.legs.count()) == (entry.pk, 2)
