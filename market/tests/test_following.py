"""The leader with vendors in memory and the real PostgreSQL and Redis."""

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core import realtime, streams
from core.errors import VendorRejected
from core.ids import new_id
from core.leases import Lease
from market import following, frames, publishing, selectors, services
from market.desk import Desk
from market.facts import Corrected, Halted, Refused
from market.gateways import alpaca_stream
from market.price_book import to_decimal
from market.tests.factories import snapshot, trade
from market.ticking import Ticker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_prices")]


def eventually(check, *, within=5.0):
    """Wait until the check holds, and say what it said."""
    deadline = time.monotonic() + within
    while True:
        found = check()
        if found or time.monotonic() > deadline:
            return found
        threading.Event().wait(0.01)


class Listener:
    """Everything that is published, in order."""

    def __init__(self):
        self.frames = []
        self._pubsub = realtime.connection().pubsub()

    def __enter__(self):
        self._pubsub.subscribe(frames.CHANNEL)
        assert self._pubsub.get_message(timeout=2)["type"] == "subscribe"
        return self

    def __exit__(self, *_):
        self._pubsub.close()

    def read(self, *, seconds=0.0):
        """Take in what has come."""
        deadline = time.monotonic() + seconds
        while message := self._pubsub.get_message(timeout=max(deadline - time.monotonic(), 0.001)):
            self.frames.append(frames.decode(message["data"]))
        return self.frames

    def price_of(self, symbol):
        number = selectors.get_instrument(symbol=symbol).number
        prices = [
            to_decimal(int(price))
            for frame in self.read()
            for n, price in zip(frame.numbers, frame.prices, strict=True)
            if n == number
        ]
        return prices[-1] if prices else None


@contextmanager
def leading(desk=None, *, fence=1):
    """Lead in a thread of our own, as the task does in its process."""
    stop = streams.Stop()
    lease = Lease("stream.prices", new_id(), fence)
    thread = threading.Thread(target=following.follow, args=(lease, stop), kwargs={"desk": desk})
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=10)
        assert not thread.is_alive()


def want(*symbols):
    services.want_symbols(reason="test", symbols=symbols)


def test_a_trade_reaches_the_channel_and_the_hash(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.stream.news.put([trade("AAPL", 101.5, at=datetime.now(UTC))])
        assert eventually(lambda: heard.price_of("AAPL") == Decimal("101.5"))

        quote = selectors.get_quote(symbol="AAPL", at=datetime.now(UTC))

    assert (quote.last, quote.previous_close) == (Decimal("101.5"), Decimal(99))
    assert vendors.data.asked[0][0] == ("AAPL", "SPY")


def test_frames_are_numbered_without_gaps_and_the_first_is_full(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: len(heard.read()) >= 3)

    assert [frame.seq for frame in heard.frames] == list(range(1, len(heard.frames) + 1))
    assert [frame.is_full for frame in heard.frames[:2]] == [True, False]
    assert len({frame.epoch for frame in heard.frames}) == 1
    assert heard.frames[0].epoch.fence == 1


def test_without_news_there_is_one_frame_a_second(vendors):
    with Listener() as heard, leading():
        eventually(heard.read)
        heard.read(seconds=3.2)

    assert 3 <= len(heard.frames) <= 5
    assert all(len(frame.numbers) == 0 for frame in heard.frames[1:])


def test_what_is_wanted_later_is_followed_within_a_second(vendors):
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("SPY"))
        started = time.monotonic()
        want("MSFT")
        assert eventually(lambda: heard.price_of("MSFT") == Decimal(100))
        assert time.monotonic() - started < 1.0
        assert eventually(lambda: vendors.stream.covered[-1] == {"SPY", "MSFT"})


def test_an_unknown_symbol_disturbs_nobody(vendors):
    want("AAPL", "NOPE")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))

    assert vendors.broker.asked.count("NOPE") == 1


def test_a_silent_feed_makes_frames_stale_and_is_opened_anew(vendors, settings):
    settings.FEED_STALE_SECONDS = 0.3
    with Listener() as heard, leading():
        assert eventually(lambda: any(frame.is_stale for frame in heard.read()))
        assert eventually(lambda: vendors.stream.opened >= 2)
        vendors.stream.news.put([trade("SPY", 100.5, at=datetime.now(UTC))])
        assert eventually(lambda: heard.price_of("SPY") == Decimal("100.5"))
        assert eventually(lambda: not [f for f in heard.frames if len(f.numbers)][-1].is_stale)


def test_a_closed_market_may_be_silent(vendors, settings):
    settings.FEED_STALE_SECONDS = 0.2
    vendors.broker.is_open = False
    with Listener() as heard, leading():
        eventually(heard.read)
        heard.read(seconds=1.5)

    assert len(heard.frames) >= 2
    assert not any(frame.is_stale for frame in heard.frames)
    assert vendors.stream.opened == 1


def test_a_broken_connection_is_opened_again_and_asks_for_everything_again(vendors):
    want("AAPL")
    with leading():
        assert eventually(lambda: frozenset({"AAPL", "SPY"}) in vendors.stream.covered)
        vendors.stream.news.put(None)
        assert eventually(lambda: vendors.stream.opened == 2)
        assert eventually(lambda: vendors.stream.covered[-1] == {"AAPL", "SPY"})


def test_frames_go_on_while_the_socket_refuses_us(vendors):
    vendors.stream.open_error = VendorRejected("stream", "auth failed", vendor_code="402")
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        assert eventually(lambda: len(heard.read()) >= 3)

    assert vendors.stream.opened == 1  # a refused key is not tried again soon


def test_a_correction_is_looked_up(vendors):
    want("AAPL")
    with Listener() as heard, leading():
        now = datetime.now(UTC)
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.stream.news.put([trade("AAPL", 150.0, at=now)])
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(150))
        vendors.data.found["AAPL"] = snapshot("AAPL", "101", at=now - timedelta(seconds=1))
        vendors.stream.news.put([Corrected("AAPL")])

        assert eventually(lambda: heard.price_of("AAPL") == Decimal(101))


def test_what_the_socket_does_not_send_is_asked_for(vendors, monkeypatch):
    monkeypatch.setattr("market.asking._ASK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(vendors.stream, "cover", lambda symbols: None)
    want("AAPL")
    with Listener() as heard, leading():
        assert eventually(lambda: heard.price_of("AAPL") == Decimal(100))
        vendors.stream.news.put([Refused(405)])
        vendors.stream.news.put([following.Covered(frozenset({"SPY"}))])
        vendors.data.found["AAPL"] = snapshot("AAPL", "103", at=datetime.now(UTC))

        assert eventually(lambda: heard.price_of("AAPL") == Decimal(103))


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


class TestPublishing:
    def test_an_earlier_leader_is_fenced_off(self, vendors):
        Ticker(Desk(), Lease("prices", new_id(), 7)).tick()

        with pytest.raises(publishing.FencedOff):
            Ticker(Desk(), Lease("prices", new_id(), 6)).tick()

        head = frames.decode(realtime.connection().hget(frames.SNAPSHOT_KEY, "head"))
        assert head.epoch.fence == 7

    def test_a_hash_that_was_lost_is_written_whole_again(self, vendors):
        desk = Desk()
        desk.book.add("AAPL", selectors.get_instrument(symbol="AAPL").number)
        desk.book.seed(snapshot("AAPL", "100"), now_ns=desk.vendor_now_ns())
        ticker = Ticker(desk, Lease("prices", new_id(), 1))
        ticker.tick()
        realtime.connection().delete(frames.SNAPSHOT_KEY)

        with Listener() as heard:
            desk.book.add("SPY", 9)
            desk.book.offer([trade("SPY", 5.0)], now_ns=desk.vendor_now_ns())
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


def test_a_halt_is_written_down_until_the_exchange_goes_on(vendors):
    want("AAPL")
    with leading():
        assert eventually(lambda: vendors.stream.covered)
        vendors.stream.news.put([Halted("AAPL", is_halted=True), Halted("NOPE", is_halted=True)])
        assert eventually(lambda: is_halted("AAPL"))
        assert not is_halted("MSFT")

        vendors.stream.news.put([Halted("AAPL", is_halted=False)])
        assert eventually(lambda: not is_halted("AAPL"))


def is_halted(symbol):
    return selectors.get_instrument(symbol=symbol).is_halted(at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("H", Halted("AAPL", is_halted=True)),
        ("P", Halted("AAPL", is_halted=True)),
        ("2", Halted("AAPL", is_halted=True)),
        ("T", Halted("AAPL", is_halted=False)),
        ("3", Halted("AAPL", is_halted=False)),
        ("Q", None),
        ("E", None),
        (7, None),
        (None, None),
    ],
)
def test_the_words_of_both_tapes_are_read(code, told):
    entry = {"T": "s", "S": "AAPL", "sc": code, "sm": "A word.", "z": "C"}

    assert alpaca_stream._news(entry) == told
