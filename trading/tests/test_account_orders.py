"""The explicit routes of orders, and the original's own about what is under way."""

from decimal import Decimal

import pytest

from trading.tests import factories, telling
from trading.tests.factories import orders_of
from trading.tests.test_views import trade
from trading.tickets import Changes

pytestmark = pytest.mark.django_db


class TestAccountOrders:
    def path(self, account, *more):
        return "/".join([f"/api/account/{account.broker_account_id}/orders", *map(str, more)])

    def place(self, client, account, *, key="k1", **body):
        body = {"symbol": "AAPL", "side": "buy", "qty": "1"} | body
        headers = {"Idempotency-Key": key} if key else {}
        return client.post(self.path(account), body, format="json", headers=headers)

    def test_takes_any_kind_in_explicit_words(self, alice, account, broker):
        answer = self.place(
            alice,
            account,
            type="limit",
            limit_price="99.50",
            time_in_force="gtc",
            order_class="bracket",
            take_profit={"limit_price": "110"},
            stop_loss={"stop_price": "90", "limit_price": "89.50"},
        )

        entry, *exits = orders_of(account)
        assert (answer.status_code, answer.json()["order_class"]) == (201, "bracket")
        assert (entry.take_profit_price, entry.stop_loss_limit_price) == (110, Decimal("89.50"))
        assert len(exits) == 2

    def test_needs_a_key(self, alice, account, broker):
        answer = self.place(alice, account, key=None)

        assert (answer.status_code, "Idempotency-Key" in answer.json()["field_errors"]) == (
            400,
            True,
        )
        assert broker.submitted == []

    def test_with_the_same_key_is_one_order(self, alice, account, broker):
        first, again = self.place(alice, account), self.place(alice, account)

        assert (again.status_code, again.content) == (201, first.content)
        assert len(broker.submitted) == 1

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"qty": None}, "qty"),
            ({"notional": "5"}, "notional"),
            ({"type": "limit", "limit_price": "9.99999"}, "limit_price"),
            ({"type": "stop"}, "stop_price"),
            ({"type": "trailing_stop"}, "trail_percent"),
            ({"side": "hold"}, "side"),
            ({"units": "1"}, "units"),
            ({"order_class": "bracket", "take_profit": {"limit": "1"}}, "take_profit.limit"),
            ({"take_profit": {"limit_price": "110"}}, "take_profit.limit_price"),
            ({"order_class": "oto", "stop_loss": {"stop_price": "-1"}}, "stop_loss.stop_price"),
            ({"lots": [{"lot_id": "x", "quantity": "1"}]}, "lots.0.lot_id"),
        ],
        ids=str,
    )
    def test_nonsense_is_400_by_its_own_name(self, alice, account, broker, body, field):
        answer = self.place(alice, account, **body)

        assert (answer.status_code, field in answer.json()["field_errors"]) == (400, True)
        assert (orders_of(account), broker.submitted) == ([], [])

    def test_a_refusal_names_the_explicit_field(self, alice, account, broker):
        answer = self.place(alice, account, qty="1000")

        assert (answer.status_code, answer.json()["rule"]) == (422, "insufficient_buying_power")
        assert list(answer.json()["field_errors"]) == ["qty"]

    def test_are_listed_a_page_at_a_time(self, alice, account, broker):
        for number in range(5):
            self.place(alice, account, key=f"k{number}", notional=str(number + 5), qty=None)

        seen, token = [], {}
        while True:
            page = alice.get(self.path(account), {"limit": 2, **token}).json()
            seen += [order["notional"] for order in page["orders"]]
            if page["next_page_token"] is None:
                break
            token = {"page_token": page["next_page_token"]}

        assert seen == ["9.00", "8.00", "7.00", "6.00", "5.00"]

    def test_can_be_listed_by_side(self, alice, account, broker):
        self.place(alice, account)

        def count(side):
            return len(alice.get(self.path(account), {"side": side}).json()["orders"])

        assert (count("buy"), count("SELL")) == (1, 0)

    def test_of_too_many_symbols_are_not_listed_in_part(self, alice, account):
        many = ",".join(f"A{number}" for number in range(51))

        answer = alice.get(self.path(account), {"symbols": many})

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["symbols"])

    def test_show_their_exits_inside(self, alice, account, broker):
        exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
        self.place(alice, account, type="limit", limit_price="99", order_class="bracket", **exits)

        (order,) = alice.get(self.path(account), {"nested": "true"}).json()["orders"]
        assert {leg["status"] for leg in order["legs"]} == {"held"}
        assert len(alice.get(self.path(account)).json()["orders"]) == 3

    def test_list_an_exit_by_itself_once_its_order_is_over(self, alice, account, broker):
        exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
        entry = self.place(
            alice, account, type="limit", limit_price="99", order_class="bracket", **exits
        ).json()
        telling.tell(broker.fill(entry["clera_order_id"], Decimal(1), Decimal(99)))

        def listed(status, **more):
            query = {"nested": "true", "status": status, **more}
            return alice.get(self.path(account), query).json()["orders"]

        assert sorted(order["type"] for order in listed("open")) == ["limit", "stop"]
        assert {order["clera_parent"] for order in listed("open")} == {entry["clera_order_id"]}
        assert [order["id"] for order in listed("all")] == [entry["id"]]
        assert listed("all", page_token=entry["clera_order_id"]) == []

    def test_of_two_exits_change_and_show_the_price_of_the_first(self, alice, account, broker):
        factories.fund(account, positions={"AAPL": "5"})
        exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}
        oco = self.place(
            alice, account, side="sell", type="limit", order_class="oco", **exits
        ).json()
        telling.tell(broker.move(oco["clera_order_id"], "new"))

        changed = alice.patch(
            self.path(account, oco["id"]),
            {"limit_price": "111"},
            format="json",
            headers={"Idempotency-Key": "change"},
        )

        assert (oco["limit_price"], changed.json()["limit_price"]) == ("110.00", "111.00")
        assert broker.replaced == [(oco["id"], Changes(limit_price=Decimal(111)))]

    def test_are_replaced(self, alice, account, broker):
        order = self.place(alice, account, type="limit", limit_price="99").json()
        telling.tell(broker.move(order["clera_order_id"], "new"))

        answer = alice.patch(
            self.path(account, order["id"]),
            {"limit_price": "98"},
            format="json",
            headers={"Idempotency-Key": "change"},
        )
        again = alice.patch(
            self.path(account, order["id"]),
            {"limit_price": "98"},
            format="json",
            headers={"Idempotency-Key": "change"},
        )

        assert (answer.status_code, answer.json()["limit_price"]) == (201, "98.00")
        assert answer.json()["clera_replaces"] == order["clera_order_id"]
        assert (again.content, len(broker.replaced)) == (answer.content, 1)

    def test_may_be_replaced_again_after_the_broker_has_undone_it(self, alice, account, broker):
        order = self.place(alice, account, type="limit", limit_price="99").json()
        telling.tell(broker.move(order["clera_order_id"], "new"))

        def change(key):
            return alice.patch(
                self.path(account, order["id"]),
                {"limit_price": "98"},
                format="json",
                headers={"Idempotency-Key": key},
            )

        undone = change("first").json()["clera_order_id"]
        telling.tell(broker.move(undone, "rejected"))
        telling.tell(broker.move(order["clera_order_id"], "new"))

        assert change("second").status_code == 201

    def test_are_not_replaced_by_nonsense(self, alice, account, broker):
        order = self.place(alice, account, type="limit", limit_price="99").json()
        telling.tell(broker.move(order["clera_order_id"], "new"))

        for body, field in (({"qty": "1.5"}, "qty"), ({"trail": "1"}, "trail"), ({"x": 1}, "x")):
            answer = alice.patch(
                self.path(account, order["id"]),
                body,
                format="json",
                headers={"Idempotency-Key": field},
            )
            assert (answer.status_code, list(answer.json()["field_errors"])) == (400, [field])
        assert broker.replaced == []

    def test_are_canceled_one_by_one_or_all(self, alice, account, broker):
        one = self.place(alice, account).json()
        other = self.place(alice, account, key="k2", qty="2").json()

        first = alice.delete(self.path(account, one["id"]))
        rest = alice.delete(self.path(account))

        assert (first.status_code, first.json()["status"]) == (202, "pending_cancel")
        assert {order["id"] for order in rest.json()["orders"]} == {one["id"], other["id"]}
        assert all(order["cancel_requested_at"] for order in rest.json()["orders"])
        assert {one["id"], other["id"]} == set(broker.canceled)

    def test_tell_their_history_without_the_brokers_raw_words(self, alice, account, broker):
        order = self.place(alice, account).json()
        telling.tell(broker.fill(order["clera_order_id"], Decimal(1), Decimal("99.50")))

        answer = alice.get(self.path(account, order["id"], "history"))

        history = answer.json()
        assert history["verdict"]["allowed"] is True
        assert [step["to_state"] for step in history["steps"]][:2] == ["SENDING", "ACCEPTED"]
        (fill,) = history["fills"]
        assert (fill["qty"], fill["price"], fill["is_busted"]) == ("1", "99.50", False)
        assert b'"body"' not in answer.content

    def test_of_others_do_not_exist(self, alice, bob, account, broker):
        order = self.place(alice, account).json()
        headers = {"Idempotency-Key": "theirs"}

        answers = [
            self.place(bob, account, key="theirs"),
            bob.get(self.path(account)),
            bob.delete(self.path(account)),
            bob.get(self.path(account, order["id"])),
            bob.get(self.path(account, order["id"], "history")),
            bob.delete(self.path(account, order["id"])),
            bob.patch(
                self.path(account, order["id"]), {"qty": "2"}, format="json", headers=headers
            ),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert (len(broker.submitted), broker.canceled, broker.replaced) == (1, [], [])


class TestPreview:
    def preview(self, client, account, **body):
        path = f"/api/account/{account.broker_account_id}/orders/preview"
        return client.post(path, {"symbol": "AAPL", "side": "buy"} | body, format="json")

    def test_tells_what_an_order_would_do_and_does_nothing(self, alice, account, broker):
        answer = self.preview(alice, account, qty="2")

        shown = answer.json()
        assert (answer.status_code, shown["verdict"]["allowed"]) == (200, True)
        assert {name: shown[name] for name in ("price", "cost", "buying_power_after")} == {
            "price": "100.00",
            "cost": "200.00",
            "buying_power_after": "800.00",
        }
        assert (shown["position_after"], shown["proceeds"]) == ("2", None)
        assert (orders_of(account), broker.submitted) == ([], [])

    def test_says_why_it_would_be_refused(self, alice, account, broker):
        shown = self.preview(alice, account, qty="1000").json()

        assert (shown["verdict"]["allowed"], shown["verdict"]["rule"]) == (
            False,
            "insufficient_buying_power",
        )
        assert orders_of(account) == []

    def test_of_nonsense_is_400_by_name(self, alice, account, broker):
        answer = self.preview(alice, account, qty="1", type="stop")

        assert (answer.status_code, list(answer.json()["field_errors"])) == (400, ["stop_price"])

    def test_of_anothers_account_is_404(self, bob, account, broker):
        assert self.preview(bob, account, qty="1").status_code == 404


class TestPending:
    def test_are_a_customers_own_in_the_originals_shape(self, alice, bob, account, broker):
        order = trade(alice, account, units="1", order_type="Limit", limit_price="99.50").json()

        (shown,) = alice.get("/api/snaptrade/pending-orders").json()["orders"]

        assert shown["order_id"] == order["order"]["id"]
        assert {name: shown[name] for name in ("quantity", "price", "side", "is_queued")} == {
            "quantity": 1,
            "price": 99.5,
            "side": "BUY",
            "is_queued": False,
        }
        assert bob.get("/api/snaptrade/pending-orders").json() == {"success": True, "orders": []}

    def test_what_the_broker_has_is_no_queued_order(self, alice, account, broker):
        order = trade(alice, account, units="1").json()["order"]

        answer = alice.delete(f"/api/snaptrade/queued-order/{order['clera_order_id']}")

        assert (answer.status_code, answer.json()["code"]) == (400, "order_not_queued")
        assert broker.canceled == []

    def test_the_market_is_open_or_says_when_it_opens(self, alice, account):
        answer = alice.get("/api/snaptrade/market-status").json()

        assert answer["success"] is True
        assert set(answer["market"]) == {
            "is_open",
            "status",
            "message",
            "next_open",
            "orders_accepted",
        }
