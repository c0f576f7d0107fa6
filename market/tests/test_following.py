"""The leader with vendors in memory and the real PostgreSQL and Redis."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core import realtime
from core.errors import VendorRejected, VendorUnavailable
from core.ids import new_id
from core.leases import Lease
from market import days, frames, publishing, selectors
from market.desk import Desk
from market.facts import new_york_date
from market.frames import Epoch, Frame
from market.models import TradingDay
from market.tests.factories import snapshot, trade
from market.tests.leading import Listener, Watch, eventually, leading, told_again, want
from market.ticking import Ticker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]


def told_now():
    return trade("SPY", 100.0, at=datetime.now(UTC))


def test_a_trade_reaches_the_channel_and_the_hash(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.stream.news.put([trade("AAPL", 101.5, at=datetime.now(UTC))])
        assert eventually(lambda: heard.price_of("AAPL") == Decimal("101.5"))

        quote = selectors.get_quote(symbol="AAPL", at=datetime.now(UTC))

    assert (quote.last, quote.previous_close) == (Decimal("101.5"), Decimal(99))
    assert "AAPL" in vendors.data.asked[0][0]  # and not after the broker was asked about SPY


def test_frames_are_numbered_without_gaps_and_the_first_is_full(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: len(heard.read()) >= 3)

    assert [frame.seq for frame in heard.frames] == list(range(1, len(heard.frames) + 1))
    assert [frame.is_full for frame in heard.frames[:2]] == [True, False]
    assert len({frame.epoch for frame in heard.frames}) == 1
    assert heard.frames[0].epoch.fence == 1


def test_without_news_there_is_one_frame_a_second(vendors):
    selectors.get_instrument(symbol="SPY")
    watch = Watch()
    with Listener() as heard, leading(Desk(monotonic=watch)):
        assert eventually(heard.read)
        assert eventually(lambda: vendors.stream.covered)
        heard.read(seconds=0.5)  # what else has just become known
        for told in range(len(heard.frames), len(heard.frames) + 3):
            watch.passed += 0.6
            assert len(heard.read(seconds=0.3)) == told
            watch.passed += 0.4
            assert eventually(lambda told=told: len(heard.read()) == told + 1)

    assert all(len(frame.numbers) == 0 for frame in heard.frames[1:])


def test_frames_go_on_while_the_socket_refuses_us(vendors):
    vendors.stream.open_error = VendorRejected("stream", "auth failed", vendor_code="402")
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        assert eventually(lambda: len(heard.read()) >= 3)

    assert vendors.stream.opened == 1  # a refused key is not tried again soon


def test_a_new_leader_starts_with_what_the_earlier_one_knew(vendors):
    want("AAPL")
    with leading(), Listener() as heard:
        vendors.stream.news.put([trade("AAPL", 107.0, at=datetime.now(UTC))])
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(107))
    vendors.data.found.clear()  # the vendor has nothing to say just now

    with Listener() as heard, leading(fence=2):
        assert eventually(heard.read)

    first = heard.frames[0]
    assert (first.is_full, first.epoch.fence) == (True, 2)
    assert heard.price_of("AAPL") == Decimal(107)


@pytest.mark.parametrize("days_ago", [0, 3])
def test_the_closes_of_an_earlier_leader_keep_their_day(vendors, days_ago):
    desk = Desk()
    desk.want({"AAPL": selectors.get_instrument(symbol="AAPL").number})
    desk.day = new_york_date(datetime.now(UTC)) - timedelta(days=days_ago)
    desk.book.seed(snapshot("AAPL", "100", close="77"), now_ns=desk.vendor_now_ns())
    Ticker(desk, Lease("prices", new_id(), 1)).tick()
    vendors.data.error = VendorUnavailable("data", "Away.")

    want("AAPL")
    with Listener() as heard, leading(fence=2):
        assert eventually(heard.read)

    first = heard.frames[0]
    assert (first.is_full, first.epoch.fence) == (True, 2)
    assert first.day == days.number_of(desk.day)
    assert first.closes.tolist() == [77_000_000_000]


class TestPublishing:
    def test_an_earlier_leader_is_fenced_off(self, vendors):
        Ticker(Desk(), Lease("prices", new_id(), 7)).tick()

        with pytest.raises(publishing.FencedOff):
            Ticker(Desk(), Lease("prices", new_id(), 6)).tick()

        head = frames.decode(realtime.connection().hget(frames.SNAPSHOT_KEY, "head"))
        assert head.epoch.fence == 7

    def test_a_frame_that_comes_late_or_twice_is_left_out(self, vendors):
        whole = Frame(Epoch(1, 5), 7, 0, 0, is_full=True)
        late = Frame(Epoch(1, 5), 6, 0, 0)
        row = frames.row(frames.Row(price=2))
        publishing.publish(realtime.connection(), whole, [(5, row)])

        with Listener() as heard:
            for frame in (whole, late):
                rows = [(5, frames.row(frames.Row(price=1)))]
                publishing.publish(realtime.connection(), frame, rows)
            publishing.publish(realtime.connection(), Frame(Epoch(1, 5), 8, 0, 0), [])

            assert eventually(lambda: [frame.seq for frame in heard.read()]) == [8]

        assert realtime.connection().hget(frames.SNAPSHOT_KEY, "5") == row

    def test_a_hash_that_was_lost_is_written_whole_again(self, vendors):
        desk = Desk()
        desk.book.add("AAPL", selectors.get_instrument(symbol="AAPL").number)
        desk.book.seed(snapshot("AAPL", "100"), now_ns=desk.vendor_now_ns())
        ticker = Ticker(desk, Lease("prices", new_id(), 1))
        ticker.tick()
        realtime.connection().delete(frames.SNAPSHOT_KEY)

        with Listener() as heard:
            desk.book.add("SPY", 9)
            desk.book.offer([trade("SPY", 5.0, at=datetime.now(UTC))], now_ns=desk.vendor_now_ns())
            ticker.tick()
            (frame,) = eventually(heard.read)

        assert frame.is_full
        assert sorted(frame.prices.tolist()) == [5_000_000_000, 100_000_000_000]
        whole = frames.decode_snapshot(realtime.connection().hgetall(frames.SNAPSHOT_KEY))
        assert whole is not None
        assert sorted(whole.prices.tolist()) == [5_000_000_000, 100_000_000_000]

    def test_says_how_old_prices_are(self, vendors):
        Ticker(Desk(), Lease("prices", new_id(), 1)).tick()

        as_of = float(realtime.connection().get(frames.AS_OF_KEY))

        assert as_of <= time.time()


class TestTakingOver:
    def test_a_new_leader_counts_what_was_heard_until_then(self, vendors, settings):
        settings.FEED_STALE_SECONDS = 600
        with Listener() as heard:
            with leading(), told_again(vendors.stream, told_now):
                assert eventually(lambda: heard.flags_of("SPY") == 0)
            vendors.stream.open_error = VendorUnavailable("stream", "Away.")
            with leading(fence=2):
                assert eventually(lambda: any(f.epoch.fence == 2 for f in heard.read()))
                assert heard.flags_of("SPY") == 0
                settings.FEED_STALE_SECONDS = 0.5
                assert eventually(lambda: heard.flags_of("SPY") == frames.STALE)

    def test_a_new_leader_keeps_what_the_one_before_kept_until_then(self, vendors, monkeypatch):
        monkeypatch.setattr("market.liveness.KEPT_SECONDS", 600.0)
        vendors.broker.is_open = False
        vendors.data.found["SPY"] = snapshot("SPY", at=datetime.now(UTC) - timedelta(hours=1))
        desk, now = Desk(), datetime.now(UTC)
        TradingDay.objects.create(
            date=new_york_date(now),
            opens_at=now - timedelta(hours=7),
            closes_at=now - timedelta(minutes=3),
        )
        with Listener() as heard:
            with leading(desk):
                assert eventually(lambda: desk.stocks.covered)
                assert eventually(lambda: heard.flags_of("SPY") == 0)
            vendors.data.error = vendors.stream.open_error = VendorUnavailable("data", "Away.")
            later = Desk()
            with leading(later, fence=2):
                assert eventually(lambda: later.is_extended)
                heard.read(seconds=0.5)
                assert heard.frames[-1].epoch.fence == 2
                assert heard.flags_of("SPY") == 0
                monkeypatch.setattr("market.liveness.KEPT_SECONDS", 0.5)
                assert eventually(lambda: heard.flags_of("SPY") == frames.STALE)

    def test_a_new_leader_first_asks_whether_anything_trades(self, vendors, settings, monkeypatch):
        monkeypatch.setattr("market.following._TIMED_SECONDS", 60.0)
        settings.FEED_STALE_SECONDS = 0.1
        vendors.broker.is_open = False
        with Listener() as heard:
            with leading():
                assert eventually(lambda: heard.flags_of("SPY") == 0)
            session = vendors.broker.session
            vendors.broker.session = lambda: time.sleep(0.2) or session()
            with leading(fence=2):
                assert eventually(lambda: any(f.epoch.fence == 2 for f in heard.read()))
                heard.read(seconds=0.5)

        named = [frame for frame in heard.frames if frame.epoch.fence == 2 and len(frame.numbers)]
        assert named
        assert not any(frame.flags.any() for frame in named)
