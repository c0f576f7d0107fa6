import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import stdev

import pytest

from sandbox.assets import Catalogue
from sandbox.clock import SimClock
from sandbox.prices import PriceBook
from sandbox.sessions import NEW_YORK

NOON = datetime(2026, 3, 4, 17, tzinfo=UTC)  # a Wednesday, 12:00 in New York
CATALOGUE = Catalogue()


def book(seed: int = 7, *, mode: str = "real", at: datetime = NOON) -> PriceBook:
    return PriceBook(seed, SimClock(0, start=at), CATALOGUE, mode)


def clocked(at: datetime = NOON, mode: str = "real") -> tuple[PriceBook, SimClock]:
    clock = SimClock(0, start=at)
    return PriceBook(7, clock, CATALOGUE, mode), clock


def last(prices: PriceBook, symbol: str = "AAPL", at: datetime | None = None) -> Decimal:
    quote = prices.quote(symbol, at)
    assert quote is not None
    return quote.last


class TestQuote:
    def test_is_the_same_after_a_restart(self):
        assert book().quote("AAPL") == book().quote("AAPL")

    def test_differs_with_the_seed_and_with_the_symbol(self):
        assert last(book(1)) != last(book(2))
        assert last(book(), "GOOG") != last(book(), "GOOGL")

    def test_puts_the_last_trade_between_bid_and_ask_in_whole_cents(self):
        prices, clock = clocked()
        for _ in range(200):
            clock.advance(0.25)
            quote = prices.quote("MSFT")
            assert quote is not None
            assert quote.bid < quote.ask
            assert quote.bid <= quote.last <= quote.ask
            assert (quote.bid.as_tuple().exponent, quote.ask.as_tuple().exponent) == (-2, -2)

    def test_of_a_liquid_name_moves_a_few_cents_several_times_a_second(self):
        prices, clock = clocked()
        seen = []
        for _ in range(40):
            clock.advance(0.25)
            seen.append(last(prices))

        assert sum(a != b for a, b in pairwise(seen)) >= 15
        assert max(abs(a - b) for a, b in pairwise(seen)) < Decimal("0.25")

    def test_stands_still_between_two_ticks(self):
        prices, clock = clocked()
        before = prices.quote("AAPL")
        clock.advance(0.1)

        assert prices.quote("AAPL") == before

    def test_stays_within_reach_of_the_base_price(self):
        for asset in CATALOGUE.all():
            if asset.status == "active":
                assert Decimal("0.2") < last(book(), asset.symbol) / asset.base_price < 5

    def test_counts_in_hundredths_of_a_cent_below_a_dollar(self):
        prices = book()
        prices.set_price("PLUG", Decimal("0.4321"))
        quote = prices.quote("PLUG")

        assert quote is not None
        assert quote.last == Decimal("0.4321")
        assert Decimal(0) < quote.ask - quote.bid < Decimal("0.001")

    def test_does_not_exist_for_unknown_and_delisted_symbols(self):
        assert book().quote("NOSUCH") is None
        assert book().quote("TWTR") is None

    def test_stands_at_the_close_while_the_market_is_closed(self):
        prices = book(at=datetime(2026, 3, 7, 17, tzinfo=UTC))  # a Saturday
        quote = prices.quote("AAPL")

        assert quote is not None
        assert quote.last == prices.close_on("AAPL", date(2026, 3, 6))
        assert quote.at == datetime(2026, 3, 6, 21, tzinfo=UTC)

    def test_of_an_open_market_moves_at_night(self):
        prices, clock = clocked(datetime(2026, 3, 7, 7, tzinfo=UTC), "open")
        before = last(prices)
        clock.advance(3600)

        assert last(prices) != before


class TestSetPrice:
    def test_holds_the_price_until_it_is_let_go(self):
        prices, clock = clocked()
        clock.advance(1)
        prices.set_price("AAPL", Decimal("100.5"))
        clock.advance(3600)
        held = prices.quote("AAPL")
        assert held is not None
        assert (held.bid, held.last, held.ask) == (
            Decimal("100.49"),
            Decimal("100.50"),
            Decimal("100.51"),
        )

        prices.set_price("AAPL", None)

        assert last(prices) == last(book(at=clock.now()))

    def test_is_the_quote_at_once_and_leaves_the_past_alone(self):
        prices, clock = clocked()
        before = last(prices)
        clock.advance(10)
        prices.set_price("AAPL", Decimal(50))

        assert last(prices) == 50
        assert last(prices, at=NOON) == before

    def test_leaves_an_official_close_alone_when_set_after_it(self):
        prices = book(at=datetime(2026, 3, 7, 17, tzinfo=UTC))
        close = prices.close_on("AAPL", date(2026, 3, 6))
        prices.set_price("AAPL", Decimal(50))

        assert last(prices) == 50
        assert prices.close_on("AAPL", date(2026, 3, 6)) == close

    def test_shows_in_the_bars_and_the_close_of_its_time(self):
        prices, clock = clocked()
        prices.set_price("AAPL", Decimal(50))
        clock.advance(timedelta(days=1).total_seconds())

        assert prices.close_on("AAPL", NOON.date()) == 50
        bar = prices.daily_bar("AAPL", NOON.date())
        assert bar is not None
        assert bar.low == bar.close == 50
        assert bar.high > 50

    def test_survives_a_restart(self):
        prices, clock = clocked()
        prices.set_price("AAPL", Decimal("12.34"))
        again = PriceBook(7, clock, CATALOGUE, "real")

        again.restore(prices.state())

        assert last(again) == Decimal("12.34")

    def test_tells_those_who_watch(self):
        prices = book()
        told: list[str] = []
        stop = prices.watch(told.append)
        prices.set_price("AAPL", Decimal(1))
        stop()
        prices.set_price("MSFT", Decimal(1))

        assert told == ["AAPL"]

    @pytest.mark.parametrize("price", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("0.00001")])
    def test_refuses_what_is_no_price(self, price: Decimal):
        prices = book()
        before = prices.quote("AAPL")

        with pytest.raises(ValueError, match="is at least"):
            prices.set_price("AAPL", price)

        assert prices.quote("AAPL") == before

    def test_refuses_an_unknown_symbol(self):
        with pytest.raises(ValueError, match="NOSUCH"):
            book().set_price("NOSUCH", Decimal(1))


class TestCloses:
    def test_a_close_is_the_last_price_of_its_session(self):
        prices = book()
        session = prices.sessions.on(date(2026, 3, 3))
        assert session is not None

        assert prices.close_on("AAPL", session.date) == last(prices, at=session.close)

    def test_there_is_none_for_a_weekend_nor_for_a_day_not_over(self):
        prices = book()

        assert prices.close_on("AAPL", date(2026, 3, 1)) is None
        assert prices.close_on("AAPL", NOON.date()) is None
        assert prices.close_on("NOSUCH", date(2026, 3, 3)) is None

    def test_the_previous_close_is_the_one_before_the_current_trading_day(self):
        evening = book(at=datetime(2026, 3, 4, 23, tzinfo=UTC))
        early = book(at=datetime(2026, 3, 5, 12, tzinfo=UTC))
        morning = book(at=datetime(2026, 3, 5, 15, tzinfo=UTC))

        assert evening.previous_close("AAPL") == evening.close_on("AAPL", date(2026, 3, 3))
        assert early.previous_close("AAPL") == early.close_on("AAPL", date(2026, 3, 3))
        assert morning.previous_close("AAPL") == morning.close_on("AAPL", date(2026, 3, 4))

    def test_yearly_volatility_is_about_what_the_symbols_file_says(self):
        for symbol in ("SPY", "AAPL", "TSLA", "BND"):
            asset = CATALOGUE.get(symbol)
            assert asset is not None
            days = [session.date for session in book().calendar(date(2022, 1, 1), date(2026, 3, 1))]
            closes = [book().close_on(symbol, day) for day in days]
            moves = [math.log(b / a) for a, b in pairwise(c for c in closes if c)]
            assert stdev(moves) * math.sqrt(252) == pytest.approx(asset.volatility, rel=0.35)


class TestBars:
    def test_daily_closes_are_the_closes(self):
        prices = book()
        bars = prices.bars("AAPL", "1Day", NOON - timedelta(days=40), NOON)

        assert len(bars) == 27  # without the holiday in February
        for bar in bars[:-1]:
            assert bar.close == prices.close_on("AAPL", bar.at.date())
        assert bars[-1].close == last(prices)

    def test_hold_together(self):
        for frame in ("1Min", "5Min", "1Hour", "1Day", "1Week", "1Month"):
            bars = book().bars("TSLA", frame, NOON - timedelta(days=20), NOON)
            assert bars
            for bar in bars:
                assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
                assert bar.low <= bar.vwap <= bar.high
                assert bar.volume > 0

    def test_of_minutes_fill_a_session_and_join_up(self):
        bars = book().bars(
            "AAPL",
            "1Min",
            datetime(2026, 3, 3, 9, tzinfo=NEW_YORK),
            datetime(2026, 3, 3, 18, tzinfo=NEW_YORK),
        )

        assert len(bars) == 390
        assert bars[0].at == datetime(2026, 3, 3, 9, 30, tzinfo=NEW_YORK)
        assert all(after.open == before.close for before, after in pairwise(bars))
        assert bars[-1].close == book().close_on("AAPL", date(2026, 3, 3))

    def test_of_a_minute_come_only_when_it_is_over(self):
        prices, clock = clocked(NOON + timedelta(seconds=30))
        start = NOON - timedelta(minutes=2)
        assert [b.at for b in prices.bars("AAPL", "1Min", start, NOON)] == [
            NOON - timedelta(minutes=2),
            NOON - timedelta(minutes=1),
        ]
        clock.advance(30)

        assert prices.bars("AAPL", "1Min", NOON, clock.now())[0].at == NOON

    def test_of_weeks_and_months_sum_up_days(self):
        prices = book()
        days = prices.bars(
            "AAPL",
            "1Day",
            datetime(2026, 2, 2, tzinfo=NEW_YORK),
            datetime(2026, 2, 27, tzinfo=NEW_YORK),
        )
        (month,) = prices.bars(
            "AAPL",
            "1Month",
            datetime(2026, 2, 1, tzinfo=NEW_YORK),
            datetime(2026, 2, 28, tzinfo=NEW_YORK),
        )

        assert (month.open, month.close) == (days[0].open, days[-1].close)
        assert month.high == max(day.high for day in days)
        assert month.volume == sum(day.volume for day in days)

    def test_are_given_from_start_to_end_only(self):
        start, end = NOON - timedelta(minutes=30), NOON - timedelta(minutes=20)
        bars = book().bars("AAPL", "1Min", start, end)

        assert [bars[0].at, bars[-1].at, len(bars)] == [start, end, 11]

    @pytest.mark.parametrize("text", ["", "1", "0Min", "60Min", "1Year", "2Day", "1min"])
    def test_of_an_unknown_length_are_refused(self, text: str):
        with pytest.raises(ValueError, match="invalid timeframe"):
            book().bars("AAPL", text, NOON - timedelta(days=1), NOON)

    def test_do_not_exist_for_unknown_symbols_nor_for_the_future(self):
        prices = book()

        assert prices.bars("NOSUCH", "1Day", NOON - timedelta(days=9), NOON) == []
        assert prices.bars("AAPL", "1Day", NOON + timedelta(days=1), NOON + timedelta(days=3)) == []
