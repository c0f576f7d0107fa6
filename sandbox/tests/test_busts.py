"""Fills that are taken back or changed: order, position, cash, book and both streams agree."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.frames import replay

TRADES = "/v2/events/trades"
ACTIVITIES = "/v2beta1/events/activities"


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


@pytest.fixture
def account_id(desk: Desk) -> str:
    desk.set_price("AAPL", "200")
    return desk.funded_account("10000")


def filled(desk: Desk, account_id: str, **wanted: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An order that is filled, and the event of its fill."""
    order = desk.order(account_id, **{"qty": "10"} | wanted)
    desk.advance(1)
    fill = [each for each in replay(desk, TRADES) if each["order"]["id"] == order["id"]][-1]
    return desk.show_order(account_id, order["id"]), fill


def bust(desk: Desk, order: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    desk.advance(1)  # so that the order in the book is that of the calls
    told: dict[str, Any] = desk.server.control(f"orders/{order['id']}/bust", wanted)
    return told


def correct(desk: Desk, order: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    desk.advance(1)
    told: dict[str, Any] = desk.server.control(f"orders/{order['id']}/correct", wanted)
    return told


def refused(desk: Desk, order_id: str, way: str, body: object) -> int:
    url = f"{desk.server.url}/_control/orders/{order_id}/{way}"
    return desk.server.http.post(url, json=body).status_code


def positions(desk: Desk, account_id: str) -> dict[str, tuple[str, str]]:
    held = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
    return {each["symbol"]: (each["qty"], each["avg_entry_price"]) for each in held}


def fills(desk: Desk, account_id: str) -> list[dict[str, Any]]:
    params = {"account_id": account_id, "direction": "asc"}
    found: list[dict[str, Any]] = desk.call("GET", "/v1/accounts/activities/FILL", params=params)
    return found


class TestABust:
    def test_takes_shares_and_cash_back_and_ends_the_order(self, desk, account_id):
        order, fill = filled(desk, account_id)
        assert desk.cash(account_id) < 8100

        bust(desk, order, execution_id=fill["execution_id"])

        assert desk.cash(account_id) == 10_000
        assert positions(desk, account_id) == {}
        shown = desk.show_order(account_id, order["id"])
        assert (shown["status"], shown["filled_qty"]) == ("canceled", "0")
        assert (shown["filled_avg_price"], shown["filled_at"]) == (None, None)

    def test_is_told_with_the_execution_that_is_void(self, desk, account_id):
        order, fill = filled(desk, account_id)

        bust(desk, order)

        told = replay(desk, TRADES)[-1]
        assert (told["event"], told["reason"]) == ("trade_bust", "TRADE_BUST")
        assert told["previous_execution_id"] == fill["execution_id"] != told["execution_id"]
        assert (told["qty"], told["price"]) == (fill["qty"], fill["price"])
        assert (told["position_qty"], told["order"]["filled_qty"]) == ("0", "0")

    def test_links_its_line_to_that_of_the_fill(self, desk, account_id):
        order, fill = filled(desk, account_id)

        bust(desk, order)

        first, second = fills(desk, account_id)
        assert (first["status"], second["status"]) == ("canceled", "canceled")
        assert (first["previous_id"], second["previous_id"]) == (None, first["id"])
        assert first["id"].endswith(fill["execution_id"])
        told = replay(desk, ACTIVITIES)[-1]
        assert (told["ref_id"], told["previous_id"]) == (second["id"], first["id"])
        assert told["details"] == {"execution_type": "trade_bust"}

    def test_of_one_of_two_fills_leaves_the_other_at_its_own_price(self, desk, account_id):
        desk.server.fault(kind="partial_fill")
        order = desk.order(account_id, qty="10")
        desk.advance(0.3)
        desk.set_price("AAPL", "210")
        desk.advance(5)
        _, first, last = replay(desk, TRADES)

        bust(desk, order, execution_id=first["execution_id"])

        assert first["price"] < last["price"]
        assert positions(desk, account_id) == {"AAPL": ("5", last["price"])}
        shown = desk.show_order(account_id, order["id"])
        assert (shown["status"], shown["filled_qty"]) == ("canceled", "5")
        assert shown["filled_avg_price"] == last["price"]
        assert desk.cash(account_id) == 10_000 - 5 * Decimal(last["price"])

    def test_may_let_the_order_work_on_until_it_is_filled_again(self, desk, account_id):
        order, _ = filled(desk, account_id)

        assert bust(desk, order, works_on=True)["status"] == "new"
        desk.advance(1)

        assert desk.show_order(account_id, order["id"])["status"] == "filled"
        assert positions(desk, account_id)["AAPL"][0] == "10"
        statuses = sorted(each["status"] for each in fills(desk, account_id))
        assert statuses == ["canceled", "canceled", "executed"]

    def test_of_a_sale_brings_the_shares_back_at_what_they_cost(self, desk, account_id):
        filled(desk, account_id)
        before, cash = positions(desk, account_id), desk.cash(account_id)
        sale, _ = filled(desk, account_id, side="sell", qty="4")

        bust(desk, sale)

        assert positions(desk, account_id) == before
        assert desk.cash(account_id) == cash

    def test_is_refused_once_the_shares_are_sold(self, desk, account_id):
        order, _ = filled(desk, account_id)
        filled(desk, account_id, side="sell", qty="1")

        assert refused(desk, order["id"], "bust", {}) == 422
        assert positions(desk, account_id)["AAPL"][0] == "9"

    def test_happens_once(self, desk, account_id):
        order, fill = filled(desk, account_id)
        bust(desk, order)

        body = {"execution_id": fill["execution_id"]}
        assert refused(desk, order["id"], "bust", body) == 404
        assert [each["kind"] for each in desk.server.effects(kind="trade.busted")] == [
            "trade.busted"
        ]


class TestACorrection:
    def test_changes_price_and_quantity_everywhere(self, desk, account_id):
        order, fill = filled(desk, account_id)

        correct(desk, order, execution_id=fill["execution_id"], price="150.50", qty="8")

        assert positions(desk, account_id) == {"AAPL": ("8", "150.5")}
        assert desk.cash(account_id) == 10_000 - Decimal("1204.00")
        shown = desk.show_order(account_id, order["id"])
        assert (shown["filled_qty"], shown["filled_avg_price"]) == ("8", "150.5")
        assert shown["status"] == "canceled"

    def test_keeps_the_time_of_the_execution_and_tells_its_own(self, desk, account_id):
        order, fill = filled(desk, account_id)
        desk.advance(3600)

        correct(desk, order, price="150")

        told = replay(desk, TRADES)[-1]
        assert told["event"] == "trade_correct"
        assert told["previous_execution_id"] == fill["execution_id"] != told["execution_id"]
        assert (told["price"], told["qty"]) == ("150", "10")
        assert told["timestamp"] == fill["timestamp"] < told["at"]
        first, second = fills(desk, account_id)
        assert second["transaction_time"] == first["transaction_time"]
        assert (first["status"], second["status"]) == ("canceled", "correct")
        assert second["previous_id"] == first["id"]
        assert desk.show_order(account_id, order["id"])["status"] == "filled"

    def test_can_be_corrected_again_and_taken_back_in_the_end(self, desk, account_id):
        order, _ = filled(desk, account_id)

        correct(desk, order, price="150")
        correct(desk, order, qty="3")
        bust(desk, order)

        assert desk.cash(account_id) == 10_000
        assert positions(desk, account_id) == {}
        ids = [each["id"] for each in fills(desk, account_id)]
        assert [each["previous_id"] for each in fills(desk, account_id)] == [None, *ids[:-1]]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"price": "0"}, 400),
            ({"price": "many"}, 400),
            ({"qty": "-1"}, 400),
            ({"qty": "0.0000000001"}, 400),
            ({"qty": "10.5"}, 422),
            ({"execution_id": "nothing"}, 404),
            ([], 400),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, desk, account_id, body, status):
        order, _ = filled(desk, account_id)

        assert refused(desk, order["id"], "correct", body) == status
        assert refused(desk, "nobody", "correct", {}) == 404
        assert desk.show_order(account_id, order["id"])["filled_qty"] == "10"
