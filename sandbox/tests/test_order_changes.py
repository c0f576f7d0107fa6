"""Replacing and canceling: requests that are taken, overtaken, or refused after all."""

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk


@pytest.fixture
def desk(still_server: Server) -> Desk:
    desk = Desk(still_server)
    desk.set_price("AAPL", "200.00")
    return desk


@pytest.fixture
def account_id(desk: Desk) -> str:
    return desk.funded_account("10000")


@pytest.fixture
def resting_id(desk: Desk, account_id: str) -> str:
    """Ten shares at a limit that is not reached."""
    order = desk.order(account_id, type="limit", qty="10", limit_price="150", time_in_force="gtc")
    desk.advance(1)
    return str(order["id"])


class TestReplacing:
    def test_the_new_order_names_the_old_and_the_old_the_new(self, desk, account_id, resting_id):
        new = desk.replace(account_id, resting_id, limit_price="160", qty="5", client_order_id="b")
        asked = desk.show_order(account_id, resting_id)
        desk.advance(1)

        old = desk.show_order(account_id, resting_id)
        assert (asked["status"], new["status"]) == ("pending_replace", "pending_new")
        assert (new["replaces"], old["replaced_by"]) == (resting_id, new["id"])
        assert (old["status"], desk.status(account_id, new["id"])) == ("replaced", "new")
        assert (new["qty"], new["limit_price"], new["client_order_id"]) == ("5", "160", "b")
        assert desk.trade_events(account_id)[-2:] == [(resting_id, "replaced"), (new["id"], "new")]
        [effect] = desk.server.effects(kind="order.replaced")
        assert (effect["vendor_id"], effect["client_key"]) == (resting_id, "b")

    def test_both_together_hold_the_money_once(self, desk, account_id, resting_id):
        desk.replace(account_id, resting_id, limit_price="160")

        assert desk.trading_account(account_id)["buying_power"] == "8400"
        desk.advance(1)
        assert desk.trading_account(account_id)["buying_power"] == "8400"

    def test_an_id_of_another_order_is_refused(self, desk, account_id, resting_id):
        desk.order(account_id, type="limit", qty="1", limit_price="100", client_order_id="taken")

        answer = desk.replace(
            account_id, resting_id, status=422, limit_price="160", client_order_id="taken"
        )

        assert answer == {"code": 40010001, "message": "client_order_id must be unique"}
        assert desk.status(account_id, resting_id) == "new"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"qty": "1.5"}, "qty must be an integer"),
            ({"qty": "0"}, "qty must be > 0"),
            ({"stop_price": "100"}, "limit orders must not have stop_price"),
            ({"time_in_force": "never"}, "invalid time_in_force"),
        ],
    )
    def test_a_rule_that_is_broken_changes_nothing(
        self, desk, account_id, resting_id, change, message
    ):
        answer = desk.replace(account_id, resting_id, status=422, **change)

        assert answer["message"] == message
        assert desk.status(account_id, resting_id) == "new"

    def test_more_than_the_buying_power_is_refused(self, desk, account_id, resting_id):
        answer = desk.replace(account_id, resting_id, status=403, qty="67")

        assert (answer["buying_power"], answer["cost_basis"]) == ("10000", "10050")

    def test_a_fraction_keeps_its_quantity(self, desk, account_id):
        order = desk.order(account_id, type="limit", qty="0.5", limit_price="150")
        desk.advance(1)

        answer = desk.replace(account_id, order["id"], status=422, qty="1")
        new = desk.replace(account_id, order["id"], limit_price="160")

        assert answer["message"] == "qty of fractional orders cannot be replaced"
        assert new["qty"] == "0.5"

    @pytest.mark.parametrize(
        ("wanted", "change", "shown"),
        [
            ({"type": "stop", "stop_price": "210"}, {"stop_price": "220"}, "stop_price"),
            ({"type": "trailing_stop", "trail_price": "20"}, {"trail": "25"}, "trail_price"),
            ({"type": "trailing_stop", "trail_percent": "9"}, {"trail": "8"}, "trail_percent"),
        ],
    )
    def test_stops_and_trails_move(self, desk, account_id, wanted, change, shown):
        order = desk.order(account_id, qty="1", time_in_force="gtc", **wanted)
        desk.advance(1)

        new = desk.replace(account_id, order["id"], **change)

        assert [new[shown]] == list(change.values())

    def test_a_filled_order_cannot_be_replaced(self, desk, account_id, resting_id):
        desk.set_price("AAPL", "140")
        desk.advance(1)

        answer = desk.replace(account_id, resting_id, status=422, limit_price="160")

        assert answer["message"] == 'order is not replaceable in "filled" state'

    def test_a_fill_can_overtake_the_replacement(self, desk, account_id, resting_id):
        new = desk.replace(account_id, resting_id, qty="20")
        desk.set_price("AAPL", "140")
        desk.advance(1)

        assert desk.status(account_id, resting_id) == "filled"
        assert desk.status(account_id, new["id"]) == "rejected"
        [position] = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
        assert position["qty"] == "10"
        assert (resting_id, "order_replace_rejected") in desk.trade_events(account_id)

    def test_what_filled_meanwhile_is_not_bought_again(self, desk, account_id, resting_id):
        broker = desk.server.world.parts["broker"]
        broker.books.orders[account_id][resting_id].treatment = "partial_fill"
        new = desk.replace(account_id, resting_id, qty="12", limit_price="151")
        desk.set_price("AAPL", "150.50")
        desk.set_price("AAPL", "149")
        desk.advance(5)

        first, second = (desk.show_order(account_id, each) for each in (resting_id, new["id"]))
        assert (first["status"], first["filled_qty"]) == ("replaced", "5")
        assert (second["status"], second["qty"], second["filled_qty"]) == ("filled", "7", "7")
        [position] = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
        assert position["qty"] == "12"

    def test_a_planned_refusal_comes_after_the_acceptance(self, desk, account_id, resting_id):
        desk.server.fault(kind="order_replace_rejected")
        new = desk.replace(account_id, resting_id, limit_price="160")
        desk.advance(1)

        old = desk.show_order(account_id, resting_id)
        assert (old["status"], old["replaced_by"]) == ("new", None)
        assert desk.status(account_id, new["id"]) == "rejected"
        assert desk.trade_events(account_id)[-2:] == [
            (resting_id, "order_replace_rejected"),
            (new["id"], "rejected"),
        ]
        assert desk.server.effects(kind="order.replaced") == []
        desk.set_price("AAPL", "140")
        desk.advance(1)
        assert desk.status(account_id, resting_id) == "filled"

    def test_the_refusal_can_be_planned_for_one_order(self, desk, account_id, resting_id):
        desk.server.fault(kind="order_replace_rejected", path="mine-2")
        first = desk.replace(account_id, resting_id, limit_price="160", client_order_id="mine-1")
        desk.advance(1)
        second = desk.replace(account_id, first["id"], limit_price="170", client_order_id="mine-2")
        desk.advance(1)

        assert desk.status(account_id, first["id"]) == "new"
        assert desk.status(account_id, second["id"]) == "rejected"


class TestCanceling:
    def test_a_planned_refusal_leaves_the_order_working(self, desk, account_id, resting_id):
        desk.server.fault(kind="order_cancel_rejected")
        desk.cancel(account_id, resting_id)
        asked = desk.status(account_id, resting_id)
        desk.advance(1)

        assert (asked, desk.status(account_id, resting_id)) == ("pending_cancel", "new")
        assert desk.trade_events(account_id)[-1] == (resting_id, "order_cancel_rejected")
        assert len(desk.server.effects(kind="order.cancel_asked")) == 1
        assert desk.server.effects(kind="order.canceled") == []
        desk.cancel(account_id, resting_id)
        desk.advance(1)
        assert desk.status(account_id, resting_id) == "canceled"

    def test_a_refusal_before_the_acknowledgement_does_not_stop_the_order(self, desk, account_id):
        desk.server.fault(kind="order_cancel_rejected")
        order = desk.order(account_id, qty="1")
        desk.cancel(account_id, order["id"])

        desk.advance(2)

        assert desk.status(account_id, order["id"]) == "filled"

    def test_while_it_is_replaced_it_cannot_be_canceled(self, desk, account_id, resting_id):
        desk.replace(account_id, resting_id, limit_price="160")

        answer = desk.cancel(account_id, resting_id, status=422)

        assert answer["message"] == 'order is already in "pending_replace" state'

    def test_canceling_the_replacement_leaves_neither_working(self, desk, account_id, resting_id):
        new = desk.replace(account_id, resting_id, limit_price="160")
        desk.cancel(account_id, new["id"])
        desk.advance(1)

        assert desk.status(account_id, new["id"]) == "canceled"
        assert desk.status(account_id, resting_id) == "replaced"

    def test_all_open_orders_are_canceled_with_an_answer_for_each(
        self, desk, account_id, resting_id
    ):
        second = desk.order(account_id, type="limit", qty="1", limit_price="100")
        desk.advance(1)
        desk.replace(account_id, resting_id, limit_price="151")

        answers = desk.call("DELETE", desk.orders_path(account_id), status=207)
        desk.advance(1)

        told = {answer["id"]: answer["status"] for answer in answers}
        assert (told[resting_id], told[second["id"]]) == (422, 200)
        assert desk.call("GET", desk.orders_path(account_id)) == []
        canceled = desk.server.effects(kind="order.canceled")
        assert len(canceled) == 2
        assert desk.trading_account(account_id)["buying_power"] == "10000"


class TestHalts:
    def test_a_halted_symbol_takes_orders_and_fills_none(self, desk, account_id):
        changed = desk.server.control("assets", {"AAPL": {"halted": True}})
        order = desk.order(account_id, qty="1")
        at_once = desk.order(account_id, qty="1", time_in_force="ioc")
        desk.advance(60)
        waiting = desk.status(account_id, order["id"])

        desk.server.control("assets", {"AAPL": {"halted": False}})
        desk.advance(1)

        assert changed == {"AAPL": {"tradable": True, "fractionable": True, "halted": True}}
        assert (waiting, desk.status(account_id, order["id"])) == ("new", "filled")
        assert desk.status(account_id, at_once["id"]) == "canceled"

    def test_what_is_not_tradable_is_refused(self, desk, account_id):
        desk.server.control("assets", {"AAPL": {"tradable": False}})

        answer = desk.order(account_id, status=422, qty="1")

        assert answer["message"] == 'asset "AAPL" is not tradable'
        assert desk.call("GET", "/v1/assets/AAPL")["tradable"] is False

    def test_what_has_no_fractions_is_sold_whole(self, desk, account_id):
        desk.server.control("assets", {"AAPL": {"fractionable": False}})

        answer = desk.order(account_id, status=403, notional="100")

        assert answer["message"] == 'asset "AAPL" is not fractionable'
        assert desk.order(account_id, qty="1")["status"] == "pending_new"

    def test_it_is_remembered_over_a_restart(self, serve, tmp_path):
        first = serve(speed=0, data=tmp_path)
        first.control("assets", {"AAPL": {"halted": True, "fractionable": False}})
        first.world.store.flush()

        asset = serve(speed=0, data=tmp_path).world.catalogue.get("AAPL")

        assert (asset.is_halted, asset.fractionable, asset.tradable) == (True, False, True)

    def test_a_reset_forgets_it(self, desk):
        desk.server.control("assets", {"AAPL": {"tradable": False, "halted": True}})
        desk.server.control("reset")

        asset = desk.server.world.catalogue.get("AAPL")
        assert (asset.tradable, asset.is_halted) == (True, False)

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"NOPE": {"halted": True}}, 404),
            ({"AAPL": {"halted": "yes"}}, 400),
            ({"AAPL": {"listed": True}}, 400),
            ({"AAPL": {}}, 400),
            ([], 400),
        ],
    )
    def test_what_is_not_understood_changes_nothing(self, desk, body, status):
        url = f"{desk.server.url}/_control/assets"

        assert desk.server.http.post(url, json=body).status_code == status
        assert desk.server.world.catalogue.get("AAPL").is_halted is False
