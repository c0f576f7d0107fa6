"""Splits, dividends in shares and new symbols: from the broker's books into our lots."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.auth import SYSTEM, acting_as
from core.events import subscribe
from ledger import services as ledger
from ledger.events import SharesMoved
from trading import services
from trading.gateways import BrokerShares
from trading.models import Lot, LotClosing, PositionDrift, ShareMovement
from trading.states import MovementKind
from trading.tests.factories import buy, positions_of
from trading.tests.telling import now, tell

pytestmark = pytest.mark.django_db
HUNDRED = Decimal(100)
D = Decimal


def lots_of(account):
    with acting_as(SYSTEM):
        rows = Lot.objects.filter(account_id=account.pk).exclude(remaining=0)
        return sorted((row.symbol, row.remaining.normalize(), row.cost_left) for row in rows)


def unsettled():
    with acting_as(SYSTEM):
        return list(PositionDrift.objects.exclude(state="HEALED"))


def line(name, kind, symbol, quantity, **more):
    return BrokerShares(
        activity_id=name,
        activity_type=kind.value,
        kind=kind,
        symbol=symbol,
        quantity=D(quantity),
        at=now() + timedelta(seconds=1),
        **more,
    )


@pytest.fixture
def held(place, broker, account):
    """Four shares that cost $100 each."""
    order = place(buy(quantity="4"))
    tell(broker.fill(str(order.pk), Decimal(4), HUNDRED))
    return account


def read(account):
    return services.sync_holdings(account_id=account.pk, at=now())


class TestTakingOver:
    def test_a_split_is_found_when_the_position_differs(self, held, broker):
        broker.positions["AAPL"] = (D(12), D(400))
        broker.movements = [
            line("out", MovementKind.SPLIT, "AAPL", "-4", group="g"),
            line("in", MovementKind.SPLIT, "AAPL", "12", group="g"),
        ]

        read(held)

        assert lots_of(held) == [("AAPL", D(12), D("400.00"))]
        assert positions_of(held) == {"AAPL": 12}
        assert unsettled() == []

    def test_reading_it_again_changes_nothing(self, held, broker):
        broker.positions["AAPL"] = (D(8), D(400))
        broker.movements = [line("in", MovementKind.SPLIT, "AAPL", "4")]
        read(held)
        broker.positions["AAPL"] = (D(9), D(400))  # something else differs

        read(held)

        assert lots_of(held) == [("AAPL", D(8), D("400.00"))]
        assert [drift.theirs for drift in unsettled()] == [9]

    def test_another_symbol_takes_the_lots_along(self, held, broker):
        broker.positions = {"MSFT": (D(4), D(400))}
        broker.movements = [
            line("out", MovementKind.SYMBOL_CHANGE, "AAPL", "-4", group="g"),
            line("in", MovementKind.SYMBOL_CHANGE, "MSFT", "4", group="g"),
        ]

        read(held)

        assert lots_of(held) == [("MSFT", D(4), D("400.00"))]
        with acting_as(SYSTEM):
            assert Lot.objects.get(account_id=held.pk).acquired_at is not None
        assert unsettled() == []

    def test_a_fraction_that_is_paid_out_is_sold(self, held, broker):
        broker.positions["AAPL"] = (D(1), D(300))
        broker.movements = [
            line("out", MovementKind.SPLIT, "AAPL", "-4", group="g"),
            line("in", MovementKind.SPLIT, "AAPL", "1.5", group="g"),
            line("cil", MovementKind.CASH_IN_LIEU, "AAPL", "-0.5", cost=D("140.00"), group="g"),
        ]

        read(held)

        # A third of 400.00 is 133.33.
        assert lots_of(held) == [("AAPL", D(1), D("266.67"))]
        with acting_as(SYSTEM):
            sold = LotClosing.objects.get(account_id=held.pk)
        assert (sold.proceeds, sold.basis, sold.gain) == (D("140.00"), D("133.33"), D("6.67"))

    def test_a_line_that_is_taken_back_is_void(self, held, broker):
        broker.positions["AAPL"] = (D(8), D(400))
        split = line("in", MovementKind.SPLIT, "AAPL", "4")
        broker.movements = [split]
        read(held)
        broker.positions["AAPL"] = (D(4), D(400))
        broker.movements = [
            split,
            line("back", MovementKind.SPLIT, "AAPL", "4", previous_id="in", is_canceled=True),
        ]

        read(held)

        assert lots_of(held) == [("AAPL", D(4), D("400.00"))]
        with acting_as(SYSTEM):
            rows = ShareMovement.objects.filter(account_id=held.pk)
            assert list(rows.values_list("external_id", "is_void")) == [("in", True)]

    def test_what_was_there_before_us_has_been_through_it(self, account, broker):
        before = datetime.now(UTC) - timedelta(days=9)
        broker.positions["AAPL"] = (D(8), D(400))
        broker.movements = [
            BrokerShares(
                activity_id="in",
                activity_type="SPLIT",
                kind=MovementKind.SPLIT,
                symbol="AAPL",
                quantity=D(4),
                at=before,
            )
        ]
        read(account)
        broker.positions["AAPL"] = (D(9), D(400))

        read(account)

        assert lots_of(account) == [("AAPL", D(8), D("400.00"))]


class TestWithTheSandbox:
    """The broker's own lines, through the real client."""

    @pytest.fixture
    def holder(self, sandbox, sandbox_account):
        seed = {"positions": [{"symbol": "AAPL", "qty": "15"}], "months": 1}
        sandbox.control("POST", f"/accounts/{sandbox_account.broker_account_id}/seed", seed)
        read(sandbox_account)
        return sandbox_account

    def act(self, sandbox, account, **body):
        path = f"/accounts/{account.broker_account_id}/corporate-actions"
        sandbox.advance(5)
        sandbox.control("POST", path, body)
        read(account)

    def test_lots_follow_every_action(self, sandbox, holder):
        (_, before, cost), *_ = [each for each in lots_of(holder) if each[0] == "AAPL"]

        self.act(sandbox, holder, kind="split", symbol="AAPL", new_rate="4")
        assert ("AAPL", before * 4, cost) in lots_of(holder)

        self.act(sandbox, holder, kind="cash_dividend", symbol="AAPL", rate="0.25")
        assert ("AAPL", before * 4, cost) in lots_of(holder)

        self.act(sandbox, holder, kind="stock_dividend", symbol="AAPL", rate="0.1")
        assert ("AAPL", (before * D("4.4")).normalize(), cost) in lots_of(holder)

        self.act(sandbox, holder, kind="symbol_change", symbol="AAPL", new_symbol="MSFT")
        assert lots_of(holder) == [("MSFT", (before * D("4.4")).normalize(), cost)]
        assert unsettled() == []

    def test_a_line_of_the_books_has_the_holdings_read(
        self, sandbox, holder, django_capture_on_commit_callbacks
    ):
        path = f"/accounts/{holder.broker_account_id}/corporate-actions"
        sandbox.advance(5)
        sandbox.control("POST", path, {"kind": "split", "symbol": "AAPL", "new_rate": "2"})
        heard: list[object] = []
        subscribe(SharesMoved, heard.append)

        with django_capture_on_commit_callbacks(execute=True):
            ledger.compare_account(account_id=holder.pk, at=now())

        assert set(heard) == {SharesMoved(holder.pk)}
