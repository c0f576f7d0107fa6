"""Bands, halts, quotes and bars: what else may keep a price out of the book."""

import math
from datetime import timedelta
from decimal import Decimal

import pytest

from market.facts import Bar, BestPrices, Trade
from market.frames import DOUBTED, HALTED
from market.nanos import to_decimal
from market.tests.books import (
    NO_PRICES,
    NO_TIMES,
    NOW,
    SECOND,
    after,
    band,
    flags_in,
    price_in,
    quote,
    quoted_in,
)
from market.tests.factories import AT, snapshot, trade


class TestBand:
    def test_keeps_out_what_the_exchange_would_not_let_anybody_pay(self, priced):
        priced.note_band(band(95.0, 105.0), now_ns=NOW)

        priced.offer([after(1, 94.99), after(1, 105.01), after(1, 95.0)], now_ns=NOW)

        assert priced.rejected == {"band": 2}
        assert (price_in(priced), flags_in(priced)) == ({5: Decimal(95)}, 0)

    @pytest.mark.parametrize("seconds", [-1, 60.000001])
    def test_says_nothing_of_other_times_than_its_own(self, priced, seconds):
        priced.note_band(band(95.0, 105.0, at_ns=NOW), now_ns=NOW)

        priced.offer(
            [Trade("AAPL", 110.0, NOW + int(seconds * SECOND) + (seconds < 0) * SECOND // 2)],
            now_ns=NOW + 61 * SECOND,
        )

        expected = {"older": 1} if seconds < 0 else {}
        assert priced.rejected == expected

    def test_a_price_outside_it_is_doubted(self, priced):
        priced.note_band(band(95.0, 105.0), now_ns=NOW)

        priced.offer([after(1, 110.0)], now_ns=NOW)

        assert (flags_in(priced), priced.doubted) == (DOUBTED, {"AAPL"})

    @pytest.mark.parametrize(
        ("told", "why"),
        [
            (band(0, 105.0), "price"),
            (band(95.0, math.nan), "price"),
            (band(105.0, 95.0), "price"),
            (band(95.0, 105.0, at_ns="now"), "time"),
            (band(95.0, 105.0, at_ns=NOW + 61 * SECOND), "time"),
            (band(95.0, 105.0, at_ns=NOW - 86_400 * SECOND), "time"),
        ],
    )
    def test_one_that_cannot_be_is_refused(self, priced, told, why):
        priced.note_band(told, now_ns=NOW)
        priced.offer([after(1, 110.0)], now_ns=NOW)

        assert priced.rejected == {why: 1}
        assert price_in(priced) == {5: Decimal(110)}

    def test_an_earlier_one_does_not_replace_a_later_one(self, priced):
        priced.note_band(band(90.0, 110.0), now_ns=NOW)
        priced.note_band(band(99.0, 101.0, at_ns=NOW - 1), now_ns=NOW)

        priced.offer([after(1, 105.0)], now_ns=NOW)

        assert price_in(priced) == {5: Decimal(105)}


class TestHalt:
    def test_keeps_the_last_good_price_marked_until_it_is_over(self, priced):
        priced.note_halt("AAPL", is_halted=True)
        priced.offer([after(1, 101.0)], now_ns=NOW)

        assert [entry.row.flags for entry in priced.take_changes().prices] == [HALTED]
        assert (price_in(priced), flags_in(priced)) == ({5: Decimal(100)}, HALTED)
        assert priced.rejected == {"halted": 1}

        priced.note_halt("AAPL", is_halted=False)
        assert [entry.row.flags for entry in priced.take_changes().prices] == [0]
        priced.offer([after(2, 102.0)], now_ns=NOW)
        assert (price_in(priced), flags_in(priced)) == ({5: Decimal(102)}, 0)

    def test_of_a_symbol_that_nobody_follows_yet_is_remembered(self, book):
        book.note_halt("MSFT", is_halted=True)
        book.add("MSFT", 6)

        book.offer([trade("MSFT", 5.0)], now_ns=NOW)

        assert book.rejected == {"halted": 1}
        assert [entry.number for entry in book.take_changes().prices] == [6]

    @pytest.mark.parametrize(("seconds", "flags"), [(5, HALTED), (6, 0)])
    def test_is_over_when_the_vendor_answers_with_a_trade_well_after_it(
        self, priced, seconds, flags
    ):
        priced.note_halt("AAPL", is_halted=True)

        priced.seed(snapshot(last="101", at=AT + timedelta(seconds=seconds)), now_ns=NOW)

        assert flags_in(priced) == flags

    def test_told_again_is_not_over_by_a_trade_before_that(self, priced):
        for seconds in (0, 60):
            priced.note_halt("AAPL", is_halted=True, now_ns=NOW + seconds * SECOND)

        priced.seed(snapshot(last="101", at=AT + timedelta(seconds=30)), now_ns=NOW + 90 * SECOND)

        assert flags_in(priced) == HALTED

    def test_is_known_to_the_next_leader(self, book):
        book.restore("AAPL", price=100 * SECOND, at_ns=NOW, close=0, flags=HALTED | DOUBTED)

        book.offer([after(1, 101.0)], now_ns=NOW)

        assert (book.rejected, flags_in(book)) == ({"halted": 1}, HALTED | DOUBTED)
        assert book.doubted == {"AAPL"}
        book.seed(snapshot(last="101", at=AT + timedelta(seconds=6)), now_ns=NOW)
        assert (price_in(book), flags_in(book)) == ({5: Decimal(101)}, 0)


class TestOfferQuotes:
    def test_moves_bid_and_ask_but_no_price(self, priced):
        priced.offer_quotes([quote(99.5, 100.5)], now_ns=NOW)

        changes = priced.take_changes()

        assert (changes.prices, changes.heard_ns) == ([], 0)
        assert [entry.row for entry in changes.quotes] == [
            (100 * SECOND, 0, NOW, 99_500_000_000, 100_500_000_000, NOW, 0)
        ]
        assert price_in(priced) == {5: Decimal(100)}

    def test_gives_no_price_to_a_symbol_that_has_none(self, book):
        book.offer_quotes([quote()], now_ns=NOW)

        assert book.everything() == []
        assert len(book.take_changes().quotes) == 1

    @pytest.mark.parametrize("price", NO_PRICES)
    def test_refuses_what_is_no_price_on_either_side(self, priced, price):
        priced.offer_quotes([quote(bid=price), quote(ask=price)], now_ns=NOW)

        assert priced.rejected == {"price": 2}
        assert priced.take_changes().quotes == []

    @pytest.mark.parametrize("at_ns", NO_TIMES)
    def test_refuses_times_that_cannot_be(self, priced, at_ns):
        priced.offer_quotes([quote(at_ns=at_ns)], now_ns=NOW)

        assert priced.rejected == {"time": 1}

    @pytest.mark.parametrize(
        ("told", "why"),
        [
            (quote(100.2, 100.1), "crossed"),
            (quote(9.99, 100.1), "jump"),
            (quote(99.9, 1000.01), "jump"),
            (quote(99.9, 100.1, at_ns=NOW - 1), "older"),
            (quote(106.0, 107.0), "band"),
            (quote(93.0, 94.0), "band"),
            (BestPrices("MSFT", 1.0, 2.0, NOW), "not_followed"),
        ],
    )
    def test_refuses_what_nobody_can_deal_at(self, priced, told, why):
        priced.note_band(band(95.0, 105.0), now_ns=NOW)
        priced.offer_quotes([quote()], now_ns=NOW)

        priced.offer_quotes([told], now_ns=NOW)

        assert priced.rejected == {why: 1}
        assert quoted_in(priced) == (Decimal("99.9"), Decimal("100.1"), NOW)
        assert flags_in(priced) == 0

    def test_takes_equal_prices_and_those_far_from_the_band(self, priced):
        priced.note_band(band(95.0, 105.0), now_ns=NOW)

        priced.offer_quotes([quote(100.0, 100.0), quote(50.0, 200.0)], now_ns=NOW)

        assert quoted_in(priced) == (Decimal(50), Decimal(200), NOW)

    def test_one_from_a_near_future_does_not_make_the_next_ones_older(self, priced):
        priced.offer_quotes([quote(99.9, 100.1, at_ns=NOW + 59 * SECOND)], now_ns=NOW)
        priced.offer_quotes([quote(99.8, 100.2, at_ns=NOW + 1)], now_ns=NOW + SECOND)

        assert quoted_in(priced) == (Decimal("99.8"), Decimal("100.2"), NOW + 1)

    def test_refuses_all_while_the_trading_is_stopped(self, priced):
        priced.note_halt("AAPL", is_halted=True)

        priced.offer_quotes([quote()], now_ns=NOW)

        assert priced.rejected == {"halted": 1}

    def test_an_answer_of_the_vendor_tells_them_too(self, priced):
        priced.seed(snapshot(bid="98", ask="99", at=AT), now_ns=NOW)

        assert quoted_in(priced) == (Decimal(98), Decimal(99), NOW)


class TestOfferBars:
    START = NOW - 30 * SECOND  # our only trade is within this minute

    def bar(self, book, close, *, start=START, is_updated=False):
        book.offer_bars([Bar("AAPL", close, start, is_updated)], now_ns=NOW + 40 * SECOND)
        (entry,) = book.everything()
        return to_decimal(entry.price), entry.at_ns

    def test_tells_what_a_lost_trade_was(self, priced):
        assert self.bar(priced, 101.0) == (Decimal(101), NOW)
        assert len(priced.take_changes().prices) == 1

    def test_of_a_minute_without_a_trade_of_ours_counts_from_its_beginning(self, priced):
        start = NOW + 10 * SECOND

        assert self.bar(priced, 101.0, start=start) == (Decimal(101), start)

    def test_of_an_earlier_minute_than_the_last_trade_tells_nothing(self, priced):
        assert self.bar(priced, 101.0, start=NOW - 60 * SECOND) == (Decimal(100), NOW)
        assert priced.rejected == {}
        assert priced.take_changes().prices == []

    def test_that_says_the_same_changes_nothing(self, priced):
        assert self.bar(priced, 100.0) == (Decimal(100), NOW)
        assert priced.take_changes().prices == []

    def test_a_trade_of_the_next_minute_follows_it(self, priced):
        self.bar(priced, 101.0)

        priced.offer([after(31, 102.0)], now_ns=NOW)

        assert price_in(priced) == {5: Decimal(102)}

    @pytest.mark.parametrize(
        ("start", "price"),
        [
            (NOW - 60 * SECOND, 100),
            (NOW - 59 * SECOND, 101),
            (NOW, 101),
            (NOW + 1, 100),  # a later minute: it was told already, and by a bar of its own
        ],
    )
    def test_one_told_again_replaces_only_a_price_of_its_own_minute(self, priced, start, price):
        found, _ = self.bar(priced, 101.0, start=start, is_updated=True)

        assert found == Decimal(price)

    @pytest.mark.parametrize("price", NO_PRICES)
    def test_refuses_what_is_no_price(self, priced, price):
        assert self.bar(priced, price) == (Decimal(100), NOW)
        assert priced.rejected == {"price": 1}

    @pytest.mark.parametrize("at_ns", [NOW + 101 * SECOND, NOW - 86_400 * SECOND, 0, None, True])
    def test_refuses_times_that_cannot_be(self, priced, at_ns):
        assert self.bar(priced, 101.0, start=at_ns) == (Decimal(100), NOW)
        assert priced.rejected == {"time": 1}

    def test_a_jump_is_doubted_unless_it_is_of_long_ago(self, priced):
        self.bar(priced, 5.0, start=NOW - 600 * SECOND)
        assert (priced.rejected, flags_in(priced)) == ({"jump": 1}, 0)

        self.bar(priced, 5.0)
        assert (priced.rejected, flags_in(priced)) == ({"jump": 2}, DOUBTED)

    def test_a_good_one_ends_a_doubt(self, priced):
        priced.offer([after(1, 5.0)], now_ns=NOW)

        self.bar(priced, 100.0)

        assert flags_in(priced) == 0
