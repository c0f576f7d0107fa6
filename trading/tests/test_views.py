"""The routes: shapes, status codes, and whose things they show."""

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from core.auth import Kind, Principal
from core.errors import VendorRejected, VendorUnclear
from trading.serializers.orders import BROKER_FIELDS
from trading.tests import factories
from trading.tests.conftest import client_of
from trading.tests.factories import customer, orders_of

pytestmark = pytest.mark.django_db


def trade(client, account, *, key=None, **body):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"account_id": account.broker_account_id, "ticker": "AAPL", "side": "BUY"} | body
    return client.post("/api/trade", body, format="json", headers=headers)


class TestTrade:
    def test_null_leaves_open_what_may_be_left_out(self, alice, account, broker):
        nothing = dict.fromkeys(("order_type", "time_in_force", "extended_hours", "limit_price"))

        answer = trade(alice, account, notional_amount="100.50", **nothing)

        (order,) = orders_of(account)
        assert answer.status_code == 201, answer.json()
        assert (order.order_type, order.time_in_force, order.extended_hours) == (
            "MARKET",
            "DAY",
            False,
        )

    def test_is_created_in_the_brokers_own_shape(self, alice, account, broker):
        answer = trade(alice, account, notional_amount="100.50")

        body = answer.json()
        (order,) = orders_of(account)
        assert (answer.status_code, body["success"], body["message"]) == (
            201,
            True,
            "Order placed.",
        )
        assert set(BROKER_FIELDS) <= set(body["order"])
        shown = {name: body["order"][name] for name in ("notional", "qty", "side", "status")}
        assert shown == {
            "notional": "100.50",
            "qty": None,
            "side": "buy",
            "status": "pending_new",
        }
        assert body["order"]["id"] == order.broker_order_id
        assert body["order"]["clera_order_id"] == str(order.pk)
        assert body["order"]["client_order_id"] == str(order.pk)

    def test_takes_numbers_and_the_originals_words(self, alice, account, broker):
        answer = trade(alice, account, units=1.5, side="buy", time_in_force="day", extra=1)

        assert answer.status_code == 201
        (order,) = orders_of(account)
        assert order.quantity == Decimal("1.5")

    def test_takes_a_limit(self, alice, account, broker):
        answer = trade(alice, account, units="1", order_type="LIMIT", limit_price="95.50")

        assert (answer.status_code, answer.json()["order"]["limit_price"]) == (201, "95.50")

    def test_is_202_while_the_broker_has_not_answered(self, alice, account, broker):
        broker.plan(VendorUnclear("fake", "no answer"))

        answer = trade(alice, account, notional_amount=10)

        order = answer.json()["order"]
        assert (answer.status_code, order["state"], order["status"]) == (
            202,
            "UNKNOWN",
            "pending_new",
        )

    def test_repeated_with_its_key_gets_the_same_bytes(self, alice, account, broker):
        first = trade(alice, account, key="k1", notional_amount=10)
        again = trade(alice, account, key="k1", notional_amount=10)

        assert (again.status_code, again.content) == (201, first.content)
        assert again["Idempotent-Replayed"] == "true"
        assert len(broker.submitted) == 1

    def test_a_key_stands_for_one_body(self, alice, account, broker):
        trade(alice, account, key="k1", notional_amount=10)

        answer = trade(alice, account, key="k1", notional_amount=11)

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert len(broker.submitted) == 1

    def test_without_a_key_a_double_tap_is_noticed(self, alice, account, broker):
        trade(alice, account, notional_amount=10)

        answer = trade(alice, account, notional_amount="10.00")
        assert (answer.status_code, answer.json()["code"]) == (409, "possible_duplicate")

        same = {"ticker": "aapl", "account_id": str(account.pk), "units": None}
        answer = trade(alice, account, notional_amount="10", **same)
        assert (answer.status_code, answer.json()["code"]) == (409, "possible_duplicate")

        meant = trade(alice, account, notional_amount=10, allow_duplicate=True)
        assert (meant.status_code, len(broker.submitted)) == (201, 2)

    def test_a_refusal_names_the_rule_and_the_field_and_is_replayed(self, alice, account, broker):
        answer = trade(alice, account, key="k1", notional_amount="1000.01")
        again = trade(alice, account, key="k1", notional_amount="1000.01")

        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["rule"]) == (
            422,
            "risk_refused",
            "insufficient_buying_power",
        )
        assert list(problem["field_errors"]) == ["notional_amount"]
        assert (again.status_code, again.content) == (422, answer.content)
        assert broker.submitted == []

    def test_the_brokers_no_is_422(self, alice, account, broker):
        broker.plan(VendorRejected("fake", "wash trade", vendor_code="40310000"))

        answer = trade(alice, account, notional_amount=10)

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "order_rejected")
        assert problem["broker_code"] == "40310000"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "notional_amount"),
            ({"notional_amount": 1, "units": 1}, "units"),
            ({"notional_amount": "NaN"}, "notional_amount"),
            ({"notional_amount": "1e3"}, "notional_amount"),
            ({"notional_amount": -5}, "notional_amount"),
            ({"notional_amount": 0}, "notional_amount"),
            ({"notional_amount": "1.001"}, "notional_amount"),
            ({"notional_amount": "１００"}, "notional_amount"),
            ({"units": "0.0000000001"}, "units"),
            ({"units": True}, "units"),
            ({"notional_amount": 1, "side": "HOLD"}, "side"),
            ({"notional_amount": 1, "ticker": "\u017fPY"}, "ticker"),
            ({"notional_amount": 1, "order_type": "PEGGED"}, "order_type"),
            ({"units": 1, "order_type": "STOP"}, "stop_price"),
            ({"units": 1, "time_in_force": "FOREVER"}, "time_in_force"),
            ({"units": 1, "after_hours_policy": "hope"}, "after_hours_policy"),
            ({"units": 1, "order_class": "TRIPLE"}, "order_class"),
            ({"units": 1, "qty": 2}, "qty"),
            ({"units": 1, "symbol": "MSFT"}, "symbol"),
            ({"units": 1, "trail_percent": "101", "order_type": "trailing_stop"}, "trail_percent"),
            ({"notional_amount": 1, "order_type": "LIMIT"}, "limit_price"),
            ({"units": 1, "limit_price": "5"}, "limit_price"),
            ({"notional_amount": 1, "allow_duplicate": "yes"}, "allow_duplicate"),
        ],
    )
    def test_a_bad_body_is_400_by_field_and_claims_no_key(
        self, alice, account, broker, body, field
    ):
        answer = trade(alice, account, key="k1", **body)

        assert (answer.status_code, field in answer.json()["field_errors"]) == (400, True)
        assert orders_of(account) == []
        assert trade(alice, account, key="k1", notional_amount=10).status_code == 201

    def test_anothers_account_is_404(self, bob, account, broker):
        answer = trade(bob, account, notional_amount=10)

        assert (answer.status_code, orders_of(account)) == (404, [])

    def test_nobody_is_401(self, account, broker):
        assert trade(APIClient(), account, notional_amount=10).status_code == 401

    def test_a_key_without_the_scope_is_403(self, account, broker):
        reader = Principal(kind=Kind.SERVICE, key_id="k", scopes=frozenset({"trading:read"}))

        answer = trade(client_of(reader), account, notional_amount=10)
        assert (answer.status_code, orders_of(account)) == (403, [])

    def test_a_service_acts_for_the_owner_of_the_account(self, account, broker):
        service = Principal(
            kind=Kind.SERVICE, key_id="k", scopes=frozenset({"trading:write", "act_for"})
        )

        answer = trade(client_of(service), account, notional_amount=10)

        (order,) = orders_of(account)
        assert (answer.status_code, order.user_id, order.placed_by) == (
            201,
            "alice-sub",
            "service:k",
        )


class TestOrders:
    def orders(self, client, account, **query):
        return client.get(f"/api/portfolio/{account.broker_account_id}/orders", query)

    def test_are_the_open_ones_unless_asked(self, alice, account, broker):
        trade(alice, account, notional_amount=10)
        trade(alice, account, notional_amount=5000)

        assert [o["notional"] for o in self.orders(alice, account).json()] == ["10.00"]
        closed = self.orders(alice, account, status="closed").json()
        assert [(o["notional"], o["status"]) for o in closed] == [("5000.00", "rejected")]
        assert len(self.orders(alice, account, status="all").json()) == 2

    def test_can_be_limited_sorted_and_filtered(self, alice, account, broker):
        for dollars in (10, 11, 12):
            trade(alice, account, notional_amount=dollars)

        def listed(**query):
            return [o["notional"] for o in self.orders(alice, account, **query).json()]

        assert listed(limit=2) == ["12.00", "11.00"]
        assert listed(direction="asc", limit=1) == ["10.00"]
        assert listed(symbols="MSFT,TSLA") == []
        assert len(listed(symbols="aapl")) == 3
        assert listed(after="2999-01-01T00:00:00Z") == []
        assert len(listed(until="2999-01-01T00:00:00Z")) == 3

    @pytest.mark.parametrize(
        "query",
        [
            {"limit": 0},
            {"limit": 501},
            {"limit": "9" * 5000},
            {"limit": "ten"},
            {"status": "odd"},
            {"direction": "up"},
            {"side": "both"},
            {"nested": "perhaps"},
            {"after": "x"},
            {"after": "0001-01-01T00:00:00+14:00"},
            {"until": "9999-12-31T23:59:59-14:00"},
            {"until": "2026-02-30"},
            {"symbols": "A" * 3000},
            {"symbols": "AAPL\x00"},
            {"page_token": "next"},
        ],
        ids=str,
    )
    def test_a_bad_query_is_400_and_names_the_field(self, alice, account, query):
        answer = self.orders(alice, account, **query)

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, list(query))

    @pytest.mark.parametrize(
        "query",
        [
            {"after": "2026-01-01"},
            {"after": "0001-01-01T00:00:00Z"},
            {"until": "9999-12-31T23:59:59Z"},
            {"symbols": ",,NO SUCH,??,😀"},
            {"status": "ALL", "direction": "ASC", "side": "buy", "nested": "True"},
            {"page_token": "00000000-0000-4000-8000-000000000000"},
        ],
        ids=str,
    )
    def test_an_odd_query_is_answered(self, alice, account, query):
        answer = self.orders(alice, account, **query)

        assert (answer.status_code, answer.json()) == (200, [])

    def test_of_anothers_account_are_404(self, bob, account):
        assert self.orders(bob, account).status_code == 404

    def test_one_is_found_by_either_id(self, alice, account, broker):
        shown = trade(alice, account, notional_amount=10).json()["order"]

        for order_id in (shown["id"], shown["clera_order_id"]):
            path = f"/api/portfolio/{account.pk}/orders/{order_id}"
            assert alice.get(path).json()["clera_order_id"] == shown["clera_order_id"]


class TestCancel:
    def cancel(self, client, account, order_id):
        return client.delete(f"/api/portfolio/{account.broker_account_id}/orders/{order_id}")

    def test_says_what_it_did(self, alice, account, broker):
        order_id = trade(alice, account, notional_amount=10).json()["order"]["id"]

        answer = self.cancel(alice, account, order_id)

        assert (answer.status_code, answer.json()) == (
            200,
            {
                "success": True,
                "message": "Cancellation requested.",
                "order_id": order_id,
                "account_id": account.broker_account_id,
            },
        )
        assert broker.canceled == [order_id]

    def test_of_what_is_over_is_422(self, alice, account, broker):
        trade(alice, account, notional_amount=5000)
        (order,) = orders_of(account)

        answer = self.cancel(alice, account, order.pk)
        assert (answer.status_code, answer.json()["code"]) == (422, "order_not_open")

    def test_of_anothers_or_no_order_is_the_same_404(self, alice, bob, account, broker):
        order_id = trade(alice, account, notional_amount=10).json()["order"]["id"]

        foreign, unknown = self.cancel(bob, account, order_id), self.cancel(alice, account, uuid4())

        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert broker.canceled == []


class TestPositions:
    def test_have_the_originals_fields_at_our_live_price(self, alice, account, apple):
        factories.fund(account, positions={"AAPL": "2.5"})
        factories.set_price(apple, "100.00", close="98.00")

        (position,) = alice.get(f"/api/portfolio/{account.pk}/positions").json()

        assert position == {
            "asset_id": "",
            "symbol": "AAPL",
            "exchange": "",
            "asset_class": "",
            "avg_entry_price": "90.00",
            "qty": "2.5",
            "qty_available": "2.5",
            "side": "long",
            "market_value": "250.00",
            "cost_basis": "225",
            "unrealized_pl": "25",
            "unrealized_plpc": "0.1111111111",
            "unrealized_intraday_pl": "5",
            "unrealized_intraday_plpc": "0.0204081633",
            "current_price": "100.00",
            "lastday_price": "98.00",
            "change_today": "0.0204081633",
            "asset_marginable": None,
            "asset_shortable": None,
            "asset_easy_to_borrow": None,
        }

    def test_without_a_price_are_null_and_still_listed(self, alice, account, prices, settings):
        settings.ALPACA_DATA_URL = "http://127.0.0.1:9/alpaca/data"  # nobody listens there
        factories.new_instrument("GONE")
        factories.fund(account, positions={"GONE": "1"})
        from core import realtime
        from market import frames

        realtime.connection().delete(frames.SNAPSHOT_KEY)

        (position,) = alice.get(f"/api/portfolio/{account.pk}/positions").json()

        unknown = ("current_price", "market_value", "unrealized_pl", "change_today")
        assert {position[name] for name in unknown} == {None}
        assert (position["qty"], position["avg_entry_price"]) == ("1", "90.00")

    def test_of_anothers_account_are_404(self, bob, account):
        assert bob.get(f"/api/portfolio/{account.pk}/positions").status_code == 404


class TestBalance:
    def test_is_exact_numbers(self, alice, account, apple):
        factories.fund(account, cash="600.10", positions={"AAPL": "1.5"})

        answer = alice.get(f"/api/account/{account.broker_account_id}/balance")

        assert json.loads(answer.content, parse_float=str) == {
            "success": True,
            "data": {
                "buying_power": "600.10",
                "cash": "600.10",
                "portfolio_value": "750.10",
                "currency": "USD",
            },
        }

    def test_is_null_while_nobody_knows(self, alice, apple, broker):
        fresh = factories.new_account("carol-sub")

        answer = client_of(customer("carol-sub")).get(f"/api/account/{fresh.pk}/balance")

        assert answer.json()["data"] == {
            "buying_power": None,
            "cash": None,
            "portfolio_value": None,
            "currency": "USD",
        }

    def test_of_anothers_account_is_404(self, bob, account):
        assert bob.get(f"/api/account/{account.pk}/balance").status_code == 404
