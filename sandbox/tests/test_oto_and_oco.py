"""An order with one leg, and two exits of which one cancels the other."""

from decimal import Decimal

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.groups import BRACKET, OCO, fill_at, statuses


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
    """An account with ten shares."""
    desk.order(account_id, qty="10")
    desk.advance(1)
    return account_id


class TestOto:
    @pytest.mark.parametrize(
        ("leg", "kind"),
        [
            ({"take_profit": {"limit_price": "210"}}, "limit"),
            ({"stop_loss": {"stop_price": "180", "limit_price": "179"}}, "stop_limit"),
        ],
    )
    def test_its_one_leg_works_once_it_is_filled(self, desk, account_id, leg, kind):
        order = desk.order(account_id, type="market", qty="2", order_class="oto", **leg)
        desk.advance(1)

        [shown] = order["legs"]
        assert (shown["type"], shown["status"]) == (kind, "held")
        assert statuses(desk, account_id, order["id"], shown["id"]) == ["filled", "new"]

    @pytest.mark.parametrize("legs", [{}, {"take_profit", "stop_loss"}])
    def test_it_has_exactly_one_leg(self, desk, account_id, legs):
        known = {name: BRACKET[name] for name in legs}

        answer = desk.order(account_id, status=422, qty="2", order_class="oto", **known)

        assert answer["message"] == "oto orders require either take_profit or stop_loss"


class TestOco:
    def test_the_profit_is_the_order_itself_and_the_stop_its_leg(self, desk, holder_id):
        order = desk.order(holder_id, **OCO)
        desk.advance(1)

        [stop] = order["legs"]
        assert (order["type"], order["limit_price"], order["side"]) == ("limit", "210", "sell")
        assert (stop["type"], stop["stop_price"], stop["limit_price"]) == (
            "stop_limit",
            "180",
            "179",
        )
        assert statuses(desk, holder_id, order["id"], stop["id"]) == ["new", "new"]

    @pytest.mark.parametrize(
        ("price", "ends"), [("211", ["filled", "canceled"]), ("180", ["canceled", "filled"])]
    )
    def test_one_cancels_the_other(self, desk, holder_id, price, ends):
        order = desk.order(holder_id, **OCO)
        desk.advance(1)

        fill_at(desk, price)

        assert statuses(desk, holder_id, order["id"], order["legs"][0]["id"]) == ends
        assert Decimal(desk.trading_account(holder_id)["long_market_value"]) == 0

    @pytest.mark.parametrize("number", [0, 1])
    def test_canceling_one_cancels_the_other(self, desk, holder_id, number):
        order = desk.order(holder_id, **OCO)
        ids = [order["id"], order["legs"][0]["id"]]
        desk.advance(1)

        desk.cancel(holder_id, ids[number])
        desk.advance(1)

        assert statuses(desk, holder_id, *ids) == ["canceled", "canceled"]

    def test_more_than_is_held_is_refused(self, desk, holder_id):
        answer = desk.order(holder_id, status=403, **(OCO | {"qty": "11"}))

        assert answer["available"] == "10"

    def test_a_purchase_is_no_exit(self, desk, holder_id):
        answer = desk.order(holder_id, status=422, **(OCO | {"side": "buy"}))

        assert answer["message"] == "oco orders must be exit orders"

    def test_a_market_order_cannot_be_two_exits(self, desk, holder_id):
        answer = desk.order(holder_id, status=422, **(OCO | {"type": "market"}))

        assert answer["message"] == "oco orders must be limit orders"
