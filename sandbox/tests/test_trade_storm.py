"""Storms of trade events: what a careful reader adds up is what the books and the model say."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.frames import replay
from sandbox.tests.readers import Reader
from sandbox.tests.test_busts import TRADES

SMALL = {"accounts": 8, "events": 400, "unknown": 0.05, "cuts": 6, "drops": 5}
CALM = {"duplicates": 0, "reordered": 0, "cuts": 0, "drops": 0}
ENDED = {"filled", "canceled", "expired"}


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


def storm(desk: Desk, **wanted: Any) -> dict[str, Any]:
    answer: dict[str, Any] = desk.server.control("orders/storm", SMALL | wanted)
    return answer


def executions_of(events: Iterable[dict[str, Any]]) -> dict[str, dict[str, Decimal]]:
    """Fold the events: which executions of each order stand in the end."""
    standing: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for each in events:
        fills = standing[each["order"]["client_order_id"]]
        if "previous_execution_id" in each:
            del fills[each["previous_execution_id"]]
        if each["event"] in {"fill", "partial_fill", "trade_correct"}:
            fills[each["execution_id"]] = Decimal(each["qty"])
    return dict(standing)


def modelled(told: dict[str, Any]) -> dict[str, dict[str, Decimal]]:
    return {
        name: {key: Decimal(fill["qty"]) for key, fill in order["executions"].items()}
        for name, order in told["orders"].items()
    }


class TestATradeStorm:
    def test_who_reads_again_after_every_loss_ends_with_the_model(self, desk):
        told = storm(desk)
        reader = Reader(desk, TRADES)

        reader.read_all()

        assert len(reader.events) == told["events"] == 400
        assert reader.cuts == 6
        assert executions_of(reader.events[key] for key in sorted(reader.events)) == modelled(told)
        assert max(reader.events) == told["last_event_ulid"]

    def test_the_books_agree_with_the_model(self, desk):
        told = storm(desk, **CALM)
        orders = told["orders"]

        for account_id, held in told["positions"].items():
            path = f"/v1/trading/accounts/{account_id}"
            rows = desk.call("GET", f"{path}/positions")
            assert {row["symbol"]: row["qty"] for row in rows} == {
                symbol: qty for symbol, qty in held.items() if qty != "0"
            }
            listed = desk.call("GET", f"{path}/orders", params={"status": "all", "limit": "500"})
            names = ("status", "filled_qty", "filled_avg_price")
            assert {row["client_order_id"]: [row[name] for name in names] for row in listed} == {
                key: [order[name] for name in names]
                for key, order in orders.items()
                if order["account_id"] == account_id
            }

    def test_the_model_is_the_sum_of_what_stands(self, desk):
        told = storm(desk)

        held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for order in told["orders"].values():
            filled = sum(Decimal(fill["qty"]) for fill in order["executions"].values())
            assert filled == Decimal(order["filled_qty"])
            sign = 1 if order["side"] == "buy" else -1
            held[order["account_id"], order["symbol"]] += sign * filled
        assert held == {
            (account_id, symbol): Decimal(qty)
            for account_id, symbols in told["positions"].items()
            for symbol, qty in symbols.items()
        }

    def test_everything_happens_in_it_and_every_order_ends(self, desk):
        told = storm(desk, events=2000)

        steps = {step for order in told["orders"].values() for step in order["steps"]}
        assert steps >= {
            "new", "partial_fill", "fill", "canceled", "expired", "pending_cancel",
            "trade_bust", "trade_correct", "order_cancel_rejected", "something_new",
        }  # fmt: skip
        assert {order["status"] for order in told["orders"].values()} == ENDED
        assert min(told["busts"], told["corrections"], told["late_fills"]) > 20

    def test_never_is_more_sold_than_held_however_corrections_are_dated(self, desk):
        storm(desk, events=2000, **CALM)
        lines = desk.server.world.parts["broker"].books.activities

        for own in lines.values():
            for dated in ("at", "executed_at"):
                held: dict[str, Decimal] = defaultdict(Decimal)
                for line in sorted(own, key=lambda line: getattr(line, dated) or line.at):
                    held[line.symbol] += line.signed_qty
                    assert held[line.symbol] >= 0

    def test_inside_an_account_news_keep_their_order_unless_they_shall_not(self, desk):
        def is_in_order(reader: Reader) -> bool:
            reader.read_all()
            [seen] = reader.passes
            return all(
                own == sorted(own)
                for account_id in {each["account_id"] for each in reader.events.values()}
                for own in [[u for u in seen if reader.events[u]["account_id"] == account_id]]
            )

        storm(desk, **CALM | {"reordered": 0.1})
        assert is_in_order(Reader(desk, TRADES))

        desk.server.control("reset")
        assert storm(desk, **CALM, scrambled=0.2)["mishaps"]["reorder"] == 80
        assert not is_in_order(Reader(desk, TRADES))

    def test_nothing_happens_to_the_orders_afterwards(self, desk):
        told = storm(desk, **CALM)
        desk.advance(600)

        assert replay(desk, TRADES)[-1]["event_ulid"] == told["last_event_ulid"]

    def test_the_same_seed_makes_the_same_storm(self, desk):
        def lives(seed: int) -> list[Any]:
            return [order["steps"] for order in storm(desk, seed=seed)["orders"].values()]

        assert lives(1) == lives(1)
        assert lives(1) != lives(2)


class TestGivenOrders:
    def test_those_of_the_books_live_on_and_new_ones_are_written_down(self, desk):
        account_id = desk.funded_account()
        resting = {"type": "limit", "limit_price": "5.00", "time_in_force": "gtc"}
        old = desk.order(account_id, qty="7", client_order_id="old", **resting)
        desk.advance(1)
        orders = [
            {"account_id": account_id, "client_order_id": "old"},
            {
                "account_id": account_id,
                "client_order_id": "new",
                "symbol": "MSFT",
                "side": "buy",
                "qty": "2.5",
            },
        ]

        told = storm(desk, events=40, unknown=0, orders=orders, **CALM)

        assert list(told["orders"]) == ["old", "new"]
        assert told["orders"]["old"]["id"] == old["id"]
        prices = [Decimal(f["price"]) for f in told["orders"]["old"]["executions"].values()]
        assert all(price <= 5 for price in prices)
        for order in told["orders"].values():
            assert desk.show_order(account_id, order["id"])["status"] == order["status"]

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [
            ({"orders": []}, 400),
            ({"orders": "all"}, 400),
            ({"orders": [7]}, 400),
            ({"orders": [{"account_id": "nobody"}]}, 404),
            ({"symbols": []}, 400),
            ({"symbols": ["NOSUCH"]}, 422),
            ({"order_count": 401}, 400),
            ({"busts": 2}, 400),
            ({"duplicates": 0.95}, 400),
        ],
    )
    def test_what_makes_no_sense_is_refused_before_anything_happens(self, desk, wanted, status):
        url = f"{desk.server.url}/_control/orders/storm"

        assert desk.server.http.post(url, json=SMALL | wanted).status_code == status
        assert replay(desk, TRADES) == []
        assert desk.call("GET", "/v1/accounts") == []

    @pytest.mark.parametrize("changes", [{"qty": "0"}, {"side": "hold"}, {"symbol": "NOSUCH"}])
    def test_an_order_that_makes_no_sense_is_refused(self, desk, changes):
        account_id = desk.open_account()
        order = {
            "account_id": account_id,
            "client_order_id": "new",
            "symbol": "MSFT",
            "side": "buy",
            "qty": "2",
        }
        url = f"{desk.server.url}/_control/orders/storm"

        for orders in ([order | changes], [order, order]):
            body = SMALL | {"orders": orders}
            assert desk.server.http.post(url, json=body).status_code in {400, 422}
        assert replay(desk, TRADES) == []
