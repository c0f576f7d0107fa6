"""What the owner of an account is told of orders, fills and positions, without a gap."""

from decimal import Decimal

import pytest
from django.apps import apps

from core.auth import SYSTEM, acting_as
from core.errors import VendorRejected
from trading import services
from trading.tests import factories
from trading.tests.factories import buy, sell
from trading.tests.telling import event, now, tell

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)


def told(account, *, after=0):
    with acting_as(SYSTEM):
        events = apps.get_model("accounts.AccountEvent").objects
        rows = events.filter(account_id=account.pk, seq__gt=after).order_by("seq")
        return [(row.seq, row.kind, row.payload) for row in rows]


def kinds(account, *, after=0):
    return [kind for _, kind, _ in told(account, after=after)]


class TestOrderEvents:
    def test_an_order_tells_that_the_broker_has_it(self, place, broker, account):
        order = place(buy(quantity="2", limit_price="99.50"))

        (seq, kind, payload), *_ = told(account)[-1:]
        assert (seq, kind) == (len(told(account)), "order.updated")
        assert payload["order_id"] == payload["client_order_id"] == str(order.pk)
        assert payload["broker_order_id"] == payload["id"] == order.broker_order_id
        assert (payload["state"], payload["status"]) == ("ACCEPTED", "pending_new")
        assert (payload["qty"], payload["notional"]) == ("2", None)
        assert (payload["filled_qty"], payload["filled_avg_price"]) == ("0", None)

    def test_a_refusal_tells_why(self, place, broker, account):
        broker.plan(VendorRejected("fake", "insufficient buying power", vendor_code="403"))

        with pytest.raises(services.OrderRejected):
            place(buy(quantity="1"))

        _, kind, payload = told(account)[-1]
        assert (kind, payload["state"]) == ("order.updated", "REJECTED")
        assert payload["reason"]

    def test_a_fill_tells_fill_position_and_order_in_one_transaction(self, place, broker, account):
        order = place(buy(quantity="3"))
        before = len(told(account))
        filled = broker.fill(str(order.pk), Decimal("1.5"), Decimal("100.25"))

        tell(filled)

        news = told(account, after=before)
        assert [kind for _, kind, _ in news] == [
            "order.filled",
            "position.changed",
            "order.updated",
        ]
        fill, position, updated = (payload for _, _, payload in news)
        assert fill["execution_id"] == filled["execution_id"]
        assert (fill["qty"], fill["price"], fill["side"]) == ("1.5", "100.25", "BUY")
        assert position == {"symbol": "AAPL", "qty": "1.5", "avg_entry_price": "100.25"}
        assert (updated["filled_qty"], updated["filled_avg_price"]) == ("1.5", "100.25")

    def test_what_says_nothing_new_is_not_told(self, place, broker, account):
        order = place(buy(quantity="3"))
        filled = broker.fill(str(order.pk), Decimal(3), HUNDRED)
        tell(filled)
        before = len(told(account))

        tell(event(filled, "fill", 1), broker.tell(str(order.pk), "calculated"))

        assert kinds(account, after=before) == []

    def test_the_last_share_leaves_no_position(self, place, broker, account):
        factories.fund(account, positions={"AAPL": "2"})
        broker.positions["AAPL"] = (Decimal(2), Decimal(180))
        order = place(sell(quantity="2"))

        tell(broker.fill(str(order.pk), Decimal(2), HUNDRED))

        positions = [payload for _, kind, payload in told(account) if kind == "position.changed"]
        assert positions[-1] == {"symbol": "AAPL", "qty": "0", "avg_entry_price": None}

    def test_a_bust_tells_which_fill_is_void(self, place, broker, account):
        order = place(buy(quantity="3"))
        filled = broker.fill(str(order.pk), Decimal(3), HUNDRED)
        tell(filled)
        before = len(told(account))
        nothing = {**filled["order"], "filled_qty": "0", "filled_avg_price": None, "status": "new"}

        tell(event(filled, "trade_bust", 1, order=nothing))

        news = told(account, after=before)
        assert [kind for _, kind, _ in news] == [
            "order.fill_taken_back",
            "position.changed",
            "order.updated",
        ]
        assert news[0][2]["execution_id"] == filled["execution_id"]
        assert news[2][2]["status"] == "new"

    def test_a_reading_tells_too(self, place, broker, account):
        order = place(buy(quantity="3"))
        before = len(told(account))
        broker.move(str(order.pk), "canceled")

        services.heal_accounts(at=now())

        (_, kind, payload), *_ = told(account, after=before)
        assert (kind, payload["status"]) == ("order.updated", "canceled")

    def test_numbers_have_no_gap(self, place, broker, account):
        for _ in range(3):
            order = place(buy(quantity="1"))
            tell(broker.fill(str(order.pk), Decimal(1), HUNDRED))

        assert [seq for seq, _, _ in told(account)] == list(range(1, len(told(account)) + 1))
