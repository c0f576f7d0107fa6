"""Orders that come with others: when the others work, and what the end of one does to them."""

import pytest

from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import Desk
from sandbox.tests.groups import BRACKET, bracket, fill_at, statuses
from sandbox.world import Settings, World


@pytest.fixture
def desk(still_server: Server) -> Desk:
    desk = Desk(still_server)
    desk.set_price("AAPL", "200.00")
    return desk


@pytest.fixture
def account_id(desk: Desk) -> str:
    return desk.funded_account("10000")


class TestBracket:
    def test_its_legs_are_orders_of_their_own_that_are_held(self, desk, account_id):
        order = desk.order(account_id, client_order_id="mine", **BRACKET)

        profit, stop = order["legs"]
        assert (order["order_class"], order["client_order_id"]) == ("bracket", "mine")
        assert [
            (leg["type"], leg["side"], leg["qty"], leg["status"]) for leg in (profit, stop)
        ] == [
            ("limit", "sell", "10", "held"),
            ("stop", "sell", "10", "held"),
        ]
        assert (profit["limit_price"], stop["stop_price"]) == ("210", "180")
        assert len({"mine", profit["client_order_id"], stop["client_order_id"]}) == 3
        assert desk.show_order(account_id, stop["id"])["legs"] is None

    def test_legs_are_shown_where_nesting_is_asked_for(self, desk, account_id):
        entry, profit, stop = bracket(desk, account_id, client_order_id="mine")
        path = desk.orders_path(account_id)

        nested = desk.call("GET", path, params={"nested": "True"})
        flat = desk.call("GET", path)
        by_id = desk.call("GET", f"{path}/{entry}", params={"nested": "true"})
        by_name = desk.call(
            "GET",
            f"{path}:by_client_order_id",
            params={"client_order_id": "mine", "nested": "true"},
        )

        assert [each["id"] for each in nested] == [entry]
        assert {each["id"] for each in flat} == {entry, profit, stop}
        assert [each["legs"] for each in flat] == [None, None, None]
        for shown in (nested[0], by_id, by_name):
            assert [leg["id"] for leg in shown["legs"]] == [profit, stop]

    def test_its_legs_work_once_the_entry_is_filled(self, desk, account_id):
        ids = bracket(desk, account_id)
        fill_at(desk, "189")
        assert statuses(desk, account_id, *ids) == ["filled", "new", "new"]

        fill_at(desk, "211")

        assert statuses(desk, account_id, *ids) == ["filled", "filled", "canceled"]
        assert desk.call("GET", f"/v1/trading/accounts/{account_id}/positions") == []

    def test_a_fall_sells_by_the_stop_and_cancels_the_profit(self, desk, account_id):
        ids = bracket(desk, account_id)
        fill_at(desk, "189")

        fill_at(desk, "179")

        assert statuses(desk, account_id, *ids) == ["filled", "canceled", "filled"]

    def test_the_stream_tells_of_every_leg(self, desk, account_id):
        entry, profit, stop = bracket(desk, account_id)
        fill_at(desk, "189")
        fill_at(desk, "211")

        assert desk.trade_events(account_id) == [
            (profit, "held"),
            (stop, "held"),
            (entry, "new"),
            (entry, "fill"),
            (profit, "new"),
            (stop, "new"),
            (profit, "fill"),
            (stop, "canceled"),
        ]

    def test_legs_wait_until_the_whole_entry_is_filled(self, desk, account_id):
        desk.server.fault(kind="partial_fill")
        entry, profit, stop = bracket(desk, account_id)
        desk.set_price("AAPL", "189")
        desk.advance(0.3)
        half_way = statuses(desk, account_id, entry, profit, stop)

        desk.advance(2)

        assert half_way == ["partially_filled", "held", "held"]
        assert statuses(desk, account_id, entry, profit, stop) == ["filled", "new", "new"]

    def test_canceling_the_entry_cancels_its_legs(self, desk, account_id):
        ids = bracket(desk, account_id)
        desk.advance(1)

        desk.cancel(account_id, ids[0])
        desk.advance(1)

        assert statuses(desk, account_id, *ids) == ["canceled"] * 3
        assert len(desk.server.effects(kind="order.canceled")) == 3

    def test_canceling_a_half_filled_entry_leaves_the_shares_without_exits(self, desk, account_id):
        desk.server.fault(kind="partial_fill")
        ids = bracket(desk, account_id)
        desk.set_price("AAPL", "189")
        desk.advance(0.3)
        desk.set_price("AAPL", "195")
        desk.cancel(account_id, ids[0])
        desk.advance(1)

        [position] = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
        assert statuses(desk, account_id, *ids) == ["canceled"] * 3
        assert (position["qty"], position["qty_available"]) == ("5", "5")

    def test_a_rejected_entry_takes_its_legs_along(self, desk, account_id):
        desk.server.fault(kind="reject_order")
        ids = bracket(desk, account_id)
        desk.advance(1)

        assert statuses(desk, account_id, *ids) == ["rejected", "canceled", "canceled"]

    def test_canceling_one_exit_cancels_the_other(self, desk, account_id):
        ids = bracket(desk, account_id)
        fill_at(desk, "189")

        desk.cancel(account_id, ids[1])
        desk.advance(1)

        assert statuses(desk, account_id, *ids) == ["filled", "canceled", "canceled"]

    def test_both_exits_hold_the_shares_once(self, desk, account_id):
        bracket(desk, account_id)
        fill_at(desk, "189")

        [position] = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
        desk.order(account_id, status=403, side="sell", qty="1")

        assert (position["qty"], position["qty_available"]) == ("10", "0")

    def test_an_exit_filled_in_part_leaves_the_other_the_rest(self, desk, account_id):
        entry, profit, stop = bracket(desk, account_id)
        fill_at(desk, "189")
        broker = desk.server.world.parts["broker"]
        broker.books.orders[account_id][profit].treatment = "partial_fill"

        desk.set_price("AAPL", "211")
        sold = desk.show_order(account_id, profit)
        left = desk.show_order(account_id, stop)
        desk.set_price("AAPL", "179")
        desk.advance(1)

        assert (sold["status"], sold["filled_qty"]) == ("partially_filled", "5")
        assert (left["status"], left["qty"]) == ("new", "5")
        assert (stop, "restated") in desk.trade_events(account_id)
        assert statuses(desk, account_id, entry, profit, stop) == ["filled", "canceled", "filled"]
        assert desk.call("GET", f"/v1/trading/accounts/{account_id}/positions") == []

    def test_exits_of_the_day_expire_together(self, desk, account_id):
        ids = bracket(desk, account_id, time_in_force="day")
        fill_at(desk, "189")

        desk.advance(24 * 3600)

        assert statuses(desk, account_id, *ids) == ["filled", "expired", "expired"]

    def test_an_entry_that_expires_cancels_nothing_else(self, desk, account_id):
        other = desk.order(
            account_id, type="limit", qty="1", limit_price="100", time_in_force="gtc"
        )
        ids = bracket(desk, account_id, time_in_force="day")
        desk.advance(24 * 3600)

        assert statuses(desk, account_id, *ids) == ["expired"] * 3
        assert desk.status(account_id, other["id"]) == "new"

    def test_an_exit_can_be_replaced_and_still_cancels_the_other(self, desk, account_id):
        entry, profit, stop = bracket(desk, account_id)
        fill_at(desk, "189")

        nearer = desk.replace(account_id, profit, limit_price="195")["id"]
        desk.advance(1)
        assert statuses(desk, account_id, profit, nearer, stop) == ["replaced", "new", "new"]
        fill_at(desk, "196")

        assert statuses(desk, account_id, entry, nearer, stop) == ["filled", "filled", "canceled"]

    def test_a_held_leg_can_be_replaced_before_the_entry_is_filled(self, desk, account_id):
        entry, profit, stop = bracket(desk, account_id)
        desk.advance(1)

        nearer = desk.replace(account_id, stop, stop_price="185")
        shown = desk.call("GET", desk.orders_path(account_id, entry), params={"nested": "true"})

        assert nearer["status"] == "held"
        assert desk.status(account_id, stop) == "replaced"
        assert [leg["id"] for leg in shown["legs"]] == [profit, nearer["id"]]

    def test_an_entry_hands_its_legs_to_the_one_in_its_place(self, desk, account_id):
        entry, profit, stop = bracket(desk, account_id)
        desk.advance(1)

        dearer = desk.replace(account_id, entry, limit_price="195")["id"]
        desk.advance(1)
        fill_at(desk, "194")

        assert statuses(desk, account_id, entry, dearer) == ["replaced", "filled"]
        assert statuses(desk, account_id, profit, stop) == ["new", "new"]

    def test_only_prices_of_a_bracket_can_be_replaced(self, desk, account_id):
        entry, *_ = bracket(desk, account_id)
        desk.advance(1)

        answer = desk.replace(account_id, entry, status=422, qty="5")

        assert answer["message"] == (
            "only limit_price and stop_price of bracket orders can be replaced"
        )

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"take_profit": None}, "bracket orders require take_profit.limit_price"),
            ({"stop_loss": None}, "bracket orders require stop_loss.stop_price"),
            ({"take_profit": {}}, "bracket orders require take_profit.limit_price"),
            ({"take_profit": "210"}, "take_profit must be an object"),
            ({"take_profit": {"limit_price": "0"}}, "take_profit.limit_price must be > 0"),
            ({"side": "sell"}, "bracket orders must be entry orders"),
            (
                {"type": "stop", "stop_price": "210"},
                "bracket orders must be limit or market orders",
            ),
            ({"time_in_force": "ioc"}, "bracket orders must be DAY or GTC orders"),
            ({"extended_hours": True}, "bracket orders must not be extended hours orders"),
            ({"qty": "1.5"}, "fractional orders must be simple orders"),
            ({"qty": None, "notional": "100"}, "fractional orders must be simple orders"),
            (
                {"stop_loss": {"stop_price": "210"}},
                "take_profit.limit_price must be greater than stop_loss.stop_price",
            ),
            (
                {"take_profit": {"limit_price": "190"}},
                "take_profit.limit_price must be >= base_price + 0.01",
            ),
            (
                {"stop_loss": {"stop_price": "190"}},
                "stop_loss.stop_price must be <= base_price - 0.01",
            ),
            ({"order_class": "mleg"}, "invalid order_class"),
        ],
    )
    def test_a_rule_that_is_broken_is_named(self, desk, account_id, changes, message):
        answer = desk.order(account_id, status=422, **(BRACKET | changes))

        assert answer["message"] == message
        assert desk.server.effects(kind="order.created") == []

    def test_exits_without_a_class_are_ignored(self, desk, account_id):
        order = desk.order(account_id, **(BRACKET | {"order_class": "simple"}))

        assert (order["order_class"], order["legs"]) == ("", None)


def test_a_group_holds_together_over_a_restart(tmp_path):
    settings = Settings(speed=0, data=tmp_path)
    with running(World.create(settings)) as server:
        desk = Desk(server)
        desk.set_price("AAPL", "200.00")
        account_id = desk.funded_account("10000")
        ids = bracket(desk, account_id)
        desk.advance(1)

    with running(World.create(settings)) as server:
        desk = Desk(server)
        fill_at(desk, "189")
        assert statuses(desk, account_id, *ids) == ["filled", "new", "new"]
        fill_at(desk, "211")
        assert statuses(desk, account_id, *ids) == ["filled", "filled", "canceled"]
