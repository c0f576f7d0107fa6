"""What the control plane does, and the past it can give to an account."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


class TestWorld:
    def test_the_clock_jumps_and_what_fell_due_has_happened(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        desk.transfer(account_id, relationship_id, "25")
        before = datetime.fromisoformat(desk.server.control("clock", method="GET")["now"])

        after = desk.server.control("clock", {"advance": 3600})["now"]

        assert datetime.fromisoformat(after) - before == timedelta(hours=1)
        assert desk.cash(account_id) == 25

    def test_a_chain_of_steps_keeps_its_natural_times_after_a_jump(self, desk):
        account_id = desk.open_account()
        relationship_id = desk.link_bank(account_id)
        sent = desk.transfer(account_id, relationship_id, "25")
        desk.advance(3600)

        [transfer] = desk.call("GET", f"/v1/accounts/{account_id}/transfers")
        took = datetime.fromisoformat(transfer["updated_at"]) - datetime.fromisoformat(
            sent["created_at"]
        )
        assert took == timedelta(seconds=3)

    def test_a_price_holds_until_it_is_given_back(self, desk):
        desk.set_price("AAPL", "123.45")
        held = desk.call("GET", "/v1/assets/AAPL")["last_price"]
        desk.set_price("AAPL", None)
        desk.advance(10)

        assert held == "123.45"
        assert desk.call("GET", "/v1/assets/AAPL")["last_price"] != "123.45"

    @pytest.mark.parametrize("price", ["0", "-1", "much"])
    def test_what_is_no_price_is_refused(self, desk, price):
        answer = desk.server.http.post(f"{desk.server.url}/_control/prices", json={"AAPL": price})

        assert answer.status_code == 400

    def test_model_scripts_queue_up_under_their_name(self, desk):
        first = desk.server.control("model-scripts", {"name": "router", "turns": ["a", "b"]})
        second = desk.server.control("model-scripts", {"name": "router", "turns": ["c"]})

        assert (first, second) == ({"queued": 2}, {"queued": 3})
        assert desk.server.world.scripts == {"router": ["a", "b", "c"]}

    def test_effects_are_numbered_and_can_be_asked_for_from_a_number_on(self, desk):
        account_id = desk.funded_account("10")

        kinds = [(each["seq"], each["kind"]) for each in desk.server.effects()]
        later = desk.server.effects(since_seq="2", account_id=account_id)

        assert kinds == [
            (1, "account.created"),
            (2, "ach_relationship.created"),
            (3, "transfer.created"),
        ]
        assert [(each["kind"], each["amount"]) for each in later] == [("transfer.created", "10")]

    def test_a_reset_forgets_customers_effects_and_faults(self, desk):
        desk.funded_account()
        desk.server.fault(kind="delay")
        desk.server.control("reset")

        assert desk.call("GET", "/v1/accounts") == []
        assert desk.server.effects() == []
        assert desk.server.control("faults", method="GET") == {"faults": []}

    def test_every_answer_carries_the_request_limit(self, desk):
        headers = desk.send("GET", "/v1/clock").headers

        assert headers["x-ratelimit-limit"] == "60000"
        assert int(headers["x-ratelimit-remaining"]) < 60_000

    def test_too_many_requests_are_refused(self, serve):
        desk = Desk(serve(requests_per_minute=2))

        seen = [desk.send("GET", "/v1/clock") for _ in range(3)]

        # The minute may turn in between; then one more request is allowed.
        assert [answer.status_code for answer in seen] in ([200, 200, 429], [200, 200, 200])
        assert seen[2].headers.get("retry-after", "1") == "1"


class TestRefusals:
    def test_an_unknown_path_is_refused_in_the_vendors_words(self, desk):
        answer = desk.call("GET", "/v2/calendar", status=404)

        assert answer == {"code": 40410000, "message": "endpoint not found."}

    def test_a_body_that_is_no_json_is_refused(self, desk):
        assert desk.call("POST", "/v1/accounts", status=400, content=b"{")["code"] == 40010000


class TestSeeding:
    def seed(self, desk: Desk, account_id: str, **body: Any) -> Any:
        return desk.server.control(f"accounts/{account_id}/seed", body)

    def history(self, desk: Desk, account_id: str, period: str) -> Any:
        path = f"/v1/trading/accounts/{account_id}/account/portfolio/history"
        return desk.call("GET", path, params={"period": period, "timeframe": "1D"})

    def test_named_positions_and_cash_are_there_afterwards(self, desk):
        account_id = desk.open_account()

        self.seed(
            desk,
            account_id,
            months=6,
            cash="1234.56",
            positions=[{"symbol": "AAPL", "qty": "10"}, {"symbol": "MSFT", "qty": "2.5"}],
        )

        positions = desk.call("GET", f"/v1/trading/accounts/{account_id}/positions")
        assert [(each["symbol"], each["qty"]) for each in positions] == [
            ("AAPL", "10"),
            ("MSFT", "2.5"),
        ]
        assert desk.cash(account_id) == Decimal("1234.56")

    def test_the_history_follows_from_the_book(self, desk):
        account_id = desk.open_account()
        self.seed(desk, account_id, months=6, weights={"SPY": 0.6, "AAPL": 0.4})

        history = self.history(desk, account_id, "1A")
        account = desk.trading_account(account_id)

        flows = sum(history["cashflow"]["CSD"])
        assert flows == 5000 + 500 * (len([f for f in history["cashflow"]["CSD"] if f]) - 1)
        assert history["equity"][-1] == pytest.approx(float(account["equity"]))
        assert history["profit_loss"][-1] == pytest.approx(float(account["equity"]) - flows)
        assert len(history["timestamp"]) == len(history["equity"]) >= 365

    def test_yesterdays_equity_is_the_last_but_one_of_the_history(self, desk):
        account_id = desk.open_account()
        self.seed(desk, account_id, months=2, positions=[{"symbol": "AAPL", "qty": "10"}])

        history = self.history(desk, account_id, "1M")

        last_equity = float(desk.trading_account(account_id)["last_equity"])
        assert history["equity"][-2] == pytest.approx(last_equity)

    def test_a_told_past_keeps_its_dates_and_sides(self, desk):
        account_id = desk.open_account()
        now = datetime.fromisoformat(desk.server.control("clock", method="GET")["now"])
        days = [(now - timedelta(days=n)).date().isoformat() for n in (60, 50, 40)]

        self.seed(
            desk,
            account_id,
            deposits=[{"date": days[0], "amount": "20000"}],
            trades=[
                {"date": days[1], "symbol": "AAPL", "side": "buy", "qty": "5"},
                {"date": days[2], "symbol": "AAPL", "side": "sell", "qty": "2"},
            ],
        )

        lines = desk.call(
            "GET",
            "/v1/accounts/activities",
            params={"account_id": account_id, "direction": "asc"},
        )
        assert [line["activity_type"] for line in lines] == ["CSD", "FILL", "FILL"]
        assert [line.get("side") for line in lines] == [None, "buy", "sell"]
        assert lines[1]["transaction_time"][:10] == days[1]
        sums = sum(
            Decimal(line["qty"]) * Decimal(line["price"]) * (-1 if line["side"] == "buy" else 1)
            for line in lines[1:]
        )
        assert desk.cash(account_id) == 20000 + sums.quantize(Decimal("0.01"))

    def test_what_is_not_held_cannot_have_been_sold(self, desk):
        account_id = desk.open_account()
        answer = desk.server.http.post(
            f"{desk.server.url}/_control/accounts/{account_id}/seed",
            json={"trades": [{"date": "2025-03-03", "symbol": "AAPL", "side": "sell", "qty": "1"}]},
        )

        assert answer.status_code == 422

    def test_an_hour_of_history_has_a_point_every_five_minutes(self, desk):
        account_id = desk.open_account()
        self.seed(desk, account_id, months=1, positions=[{"symbol": "AAPL", "qty": "1"}])
        path = f"/v1/trading/accounts/{account_id}/account/portfolio/history"

        history = desk.call("GET", path, params={"period": "1D", "timeframe": "5Min"})

        steps = {
            later - earlier
            for earlier, later in zip(history["timestamp"], history["timestamp"][1:], strict=False)
        }
        assert steps == {300}
        assert min(history["equity"]) > 0

    def test_activities_are_paged_by_the_last_id(self, desk):
        account_id = desk.open_account()
        self.seed(desk, account_id, months=3, weights={"SPY": 1})
        seen: list[str] = []
        token = ""
        while True:
            query = {"account_id": account_id, "page_size": "3"}
            page = desk.call(
                "GET",
                "/v1/accounts/activities",
                params=query | ({"page_token": token} if token else {}),
            )
            if not page:
                break
            seen += [line["id"] for line in page]
            token = seen[-1]

        assert len(seen) == len(set(seen)) > 6
        assert seen == sorted(seen, reverse=True)
