"""When the proceeds of a sale may leave the account."""

from datetime import timedelta
from decimal import Decimal

import pytest

from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk
from sandbox.tests.trading_days import Day


@pytest.fixture
def desk(still_server: Server) -> Desk:
    desk = Desk(still_server)
    desk.set_price("AAPL", "200.00")
    return desk


@pytest.fixture
def account_id(desk: Desk) -> str:
    return desk.funded_account("10000")


def figures(desk: Desk, account_id: str) -> tuple[Decimal, Decimal, Decimal]:
    """Cash, buying power, and what may leave."""
    account = desk.trading_account(account_id)
    return (
        Decimal(account["cash"]),
        Decimal(account["buying_power"]),
        Decimal(account["cash_withdrawable"]),
    )


class TestSettlement:
    @pytest.fixture
    def seller_id(self, desk: Desk, account_id: str) -> str:
        """All money in shares of AAPL, and then half of these sold again."""
        desk.order(account_id, qty="40")
        desk.advance(1)
        desk.order(account_id, side="sell", qty="20")
        desk.advance(1)
        return account_id

    def test_proceeds_buy_at_once_and_leave_a_day_later(self, desk, seller_id):
        fills = desk.call("GET", "/v1/accounts/activities/FILL", params={"account_id": seller_id})
        proceeds = Decimal(fills[0]["price"]) * 20
        at_once = figures(desk, seller_id)

        desk.advance(24 * 3600)

        cash, power, withdrawable = at_once
        assert (power, withdrawable) == (cash, cash - proceeds)
        assert figures(desk, seller_id) == (cash, cash, cash)

    def test_a_withdrawal_waits_for_them(self, desk, seller_id):
        cash, _, withdrawable = figures(desk, seller_id)
        [bank] = desk.call("GET", f"/v1/accounts/{seller_id}/ach_relationships")
        path = f"/v1/accounts/{seller_id}/transfers"
        body = {
            "transfer_type": "ach",
            "relationship_id": bank["id"],
            "direction": "OUTGOING",
            "amount": str(cash),
        }

        answer = desk.call("POST", path, status=403, json=body)
        desk.advance(24 * 3600)
        desk.call("POST", path, json=body)
        desk.advance(10)

        assert answer["message"] == "insufficient withdrawable cash"
        assert Decimal(answer["cash_withdrawable"]) == withdrawable
        assert desk.cash(seller_id) == 0

    def test_a_deposit_does_not_wait(self, desk, seller_id):
        *_, before = figures(desk, seller_id)
        [bank] = desk.call("GET", f"/v1/accounts/{seller_id}/ach_relationships")

        desk.transfer(seller_id, bank["id"], "500")
        desk.advance(10)

        assert figures(desk, seller_id)[2] == before + 500

    def test_a_purchase_takes_settled_cash_first(self, desk, seller_id):
        cash, _, withdrawable = figures(desk, seller_id)
        desk.order(seller_id, notional="1000")
        desk.advance(1)

        assert withdrawable > 1000
        assert figures(desk, seller_id)[2] == withdrawable - 1000
        desk.order(seller_id, notional="3000")
        desk.advance(1)
        desk.advance(24 * 3600)
        assert figures(desk, seller_id) == (cash - 4000,) * 3

    def test_it_is_remembered_over_a_restart(self, serve, tmp_path):
        first = Desk(serve(speed=0, data=tmp_path))
        first.set_price("AAPL", "200.00")
        account_id = first.funded_account("10000")
        for side in ("buy", "sell"):
            first.order(account_id, qty="40", side=side)
            first.advance(1)
        before = figures(first, account_id)
        first.server.world.store.flush()

        second = Desk(serve(speed=0, data=tmp_path))

        assert before[2] < 3000
        assert figures(second, account_id) == before


class TestTradingDays:
    @pytest.fixture
    def day(self, shared_exchange: Server) -> Day:
        return Day(shared_exchange)

    def test_it_settles_on_the_morning_of_the_next_trading_day(self, day):
        self._sell(day)
        day.go_to("07:29", days=1)
        early = figures(day.desk, day.account_id)
        day.go_to("07:30", days=1)
        morning = figures(day.desk, day.account_id)

        assert early[2] < early[0]
        assert morning[2] == morning[0] == early[0]

    def test_over_a_weekend_it_waits_for_the_next_session(self, day):
        sessions = day.world.prices.sessions
        while sessions.after(day.session.date).date - day.session.date < timedelta(days=3):
            day.session = sessions.after(day.session.date)
        days = (sessions.after(day.session.date).date - day.session.date).days
        self._sell(day)
        day.go_to("12:00", days=days - 1)
        before = figures(day.desk, day.account_id)
        day.go_to("07:30", days=days)
        after = figures(day.desk, day.account_id)

        assert before[2] < before[0]
        assert after[2] == after[0]

    def _sell(self, day: Day) -> None:
        day.go_to("10:00")
        for side in ("buy", "sell"):
            day.order(side=side, qty="40")
            day.desk.advance(1)
