"""What is read of the vendor's answers about prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.tests.sandboxes import running
from market import gateways
from market.facts import new_york_date
from market.gateways.alpaca_prices import read_snapshot


def test_a_preferred_share_is_asked_for_by_its_long_name(tmp_path, monkeypatch, settings):
    (tmp_path / "symbols.csv").write_text("symbol,name,price\nBAC.PRL,Preferred,1200.50\n")
    monkeypatch.setenv("SANDBOX_BARS", str(tmp_path))
    with running() as sandbox:
        sandbox.point(settings)
        today = new_york_date(datetime.now(UTC))
        found = gateways.get().data.snapshots(["AAPL", "BAC.PRL", "BAC.PRLX"], today=today)

    assert set(found) == {"AAPL", "BAC.PRL"}
    assert found["BAC.PRL"].last is not None


class TestALastTrade:
    MINUTE = {"c": Decimal("99.5"), "t": "2026-01-05T15:29:00Z"}

    def last(self, conditions, **more):
        sale = {"p": Decimal(90), "t": "2026-01-05T15:30:00.25Z", "c": conditions}
        found = read_snapshot("AAPL", {"latestTrade": sale} | more, previous_close=None)
        return found.last, found.last_at

    @pytest.mark.parametrize("conditions", [["@"], ["@", "T", "I"], [], None])
    def test_is_the_price(self, conditions):
        at = datetime(2026, 1, 5, 15, 30, 0, 250_000, tzinfo=UTC)

        assert self.last(conditions, minuteBar=self.MINUTE) == (90, at)

    @pytest.mark.parametrize(
        "conditions", [["@", "4", "W"], ["Z"], ["P", "T"], ["@", "9"], 7, [["@"]], [{}, None]]
    )
    def test_that_tells_nothing_about_now_gives_way_to_the_last_minute(self, conditions):
        told = self.last(conditions, minuteBar=self.MINUTE)

        assert told == (Decimal("99.5"), datetime(2026, 1, 5, 15, 29, tzinfo=UTC))

    def test_is_better_than_nothing(self):
        assert self.last(["W"], minuteBar=None)[0] == 90
