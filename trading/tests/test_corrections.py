"""Fills taken back and changed, late and in any order: orders, holdings, lots and cash follow."""

import itertools
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from trading import services
from trading.models import Execution, Lot, LotClosing, OrderReport
from trading.tests.factories import buy, cash_of, positions_of, reload, sell
from trading.tests.telling import cash, event, now, tell

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)
# Every second of the 24: each event stands at each place.
TURNS = list(itertools.permutations(range(4)))[::2]


def lots_of(account, symbol="AAPL"):
    """What is left of each lot, and what that has cost."""
    with acting_as(SYSTEM):
        rows = Lot.objects.filter(account_id=account.pk, symbol=symbol).exclude(remaining=0)
        return sorted((row.remaining.normalize(), row.cost_left) for row in rows)


def closings_of(account):
    with acting_as(SYSTEM):
        rows = LotClosing.objects.filter(account_id=account.pk)
        return sorted((row.quantity.normalize(), row.proceeds, row.basis, row.gain) for row in rows)


def standing():
    with acting_as(SYSTEM):
        rows = Execution.objects.filter(is_busted=False)
        return sorted((row.quantity, row.price) for row in rows)


def state_of(order):
    order = reload(order)
    return order.vendor_status, order.filled_quantity, order.posted_quantity


@pytest.fixture
def story(place, broker):
    """An order of six, filled with 1, 2 and 3; then the second fill is taken back."""
    order = place(buy(quantity="6"))
    fills = [
        broker.fill(str(order.pk), Decimal(quantity), Decimal(price))
        for quantity, price in ((1, 100), (2, 101), (3, 102))
    ]
    shown = {
        **fills[2]["order"],
        "status": "canceled",
        "filled_qty": "4",
        "filled_avg_price": "101.5",
    }
    bust = event(
        fills[1],
        "trade_bust",
        10,
        execution_id="the-bust",
        previous_execution_id=fills[1]["execution_id"],
        order=shown,
    )
    return order, [*fills, bust]


class TestABust:
    @pytest.mark.parametrize("turns", TURNS, ids=str)
    def test_ends_the_same_in_whatever_order_it_is_told(self, story, account, turns):
        order, events = story

        tell(*(events[turn] for turn in turns))

        assert state_of(order) == ("canceled", 4, 4)
        assert reload(order).average_price == Decimal("101.5")
        assert standing() == [(1, 100), (3, 102)]
        assert positions_of(account) == {"AAPL": 4}
        assert lots_of(account) == [(1, Decimal("100.00")), (3, Decimal("306.00"))]
        assert cash(account)[0] == Decimal(-406)
        assert cash_of(account).cash == Decimal("594.00")

    def test_that_comes_twice_is_one(self, story, account):
        order, events = story
        tell(*events)

        tell(event(events[3], "trade_bust", 11))

        assert state_of(order) == ("canceled", 4, 4)
        assert positions_of(account) == {"AAPL": 4}

    def test_before_its_own_fill_keeps_that_void(self, story, account):
        _, (first, second, third, bust) = story

        tell(first, third, bust, second)

        with acting_as(SYSTEM):
            late = Execution.objects.get(execution_id=second["execution_id"])
        assert late.is_busted
        assert lots_of(account) == [(1, Decimal("100.00")), (3, Decimal("306.00"))]

    def test_after_a_sale_leaves_what_was_sold_to_other_lots(self, place, broker, account):
        order = place(buy(quantity="6"))
        early = broker.fill(str(order.pk), Decimal(2), HUNDRED)
        late = broker.fill(str(order.pk), Decimal(4), Decimal(102))
        early["at"], late["at"] = "2026-11-20T15:00:00Z", "2026-11-20T15:01:00Z"
        tell(early, late)
        sale = place(sell(quantity="3"))
        sold = broker.fill(str(sale.pk), Decimal(3), Decimal(110))
        tell(sold)
        # 2 at 100 and 1 at 102, sold at 110.
        assert closings_of(account) == [
            (1, Decimal("110.00"), Decimal("102.00"), Decimal("8.00")),
            (2, Decimal("220.00"), Decimal("200.00"), Decimal("20.00")),
        ]

        left = {**late["order"], "filled_qty": "4", "filled_avg_price": "102", "status": "canceled"}
        tell(event(early, "trade_bust", 20, order=left))

        # All three came from the four at 102.
        assert closings_of(account) == [(3, Decimal("330.00"), Decimal("306.00"), Decimal("24.00"))]
        assert lots_of(account) == [(1, Decimal("102.00"))]
        assert positions_of(account) == {"AAPL": 1}

    def test_moves_the_holdings_back_at_once(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(4), HUNDRED)
        tell(filled)
        nothing = {**filled["order"], "filled_qty": "0", "filled_avg_price": None, "status": "new"}

        tell(event(filled, "trade_bust", 1, order=nothing))

        assert positions_of(account) == {}
        assert (cash_of(account).cash, broker.readings) == (Decimal(1000), 0)
        assert (reload(order).vendor_status, reload(order).is_working) == ("new", True)
        assert lots_of(account) == []

    def test_that_a_reading_already_contains_moves_nothing_twice(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(4), HUNDRED)
        tell(filled)
        broker.positions.clear()
        broker.cash = Decimal(1000)
        services.sync_holdings(account_id=account.pk, at=now())
        nothing = {**filled["order"], "filled_qty": "0", "filled_avg_price": None}

        tell(event(filled, "trade_bust", 1, order={**nothing, "status": "canceled"}))

        assert positions_of(account) == {}
        assert cash_of(account).cash == Decimal(1000)
        assert lots_of(account) == []


class TestACorrection:
    @pytest.fixture
    def bought(self, place, broker):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(4), HUNDRED)
        changes = {
            "execution_id": "the-right-one",
            "previous_execution_id": filled["execution_id"],
            "price": "101",
            "qty": "3",
            "timestamp": filled["at"],
            "order": {
                **filled["order"],
                "status": "partially_filled",
                "filled_qty": "3",
                "filled_avg_price": "101",
            },
        }
        return order, filled, event(filled, "trade_correct", 10, **changes)

    @pytest.mark.parametrize("turns", [(0, 1), (1, 0), (0, 1, 1), (1, 1, 0, 0)], ids=str)
    def test_stands_instead_of_its_fill(self, bought, account, turns):
        order, *events = bought

        tell(*(events[turn] for turn in turns))

        assert state_of(order) == ("partially_filled", 3, 3)
        assert standing() == [(3, 101)]
        assert positions_of(account) == {"AAPL": 3}
        assert lots_of(account) == [(3, Decimal("303.00"))]
        assert cash(account)[0] == Decimal(-303)
        assert cash_of(account).cash == Decimal("697.00")

    def test_keeps_the_lot(self, bought, account):
        _, filled, correct = bought
        tell(filled)
        with acting_as(SYSTEM):
            before = Lot.objects.get(account_id=account.pk).pk

        tell(correct)

        with acting_as(SYSTEM):
            assert Lot.objects.get(account_id=account.pk).pk == before

    @pytest.mark.parametrize("turns", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)], ids=str)
    def test_may_be_corrected_and_then_taken_back(self, bought, account, turns):
        _, filled, correct = bought
        again = event(
            correct,
            "trade_correct",
            11,
            execution_id="righter",
            previous_execution_id="the-right-one",
            price="100.50",
        )
        bust = event(
            again,
            "trade_bust",
            12,
            execution_id="gone",
            previous_execution_id="righter",
            order={**again["order"], "filled_qty": "0", "status": "new", "filled_avg_price": None},
        )

        events = (filled, correct, again, bust)
        tell(*(events[turn] for turn in turns))

        assert (standing(), positions_of(account), lots_of(account)) == ([], {}, [])
        assert (cash(account)[0], cash_of(account).cash) == (0, Decimal(1000))

    def test_in_its_own_name_is_one_too(self, bought, account):
        _, filled, correct = bought
        own = {"execution_id": filled["execution_id"], "previous_execution_id": None}
        tell(filled)

        tell({**correct, **own}, {**correct, **own, "event_ulid": "01KE6Z3M5QZZZZZZZZZZZZZZ99"})

        assert standing() == [(3, 101)]
        assert lots_of(account) == [(3, Decimal("303.00"))]


class TestReports:
    def test_every_word_is_kept_once(self, place, broker, account):
        order = place(buy(quantity="4"))
        filled = broker.fill(str(order.pk), Decimal(4), HUNDRED)
        tell(filled, filled, broker.tell(str(order.pk), "calculated"))

        with acting_as(SYSTEM):
            rows = list(OrderReport.objects.filter(order=order))
        assert [(row.origin, row.kind, row.status) for row in rows] == [
            ("ANSWER", "", "pending_new"),
            ("EVENT", "fill", "filled"),
            ("EVENT", "calculated", "filled"),
        ]
        assert rows[1].body["event"]["execution_id"] == filled["execution_id"]
        assert rows[1].body["order"]["filled_qty"] == "4"

    def test_a_reading_that_says_something_is_kept(self, place, broker):
        order = place(buy(quantity="4"))
        broker.move(str(order.pk), "canceled")

        services.heal_accounts(at=now())
        services.heal_accounts(at=now())

        with acting_as(SYSTEM):
            rows = list(OrderReport.objects.filter(order=order, origin="READING"))
        assert [row.status for row in rows] == ["canceled"]


class TestLostFills:
    def test_are_one_lot_until_they_are_told(self, place, broker, account):
        order = place(buy(quantity="4"))
        events = [broker.fill(str(order.pk), Decimal(part), HUNDRED + part) for part in (1, 3)]
        services.heal_accounts(at=now())
        # 1 at 101 and 3 at 103.
        assert lots_of(account) == [(4, Decimal("410.00"))]
        with acting_as(SYSTEM):
            assert Lot.objects.get(account_id=account.pk).basis_source == "READING"

        tell(events[1])
        assert lots_of(account) == [(1, Decimal("101.00")), (3, Decimal("309.00"))]

        tell(events[0])
        assert lots_of(account) == [(1, Decimal("101.00")), (3, Decimal("309.00"))]
        with acting_as(SYSTEM):
            sources = set(Lot.objects.values_list("basis_source", flat=True))
        assert sources == {"TRADE"}
