from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core import realtime
from core.errors import VendorUnavailable
from core.ids import new_id
from core.leases import Lease
from market import frames, selectors
from market.desk import Desk
from market.errors import PriceStale, PriceUnavailable, UnknownSymbol
from market.facts import new_york_date
from market.models import Instrument
from market.tests.factories import asset, snapshot, trade
from market.ticking import Ticker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_prices")]


def publish(symbol, price, *, at, close="99", silent_for=0, quoted_at=None, day=None, then=()):
    """Publish a price as the leader does, after some trades if need be."""
    desk = Desk(clock=lambda: at, day=day)
    desk.book.add(symbol, selectors.get_instrument(symbol=symbol).number)
    told = replace(snapshot(symbol, price, at=at, close=close), quoted_at=quoted_at)
    desk.book.seed(told, now_ns=desk.vendor_now_ns())
    desk.book.offer(then, now_ns=desk.vendor_now_ns())
    desk.stocks.heard_at = desk.monotonic() - silent_for
    Ticker(desk, Lease("prices", new_id(), 1)).tick()
    return desk


def publisher_is_alive(at):
    """Let the last frame have been published at this moment."""
    data = realtime.connection().hget(frames.SNAPSHOT_KEY, frames.HEAD_FIELD)
    head = replace(frames.decode(data), sent_ms=int(at.timestamp() * 1000))
    realtime.connection().hset(frames.SNAPSHOT_KEY, frames.HEAD_FIELD, frames.encode(head))


class TestGetInstrument:
    def test_asks_the_broker_once_for_a_symbol_it_does_not_know(self, vendors):
        first = selectors.get_instrument(symbol="aapl ")
        again = selectors.get_instrument(symbol="AAPL")

        assert first == again
        assert (again.symbol, again.name, again.broker_asset_id) == ("AAPL", "AAPL Inc.", "id-AAPL")
        assert (again.tradable, again.fractionable) == (True, True)
        assert vendors.broker.asked == ["AAPL"]

    @pytest.mark.parametrize("symbol", ["NOPE", "", " ", "A" * 25, "ÄÖ", "A\x00"])
    def test_an_unknown_symbol_is_not_found(self, vendors, symbol):
        with pytest.raises(UnknownSymbol):
            selectors.get_instrument(symbol=symbol)

        assert Instrument.objects.count() == 0

    def test_numbers_are_small_and_each_instrument_has_its_own(self, vendors):
        numbers = {selectors.get_instrument(symbol=s).number for s in ("AAPL", "MSFT", "SPY")}

        assert len(numbers) == 3
        assert max(numbers) - min(numbers) == 2


class TestGetQuote:
    def test_answers_the_published_price_without_asking_the_vendor(self, vendors):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at)

        quote = selectors.get_quote(symbol="AAPL", at=at)

        assert (quote.last, quote.previous_close) == (Decimal("101.25"), Decimal(99))
        assert (quote.bid, quote.ask) == (None, None)
        assert quote.as_of == at
        assert vendors.data.asked == []

    @pytest.mark.parametrize("age", [timedelta(seconds=5, milliseconds=1), timedelta(hours=1)])
    def test_asks_the_vendor_when_the_published_price_is_older_than_five_seconds(
        self, vendors, age
    ):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at - age)
        vendors.data.found["AAPL"] = snapshot("AAPL", "102", at=at)

        quote = selectors.get_quote(symbol="AAPL", at=at)

        assert (quote.last, quote.bid, quote.ask) == (
            Decimal(102),
            Decimal("99.99"),
            Decimal("100.01"),
        )

    def test_tells_bid_and_ask_when_they_were_published_just_now(self, vendors):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at, quoted_at=at - timedelta(seconds=5))

        quote = selectors.get_quote(symbol="AAPL", at=at)

        assert (quote.bid, quote.ask) == (Decimal("99.99"), Decimal("100.01"))
        assert vendors.data.asked == []

    def test_leaves_out_a_bid_and_an_ask_of_some_time_ago(self, vendors):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at, quoted_at=at - timedelta(seconds=6))

        quote = selectors.get_quote(symbol="AAPL", at=at)

        assert (quote.last, quote.bid, quote.ask) == (Decimal("101.25"), None, None)

    def test_a_new_bid_and_ask_show_that_an_older_trade_is_still_the_last(self, vendors):
        at = datetime.now(UTC)
        before = at - timedelta(seconds=30)
        publish("AAPL", "101.25", at=before, quoted_at=at - timedelta(seconds=1))
        publisher_is_alive(at)

        quote = selectors.get_quote(symbol="AAPL", at=at)

        assert (quote.last, quote.traded_at) == (Decimal("101.25"), before)
        assert quote.as_of == at - timedelta(seconds=1)
        assert vendors.data.asked == []

    def test_asks_the_vendor_about_a_price_that_is_doubted(self, vendors):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at, then=[trade(price=5.0, at=at)])
        vendors.data.found["AAPL"] = snapshot("AAPL", "5", at=at)

        assert selectors.get_quote(symbol="AAPL", at=at).last == Decimal(5)

    def test_asks_the_vendor_about_a_price_at_which_nobody_may_trade(self, vendors):
        at = datetime.now(UTC)
        desk = publish("AAPL", "101.25", at=at)
        desk.book.note_halt("AAPL", is_halted=True)
        Ticker(desk, Lease("prices", new_id(), 2)).tick()

        selectors.get_quote(symbol="AAPL", at=at)

        assert [symbols for symbols, _ in vendors.data.asked] == [("AAPL",)]

    @pytest.mark.parametrize(("days_ago", "close"), [(0, Decimal(99)), (1, None)])
    def test_tells_no_close_of_another_day(self, vendors, days_ago, close):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at, day=new_york_date(at) - timedelta(days=days_ago))

        assert selectors.get_quote(symbol="AAPL", at=at).previous_close == close

    def test_asks_the_vendor_when_the_feed_is_silent(self, vendors):
        at = datetime.now(UTC)
        publish("AAPL", "101.25", at=at, silent_for=6)

        selectors.get_quote(symbol="AAPL", at=at)

        assert [symbols for symbols, _ in vendors.data.asked] == [("AAPL",)]

    def test_an_old_price_in_an_open_market_is_stale(self, vendors):
        at = datetime.now(UTC)
        vendors.data.found["AAPL"] = snapshot("AAPL", "102", at=at - timedelta(seconds=61))

        with pytest.raises(PriceStale) as caught:
            selectors.get_quote(symbol="AAPL", at=at)

        assert (caught.value.status, caught.value.code) == (409, "price_stale")

    def test_an_old_price_is_the_last_price_while_the_market_is_closed(self, vendors):
        at = datetime.now(UTC)
        vendors.broker.is_open = False
        vendors.data.found["AAPL"] = snapshot("AAPL", "102", at=at - timedelta(days=2))

        assert selectors.get_quote(symbol="AAPL", at=at).last == Decimal(102)

    def test_no_price_is_never_invented(self, vendors):
        at = datetime.now(UTC)
        vendors.data.found["AAPL"] = snapshot("AAPL", None, at=at)
        with pytest.raises(PriceUnavailable) as caught:
            selectors.get_quote(symbol="AAPL", at=at)
        assert (caught.value.status, caught.value.code) == (409, "price_unavailable")

        vendors.data.error = VendorUnavailable("data", "away")
        with pytest.raises(PriceUnavailable):
            selectors.get_quote(symbol="AAPL", at=at)

    def test_a_spoiled_hash_is_as_good_as_none(self, vendors):
        at = datetime.now(UTC)
        number = selectors.get_instrument(symbol="AAPL").number
        realtime.connection().hset(frames.SNAPSHOT_KEY, mapping={"head": "?", str(number): "?"})

        assert selectors.get_quote(symbol="AAPL", at=at).last == Decimal(100)

    def test_the_session_is_asked_for_once(self, vendors):
        at = datetime.now(UTC)
        first = selectors.get_session(at=at + timedelta(seconds=5))
        vendors.broker.is_open = False

        assert selectors.get_session(at=at + timedelta(minutes=59)) is first
        assert selectors.get_session(at=at + timedelta(minutes=61)).is_open is False


class TestReadPrices:
    def test_reads_only_what_is_asked_for(self, vendors):
        at = datetime.now(UTC)
        publish("AAPL", "101", at=at)
        number = selectors.get_instrument(symbol="AAPL").number

        frame = selectors.read_prices(numbers=[number, 4_000_000])

        assert frame is not None
        assert frame.numbers.tolist() == [number]
        assert frame.prices.tolist() == [101_000_000_000]
        assert selectors.is_fresh(frame, at=at)
        assert not selectors.is_fresh(frame, at=at + timedelta(seconds=6))

    def test_is_nothing_before_anybody_published(self, vendors):
        assert selectors.read_prices(numbers=[1]) is None


class TestGetCompany:
    def test_passes_the_vendors_profile_on(self, vendors):
        vendors.companies.profiles["AAPL"] = {"symbol": "AAPL", "companyName": "Apple Inc."}

        assert selectors.get_company(ticker="aapl")["companyName"] == "Apple Inc."

    @pytest.mark.parametrize("ticker", ["NOPE", " ", "../x"])
    def test_an_unknown_ticker_is_not_found(self, vendors, ticker):
        with pytest.raises(UnknownSymbol):
            selectors.get_company(ticker=ticker)


def test_assets_are_taken_over_and_their_numbers_stay(vendors):
    number = selectors.get_instrument(symbol="AAPL").number

    changed = Instrument.objects.keep([asset("AAPL", tradable=False), asset("TSLA")])
    unchanged = Instrument.objects.keep([asset("AAPL", tradable=False), asset("TSLA")])

    assert (changed, unchanged) == (2, 0)
    apple = Instrument.objects.get(symbol="AAPL")
    assert (apple.number, apple.tradable) == (number, False)
    assert Instrument.objects.get(symbol="TSLA").number == number + 1
