"""Splits, dividends, new names and spin-offs: shares, cost, cash, book and stream."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.frames import replay
from sandbox.tests.test_busts import ACTIVITIES, TRADES, filled, positions, refused


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


@pytest.fixture
def account_id(desk: Desk) -> str:
    """An account with ten shares that cost 150 each."""
    account_id = desk.funded_account("10000")
    order, _ = filled(desk, account_id)
    desk.server.control(f"orders/{order['id']}/correct", {"price": "150"})
    return account_id


def act(desk: Desk, account_id: str, kind: str, **more: Any) -> list[dict[str, Any]]:
    body = {"kind": kind, "symbol": "AAPL"} | more
    told = desk.server.control(f"accounts/{account_id}/corporate-actions", body)
    lines: list[dict[str, Any]] = told["activities"]
    return lines


def what(lines: list[dict[str, Any]]) -> list[tuple[str, str | None, str, str]]:
    return [
        (each["activity_type"], each["activity_sub_type"], each["symbol"], each["qty"])
        for each in lines
    ]


class TestASplit:
    def test_multiplies_the_shares_and_keeps_what_they_cost(self, desk, account_id):
        cash = desk.cash(account_id)

        lines = act(desk, account_id, "split", new_rate="4")

        assert positions(desk, account_id) == {"AAPL": ("40", "37.5")}
        assert desk.cash(account_id) == cash
        assert what(lines) == [
            ("SPLIT", "FSPLIT", "AAPL", "-10"),
            ("SPLIT", "FSPLIT", "AAPL", "40"),
        ]
        assert [each["price"] for each in lines] == ["150", "37.5"]
        assert {each["net_amount"] for each in lines} == {"0.00"}

    def test_is_told_with_its_rates_in_two_lines_of_one_group(self, desk, account_id):
        act(desk, account_id, "split", new_rate="4")

        gone, came = replay(desk, ACTIVITIES)[-2:]
        assert gone["group_id"] == came["group_id"]
        assert gone["activity_subtype"] == "FSPLIT"
        details = {name: came["details"][name] for name in ("old_qty", "new_qty", "new_rate")}
        assert details == {"old_qty": "10", "new_qty": "40", "new_rate": "4"}
        listed = desk.call("GET", "/v1/accounts/activities/SPLIT")
        assert {each["id"] for each in listed} == {gone["ref_id"], came["ref_id"]}

    def test_the_other_way_round_leaves_a_fraction_or_pays_for_it(self, desk, account_id):
        twin = desk.funded_account("10000")
        order, _ = filled(desk, twin)
        desk.server.control(f"orders/{order['id']}/correct", {"price": "150"})
        cash = desk.cash(twin)

        act(desk, account_id, "split", old_rate="4", new_rate="1")
        lines = act(
            desk, twin, "split", old_rate="4", new_rate="1", cash_in_lieu=True, price="610.10"
        )

        assert positions(desk, account_id) == {"AAPL": ("2.5", "600")}
        assert positions(desk, twin) == {"AAPL": ("2", "600")}
        assert what(lines)[1:] == [
            ("SPLIT", "RSPLIT", "AAPL", "2.5"),
            ("CIL", None, "AAPL", "-0.5"),
        ]
        assert desk.cash(twin) == cash + Decimal("305.05")

    def test_ends_the_open_orders_of_its_symbol_and_says_why(self, desk, account_id):
        resting = {"type": "limit", "limit_price": "1.00", "time_in_force": "gtc", "qty": "1"}
        order = desk.order(account_id, **resting)
        other = desk.order(account_id, symbol="MSFT", **resting)
        desk.advance(1)

        act(desk, account_id, "split", new_rate="4")

        assert desk.show_order(account_id, order["id"])["status"] == "canceled"
        assert desk.show_order(account_id, other["id"])["status"] == "new"
        assert replay(desk, TRADES)[-1]["reason"] == "CORPORATE_ACTION"

    def test_older_executions_cannot_be_taken_back_any_more(self, desk):
        account_id = desk.funded_account()
        order, _ = filled(desk, account_id)
        desk.advance(1)
        act(desk, account_id, "split", new_rate="2")

        assert refused(desk, order["id"], "bust", {}) == 422
        assert positions(desk, account_id)["AAPL"][0] == "20"

    def test_a_bust_after_it_counts_the_new_shares(self, desk, account_id):
        act(desk, account_id, "split", new_rate="4")
        desk.advance(1)
        order, _ = filled(desk, account_id, qty="3")

        desk.server.control(f"orders/{order['id']}/bust", {})

        assert positions(desk, account_id) == {"AAPL": ("40", "37.5")}


class TestOtherActions:
    def test_a_cash_dividend_pays_for_each_share(self, desk, account_id):
        cash = desk.cash(account_id)

        [line] = act(desk, account_id, "cash_dividend", rate="0.253")

        assert desk.cash(account_id) == cash + Decimal("2.53")
        assert what([line]) == [("DIV", "CDIV", "AAPL", "10")]
        assert (line["per_share_amount"], line["net_amount"]) == ("0.253", "2.53")
        assert line["details"]["entitled_qty"] == "10"
        assert positions(desk, account_id) == {"AAPL": ("10", "150")}

    def test_a_stock_dividend_makes_every_share_cheaper(self, desk, account_id):
        [line] = act(desk, account_id, "stock_dividend", rate="0.25")

        assert what([line]) == [("DIV", "SDIV", "AAPL", "2.5")]
        assert (line["details"]["paid_qty"], line["details"]["new_qty"]) == ("2.5", "12.5")
        assert positions(desk, account_id) == {"AAPL": ("12.5", "120")}

    def test_a_new_symbol_takes_shares_and_cost_along(self, desk, account_id):
        lines = act(desk, account_id, "symbol_change", new_symbol="MSFT")

        assert what(lines) == [("NC", "SNC", "AAPL", "-10"), ("NC", "SNC", "MSFT", "10")]
        assert {each["details"]["new_symbol"] for each in lines} == {"MSFT"}
        assert positions(desk, account_id) == {"MSFT": ("10", "150")}

    def test_a_spin_off_brings_shares_that_cost_nothing(self, desk, account_id):
        [line] = act(desk, account_id, "spin_off", new_symbol="MSFT", new_rate="0.1")

        assert what([line]) == [("SPIN", None, "MSFT", "1")]
        assert positions(desk, account_id) == {"AAPL": ("10", "150"), "MSFT": ("1", "0")}

    def test_can_be_kept_from_the_stream(self, desk, account_id):
        before = replay(desk, ACTIVITIES)

        lines = act(desk, account_id, "split", new_rate="2", is_told=False)

        assert replay(desk, ACTIVITIES) == before
        listed = desk.call("GET", "/v1/accounts/activities/SPLIT")
        assert {each["id"] for each in listed} == {each["id"] for each in lines}

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 400),
            ({"kind": "merger", "symbol": "AAPL"}, 400),
            ({"kind": "split", "symbol": "AAPL"}, 400),
            ({"kind": "split", "symbol": "AAPL", "new_rate": "1"}, 400),
            ({"kind": "split", "symbol": "AAPL", "new_rate": "-2"}, 400),
            ({"kind": "split", "symbol": "MSFT", "new_rate": "2"}, 422),
            ({"kind": "cash_dividend", "symbol": "AAPL", "rate": "much"}, 400),
            ({"kind": "symbol_change", "symbol": "AAPL", "new_symbol": "AAPL"}, 422),
            ({"kind": "symbol_change", "symbol": "AAPL", "new_symbol": "NOSUCH"}, 422),
            ({"kind": "split", "symbol": "AAPL", "new_rate": "2", "at": "soon"}, 400),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, desk, account_id, body, status):
        url = f"{desk.server.url}/_control/accounts/{account_id}/corporate-actions"

        assert desk.server.http.post(url, json=body).status_code == status
        assert positions(desk, account_id) == {"AAPL": ("10", "150")}
