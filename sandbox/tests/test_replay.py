from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sandbox.assets import Catalogue
from sandbox.clock import SimClock
from sandbox.prices import PriceBook
from sandbox.replay import Replay
from sandbox.world import Settings, World

START = datetime(2026, 3, 4, 15, tzinfo=UTC)
MINUTES = """time,open,high,low,close,volume
2026-03-03T10:00:00-05:00,10.00,10.60,9.90,10.50,1000
2026-03-03T10:01:00-05:00,10.50,11.20,10.40,11.00,1000
2026-03-03T10:02:00-05:00,11.00,11.10,8.00,8.50,1000
"""
DAYS = """Date,Open,High,Low,Close,Volume
2026-03-02,100,104,99,103,1000
2026-03-03,103,110,102,109,1000
"""


def replaying(tmp_path: Path, text: str, *, speed: float = 1.0, starts_at: datetime | None = None):
    (tmp_path / "OWN.csv").write_text(text)
    clock = SimClock(0, start=START)
    replay = Replay(directory=tmp_path, starts_at=starts_at, speed=speed)
    return PriceBook(7, clock, Catalogue(tmp_path), "open", replay=replay), clock


def last(prices: PriceBook) -> Decimal:
    quote = prices.quote("OWN")
    assert quote is not None
    return quote.last


class TestReplay:
    def test_walks_through_the_bars_from_the_chosen_moment(self, tmp_path: Path):
        begins = datetime(2026, 3, 3, 15, tzinfo=UTC)
        prices, clock = replaying(tmp_path, MINUTES, starts_at=begins)
        seen = [last(prices)]
        for _ in range(3):
            clock.advance(59.75)
            seen.append(last(prices))
            clock.advance(0.25)

        assert seen == [Decimal("10.00"), Decimal("10.50"), Decimal("11.00"), Decimal("8.50")]

    def test_plays_faster_when_asked(self, tmp_path: Path):
        begins = datetime(2026, 3, 3, 15, tzinfo=UTC)
        prices, clock = replaying(tmp_path, MINUTES, speed=60, starts_at=begins)
        clock.advance(1.75)

        assert last(prices) > Decimal("10.40")
        clock.advance(2)
        assert last(prices) == Decimal("8.50")

    def test_reaches_the_extremes_of_each_bar(self, tmp_path: Path):
        begins = datetime(2026, 3, 3, 15, tzinfo=UTC)
        prices, clock = replaying(tmp_path, MINUTES, starts_at=begins)
        clock.advance(180)
        first, second, third = prices.bars("OWN", "1Min", START, clock.now())

        assert (first.open, first.high, first.low) == (
            Decimal("10.00"),
            Decimal("10.60"),
            Decimal("9.90"),
        )
        assert (second.high, third.low) == (Decimal("11.20"), Decimal("8.00"))

    def test_moves_a_long_recording_by_whole_weeks_so_that_its_end_is_near(self, tmp_path: Path):
        days = [date(2025, 3, 10) + timedelta(days=n) for n in range(12)]
        rows = [f"{day},{n},{n},{n},{n},1" for n, day in enumerate(days, start=10)]
        prices, clock = replaying(tmp_path, "\n".join(["date,open,high,low,close,volume", *rows]))

        # Recorded until a Friday: now is the Wednesday of that week, at the same hour.
        assert last(prices) == Decimal("19.00")
        clock.advance(timedelta(days=1).total_seconds())
        assert last(prices) == Decimal("20.00")
        assert prices.close_on("OWN", date(2026, 3, 3)) == Decimal("18.00")

    def test_begins_a_short_recording_at_its_beginning(self, tmp_path: Path):
        prices, clock = replaying(tmp_path, DAYS)

        assert last(prices) == Decimal("100.00")
        clock.advance(timedelta(hours=7).total_seconds())
        assert last(prices) == Decimal("103.00")

    def test_other_symbols_move_as_usual(self, tmp_path: Path):
        prices, _ = replaying(tmp_path, DAYS)
        usual = PriceBook(7, SimClock(0, start=START), Catalogue(), "open")

        assert prices.quote("AAPL") == usual.quote("AAPL")

    def test_stands_still_after_the_end(self, tmp_path: Path):
        begins = datetime(2026, 3, 3, 15, tzinfo=UTC)
        prices, clock = replaying(tmp_path, MINUTES, starts_at=begins)
        clock.advance(timedelta(hours=5).total_seconds())

        assert last(prices) == Decimal("8.50")

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [("time,open,high,low,close\n", "no bars"), ("open,high,low,close\n1,1,1,1\n", "column")],
    )
    def test_says_what_is_wrong_with_a_file(self, tmp_path: Path, text: str, complaint: str):
        (tmp_path / "symbols.csv").write_text("symbol,price\nOWN,5\n")
        prices, _ = replaying(tmp_path, text)

        with pytest.raises(ValueError, match=complaint):
            prices.quote("OWN")


def test_a_sandbox_started_with_recordings_plays_them(tmp_path: Path):
    (tmp_path / "OWN.csv").write_text(DAYS)
    world = World.create(Settings(bars=tmp_path, speed=0))

    asset, quote = world.catalogue.get("OWN"), world.prices.quote("OWN")

    assert asset is not None
    assert asset.tradable
    assert quote is not None
    assert quote.last == Decimal("100.00")
