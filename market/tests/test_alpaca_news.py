"""What Alpaca's socket sends, in our own words."""

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import metrics
from core.errors import VendorUnavailable
from market.facts import Band, Bar, BestPrices, Corrected, Halted, Trade
from market.gateways import alpaca_news

AT_NS = 1_767_627_000_123_456_789
AT = msgpack.Timestamp.from_unix_nano(AT_NS)
TRADE = {
    "T": "t",
    "S": "AAPL",
    "i": 9,
    "x": "V",
    "p": 101.5,
    "s": 10,
    "c": ["@"],
    "z": "C",
    "t": AT,
}
QUOTE = {"T": "q", "S": "AAPL", "bx": "V", "bp": 101.4, "bs": 2, "ap": 101.6, "as": 3, "t": AT}
BAR = {"T": "b", "S": "AAPL", "o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 90, "t": AT}
BAND = {"T": "l", "S": "AAPL", "u": 105.0, "d": 95.0, "i": "B", "t": AT, "z": "C"}
STATUS = {"T": "s", "S": "AAPL", "sc": "H", "t": AT}
HEARD_TRADE = Trade("AAPL", 101.5, AT_NS)
HEARD_QUOTE = BestPrices("AAPL", 101.4, 101.6, AT_NS)


def read(*entries):
    news = []
    talk = alpaca_news.read(msgpack.packb(list(entries)), into=news)
    return news, talk


def unreadable():
    return metrics.TICKS_REJECTED.labels("unreadable")._value.get()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (TRADE, HEARD_TRADE),
        (QUOTE, HEARD_QUOTE),
        (BAR, Bar("AAPL", 1.5, AT_NS)),
        (BAR | {"T": "u"}, Bar("AAPL", 1.5, AT_NS, is_updated=True)),
        (BAND, Band("AAPL", 95.0, 105.0, AT_NS)),
        (STATUS, Halted("AAPL", is_halted=True)),
        ({"T": "c", "S": "AAPL", "oi": 9, "op": 101.5, "cp": 100.5, "t": AT}, Corrected("AAPL")),
        ({"T": "x", "S": "AAPL", "i": 9, "p": 101.5, "a": "C", "t": AT}, Corrected("AAPL")),
        ({"T": "t", "S": "BTC/USD", "p": 90_000, "s": 0.1, "t": AT, "tks": "B"}, None),
    ],
)
def test_each_kind_is_read(entry, told):
    told = told or Trade("BTC/USD", 90_000, AT_NS)

    assert read(entry) == ([told], [])


def test_news_keep_their_order_whatever_they_are_about():
    assert read(TRADE, BAND, QUOTE, STATUS, TRADE)[0] == [
        HEARD_TRADE,
        Band("AAPL", 95.0, 105.0, AT_NS),
        HEARD_QUOTE,
        Halted("AAPL", is_halted=True),
        HEARD_TRADE,
    ]


def test_what_is_about_the_conversation_comes_back_by_itself():
    said = {"T": "subscription", "trades": ["AAPL"]}

    assert read(TRADE, said) == ([HEARD_TRADE], [said])


@pytest.mark.parametrize("code", "CGHMNPQRUVWZ479")
def test_sales_that_are_not_the_last_price_are_left_out(code):
    sale = TRADE | {"c": ["@", code]}

    assert read(sale, TRADE) == ([HEARD_TRADE], [])
    assert read(sale, STATUS) == ([Halted("AAPL", is_halted=True)], [])


@pytest.mark.parametrize("price", [0, -1, 1e9, None, "101.5", float("nan"), float("inf")])
def test_prices_are_passed_on_for_the_book_to_judge(price):
    ((heard, *_), _) = read(TRADE | {"p": price})

    assert repr(heard) == repr(Trade("AAPL", price, AT_NS))


@pytest.mark.parametrize(
    "spoiled",
    [
        *({key: value for key, value in TRADE.items() if key != gone} for gone in ("S", "p", "t")),
        *({key: value for key, value in QUOTE.items() if key != gone} for gone in ("bp", "ap")),
        {key: value for key, value in BAR.items() if key != "c"},
        {key: value for key, value in BAND.items() if key != "u"},
        {key: value for key, value in STATUS.items() if key != "S"},
        TRADE | {"S": 7},
        TRADE | {"S": ["AAPL"]},
        TRADE | {"c": 7},
        TRADE | {"T": ["t"]},
        {"S": "AAPL"},
        "AAPL",
        ["t", "AAPL"],
        None,
    ],
)
def test_an_entry_that_lacks_something_costs_the_others_nothing(spoiled):
    before = unreadable()

    assert read(TRADE, spoiled, QUOTE) == ([HEARD_TRADE, HEARD_QUOTE], [])
    assert unreadable() == before + 1


def test_an_unknown_kind_is_no_mistake():
    before = unreadable()

    assert read({"T": "n", "headline": "?"}, TRADE) == ([HEARD_TRADE], [])
    assert unreadable() == before


@pytest.mark.parametrize("seconds", [0, 1_767_627_000, 2**34 - 1, 2**40])
@pytest.mark.parametrize("nanoseconds", [0, 1, 999_999_999])
def test_times_are_exact_however_they_are_written(seconds, nanoseconds):
    at = msgpack.Timestamp(seconds, nanoseconds)

    (heard,), _ = read(TRADE | {"t": at})

    assert heard.at_ns == seconds * 1_000_000_000 + nanoseconds


@pytest.mark.parametrize("at", [7, "2026-01-05", None, msgpack.ExtType(5, b"12345678")])
def test_a_time_that_is_none_is_left_to_the_book(at):
    (heard,), _ = read(TRADE | {"t": at})

    assert heard.at_ns == at


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        msgpack.packb([TRADE])[:-3],
        msgpack.packb([TRADE]) + b"\x00",
        msgpack.packb(TRADE),
        msgpack.packb("AAPL"),
        msgpack.packb(7),
        msgpack.packb([TRADE | {"t": 7}]).replace(b"\x07", b"\xc7\x03\xff123"),
        '[{"T":"t","S":"AAPL"}]',
    ],
)
def test_a_message_that_is_no_array_of_msgpack_is_the_vendors_fault(message):
    with pytest.raises(VendorUnavailable):
        alpaca_news.read(message, into=[])


numbers = st.integers(-(2**63), 2**64 - 1) | st.floats()
times = st.builds(msgpack.Timestamp, st.integers(0, 2**40), st.integers(0, 999_999_999))
scalars = st.none() | st.booleans() | numbers | st.text(max_size=4) | st.binary(max_size=4) | times
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
keys = st.sampled_from(["T", "S", "p", "t", "c", "bp", "ap", "u", "d", "sc", "code"])
kinds = st.sampled_from(["t", "q", "b", "u", "l", "c", "x", "s", "error", "subscription", "?"])
entries = st.dictionaries(keys | st.integers(0, 9), values, max_size=9)
good = st.sampled_from([TRADE, QUOTE, BAR, BAND, STATUS])
plain = st.dictionaries(keys, st.none() | st.booleans() | numbers | st.text(max_size=4), max_size=3)
noise = st.builds(lambda entry, kind: entry | {"T": kind}, entries, kinds) | values | entries


class TestWhateverComes:
    @given(st.binary(max_size=200))
    def test_bytes_are_read_or_are_the_vendors_fault(self, data):
        with suppress(VendorUnavailable):
            alpaca_news.read(data, into=[])

    @settings(max_examples=50)
    @given(st.lists(noise | good, max_size=5))
    def test_entries_are_read_or_left_out(self, sent):
        news = []

        alpaca_news.read(msgpack.packb(sent), into=news)

        assert all(type(told.symbol) is str for told in news)
        # Whoever sorts them by their symbol and their kind must not fail either.
        assert len({(type(told), told.symbol) for told in news}) <= len(sent)

    @given(st.lists(st.builds(lambda entry, other: entry | other, good, plain) | good, max_size=4))
    def test_the_fast_way_reads_the_same_as_the_slow_one(self, sent):
        message = msgpack.packb(sent)
        slow = []

        quick = alpaca_news._read_prices(message)
        talk = alpaca_news._read_entries(alpaca_news._decode(message), slow)

        assert quick is None or (repr(quick), []) == (repr(slow), talk)
