"""The rules of orders, and how they fill, rest, expire and are canceled."""

from decimal import Decimal
from typing import Any

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
def holder_id(desk: Desk, account_id: str) -> str:
    """An account with ten shares and the rest in cash."""
    desk.order(account_id, qty="10")
    desk.advance(1)
    return account_id


def refusal(desk: Desk, account_id: str, status: int, **wanted: Any) -> tuple[int, str]:
    answer = desk.order(account_id, status=status, **wanted)
    return answer["code"], answer["message"]


class TestRules:
    def test_quantity_and_amount_together_are_refused(self, desk, account_id):
        code, _ = refusal(desk, account_id, 400, qty="1", notional="10")

        assert code == 40010001

    def test_neither_quantity_nor_amount_is_refused(self, desk, account_id):
        assert refusal(desk, account_id, 422) == (40010001, "qty or notional is required")

    def test_less_than_a_dollar_is_refused(self, desk, account_id):
        _, message = refusal(desk, account_id, 422, notional="0.99")

        assert message == "cost basis must be >= minimal amount of order 1"

    @pytest.mark.parametrize(
        ("size", "place"), [({"notional": "10.001"}, "two"), ({"qty": "0.0123456789"}, "nine")]
    )
    def test_too_many_decimal_places_are_refused(self, desk, account_id, size, place):
        _, message = refusal(desk, account_id, 422, **size)

        assert message.endswith(f"must have at most {place} decimal places")

    def test_a_price_between_two_cents_is_refused(self, desk, account_id):
        code, message = refusal(desk, account_id, 422, type="limit", qty="1", limit_price="190.005")

        assert code == 42210000
        assert "sub-penny increment" in message

    def test_a_fraction_good_till_canceled_is_refused(self, desk, account_id):
        _, message = refusal(desk, account_id, 422, qty="0.5", time_in_force="gtc")

        assert message == "fractional orders must be DAY orders"

    def test_more_than_the_buying_power_is_refused_with_both_figures(self, desk, account_id):
        answer = desk.order(account_id, status=403, type="limit", qty="51", limit_price="200")

        assert answer == {
            "code": 40310000,
            "message": "insufficient buying power",
            "buying_power": "10000",
            "cost_basis": "10200",
        }

    def test_open_orders_hold_buying_power(self, desk, account_id):
        desk.order(account_id, type="limit", qty="40", limit_price="150")

        assert desk.trading_account(account_id)["buying_power"] == "4000"
        refusal(desk, account_id, 403, notional="4000.01")

    def test_selling_more_than_is_free_is_refused(self, desk, holder_id):
        desk.order(holder_id, side="sell", type="limit", qty="6", limit_price="300")

        answer = desk.order(holder_id, status=403, side="sell", qty="5")

        assert answer["message"] == (
            "insufficient qty available for order (requested: 5, available: 4)"
        )
        assert answer["held_for_orders"] == "6"

    def test_two_orders_that_could_meet_are_a_wash_trade(self, desk, holder_id):
        resting = desk.order(holder_id, side="sell", type="limit", qty="1", limit_price="250")

        answer = desk.order(holder_id, status=403, qty="1")

        assert answer["existing_order_id"] == resting["id"]
        assert answer["message"].startswith("potential wash trade detected")
        assert desk.order(holder_id, type="limit", qty="1", limit_price="249.99")["id"]

    def test_a_client_order_id_can_be_used_once(self, desk, account_id):
        desk.order(account_id, qty="1", client_order_id="mine-1")

        assert refusal(desk, account_id, 422, qty="1", client_order_id="mine-1") == (
            40010001,
            "client_order_id must be unique",
        )
        assert [each["client_key"] for each in desk.server.effects(kind="order.created")] == [
            "mine-1"
        ]

    def test_an_unknown_symbol_is_refused(self, desk, account_id):
        assert refusal(desk, account_id, 422, symbol="NOPE", qty="1") == (
            42210000,
            'asset "NOPE" not found',
        )

    def test_an_account_that_is_not_active_yet_may_not_trade(self, desk):
        from sandbox.tests.customers import application

        fresh_id = desk.call("POST", "/v1/accounts", json=application())["id"]

        refusal(desk, fresh_id, 403, qty="1")


class TestFills:
    def test_a_purchase_takes_shares_in_and_cash_out(self, desk, account_id):
        order = desk.order(account_id, qty="10")
        desk.advance(1)

        filled = desk.show_order(account_id, order["id"])
        price = Decimal(filled["filled_avg_price"])
        assert order["status"] == "pending_new"
        assert filled["status"] == "filled"
        assert price >= 200
        assert desk.cash(account_id) == Decimal(10000) - price * 10

    def test_an_amount_of_money_buys_no_more_than_it_pays_for(self, desk, account_id):
        order = desk.order(account_id, notional="50.25")
        desk.advance(1)

        filled = desk.show_order(account_id, order["id"])
        spent = Decimal(filled["filled_avg_price"]) * Decimal(filled["filled_qty"])
        assert filled["qty"] is None
        assert Decimal("50.2499") < spent <= Decimal("50.25")
        assert desk.cash(account_id) == Decimal("9949.75")

    def test_a_limit_rests_until_the_price_comes(self, desk, account_id):
        order = desk.order(account_id, type="limit", qty="10", limit_price="190")
        desk.advance(60)
        assert desk.show_order(account_id, order["id"])["status"] == "new"

        desk.set_price("AAPL", "180.00")
        desk.advance(1)

        filled = desk.show_order(account_id, order["id"])
        assert filled["status"] == "filled"
        assert Decimal(filled["filled_avg_price"]) < Decimal(181)

    def test_a_stop_sells_once_the_price_has_fallen(self, desk, holder_id):
        order = desk.order(holder_id, side="sell", type="stop", qty="10", stop_price="190")
        desk.advance(60)
        assert desk.show_order(holder_id, order["id"])["status"] == "new"

        desk.set_price("AAPL", "189.00")
        desk.advance(1)

        assert desk.show_order(holder_id, order["id"])["status"] == "filled"
        assert desk.call("GET", f"/v1/trading/accounts/{holder_id}/positions") == []

    def test_a_trailing_stop_follows_the_price_up_and_sells_on_the_way_down(self, desk, holder_id):
        order = desk.order(
            holder_id, side="sell", type="trailing_stop", qty="10", trail_percent="5"
        )
        for price in ("220.00", "240.00", "230.00"):
            desk.set_price("AAPL", price)
            desk.advance(1)
        assert desk.show_order(holder_id, order["id"])["hwm"] == "240"

        desk.set_price("AAPL", "227.00")
        desk.advance(1)

        assert desk.show_order(holder_id, order["id"])["status"] == "filled"

    def test_a_planned_partial_fill_comes_in_two_parts(self, desk, account_id):
        desk.server.fault(kind="partial_fill")
        order = desk.order(account_id, qty="5")
        desk.advance(0.3)
        half_way = desk.show_order(account_id, order["id"])
        desk.advance(2)

        filled = desk.show_order(account_id, order["id"])
        assert (half_way["status"], half_way["filled_qty"]) == ("partially_filled", "2")
        assert (filled["status"], filled["filled_qty"]) == ("filled", "5")
        activities = desk.call(
            "GET", "/v1/accounts/activities/FILL", params={"account_id": account_id}
        )
        assert [(each["qty"], each["leaves_qty"]) for each in activities] == [
            ("3", "0"),
            ("2", "3"),
        ]

    def test_a_planned_rejection_comes_after_the_acceptance(self, desk, account_id):
        desk.server.fault(kind="reject_order")
        order = desk.order(account_id, qty="1")
        desk.advance(1)

        assert order["status"] == "pending_new"
        assert desk.show_order(account_id, order["id"])["status"] == "rejected"
        assert desk.cash(account_id) == 10000

    def test_an_immediate_order_without_a_price_is_canceled(self, desk, account_id):
        order = desk.order(
            account_id, type="limit", qty="1", limit_price="100", time_in_force="ioc"
        )
        desk.advance(1)

        assert desk.show_order(account_id, order["id"])["status"] == "canceled"

    def test_a_day_order_expires_at_the_close(self, desk, account_id):
        order = desk.order(account_id, type="limit", qty="1", limit_price="100")
        desk.advance(24 * 3600)

        assert desk.show_order(account_id, order["id"])["status"] == "expired"
        assert desk.trading_account(account_id)["buying_power"] == "10000"


class TestCanceling:
    def test_a_canceled_order_frees_what_it_held(self, desk, account_id):
        order = desk.order(account_id, type="limit", qty="1", limit_price="100")
        desk.advance(1)
        path = f"/v1/trading/accounts/{account_id}/orders/{order['id']}"

        desk.call("DELETE", path, status=204)
        pending = desk.show_order(account_id, order["id"])["status"]
        desk.advance(1)

        assert pending == "pending_cancel"
        assert desk.show_order(account_id, order["id"])["status"] == "canceled"
        assert desk.trading_account(account_id)["buying_power"] == "10000"

    def test_a_filled_order_cannot_be_canceled(self, desk, holder_id):
        [order] = desk.call(
            "GET", f"/v1/trading/accounts/{holder_id}/orders", params={"status": "closed"}
        )
        path = f"/v1/trading/accounts/{holder_id}/orders/{order['id']}"

        answer = desk.call("DELETE", path, status=422)

        assert answer == {"code": 42210000, "message": 'order is already in "filled" state'}

    def test_a_fill_can_overtake_a_cancel(self, desk, account_id):
        order = desk.order(account_id, type="limit", qty="1", limit_price="150")
        desk.advance(1)
        desk.call("DELETE", f"/v1/trading/accounts/{account_id}/orders/{order['id']}", status=204)

        desk.set_price("AAPL", "140.00")
        desk.advance(1)

        assert desk.show_order(account_id, order["id"])["status"] == "filled"

    def test_an_order_not_acknowledged_yet_cannot_be_replaced(self, desk, account_id):
        order = desk.order(account_id, type="limit", qty="1", limit_price="100")
        path = f"/v1/trading/accounts/{account_id}/orders/{order['id']}"

        answer = desk.call("PATCH", path, status=422, json={"qty": "2"})

        assert answer["message"] == 'order is not replaceable in "pending_new" state'


class TestPositions:
    def test_a_part_is_sold_at_the_average_cost(self, desk, holder_id):
        path = f"/v1/trading/accounts/{holder_id}/positions/AAPL"
        before = desk.call("GET", path)
        sold = desk.call("DELETE", path, params={"percentage": "25"})
        desk.advance(1)

        after = desk.call("GET", path)
        assert (sold["side"], sold["qty"]) == ("sell", "2.5")
        assert after["qty"] == "7.5"
        assert after["avg_entry_price"] == before["avg_entry_price"]
        assert Decimal(after["cost_basis"]) == Decimal(before["cost_basis"]) * 3 / 4

    def test_the_account_adds_up(self, desk, holder_id):
        desk.set_price("AAPL", "250.00")

        account = desk.trading_account(holder_id)
        [position] = desk.call("GET", f"/v1/trading/accounts/{holder_id}/positions")

        assert position["current_price"] == "250"
        assert position["market_value"] == "2500"
        assert Decimal(account["equity"]) == Decimal(account["cash"]) + 2500
        gain = Decimal(2500) - Decimal(position["cost_basis"])
        assert Decimal(position["unrealized_pl"]) == gain
        assert Decimal(position["unrealized_intraday_pl"]) == gain


class TestRealSessions:
    def test_an_order_at_night_waits_for_the_opening(self, serve):
        desk = Desk(serve(speed=0, market="real"))
        account_id = desk.funded_account()
        clock = desk.call("GET", "/v1/clock")
        if clock["is_open"]:
            desk.advance(7 * 3600)
        order = desk.order(account_id, notional="100")
        desk.advance(600)
        waiting = desk.show_order(account_id, order["id"])["status"]

        desk.advance(4 * 24 * 3600)

        assert order["status"] == "accepted"
        assert waiting == "accepted"
        assert desk.show_order(account_id, order["id"])["status"] == "filled"
