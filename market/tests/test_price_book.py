import math
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.facts import Trade
from market.price_book import PriceBook, moment, nanoseconds, to_decimal, to_nanos
from market.tests.factories import AT, snapshot, trade

NOW = nanoseconds(AT)
PRICES = st.decimals("0.0001", "4000000", places=4)


@pytest.fixture
def book():
    book = PriceBook()
    book.add("AAPL", 5)
    return book


def price_in(book):
    return {entry.number: to_decimal(entry.price) for entry in book.everything()}


class TestOffer:
    def test_takes_a_newer_price_and_reports_it_once(self, book):
        book.offer([trade(price=100.0), trade(price=100.01)], now_ns=NOW)

        changed, closes = book.take_changes()

        assert [(entry.number, to_decimal(entry.price)) for entry in changed] == [
            (5, Decimal("100.01"))
        ]
        assert closes == []
        assert book.take_changes() == ([], [])
        assert book.accepted == 2

    @pytest.mark.parametrize(
        "price",
        [0, 0.0, -1.0, -0.01, math.nan, math.inf, -math.inf, 1e308, 1e9, None, "100", True, b"1"],
    )
    def test_counts_and_leaves_out_what_is_no_price(self, book, price):
        book.offer([trade(price=100.0), trade(price=price)], now_ns=NOW)

        assert price_in(book) == {5: Decimal(100)}
        assert book.rejected == {"price": 1}

    @pytest.mark.parametrize("price", [1000.01, 9.99, 99_000.0, 0.0001])
    def test_does_not_believe_a_jump_of_more_than_ten_times(self, book, price):
        book.offer([trade(price=100.0), trade(price=price)], now_ns=NOW)

        assert price_in(book) == {5: Decimal(100)}
        assert book.rejected == {"jump": 1}
        assert book.doubted == {"AAPL"}

    @pytest.mark.parametrize("price", [1000.0, 10.0])
    def test_believes_a_jump_of_ten_times(self, book, price):
        book.offer([trade(price=100.0), trade(price=price)], now_ns=NOW)

        assert price_in(book) == {5: to_decimal(to_nanos(price))}

    def test_judges_the_first_price_by_the_previous_close(self, book):
        book.seed(snapshot(last=None, close="100"), now_ns=NOW)

        book.offer([trade(price=1.0)], now_ns=NOW)

        assert book.rejected == {"jump": 1}

    def test_ignores_what_is_older_than_what_it_has(self, book):
        book.offer(
            [trade(price=100.0), trade(price=101.0, at=AT - timedelta(seconds=1))], now_ns=NOW
        )

        assert price_in(book) == {5: Decimal(100)}
        assert book.rejected == {"older": 1}

    @pytest.mark.parametrize("at_ns", [NOW + 61 * 10**9, 0, -1, None, "2026", 1.5, True])
    def test_refuses_times_that_cannot_be(self, book, at_ns):
        book.offer([Trade("AAPL", 100.0, at_ns)], now_ns=NOW)

        assert price_in(book) == {}
        assert book.rejected == {"time": 1}

    def test_counts_symbols_that_nobody_follows(self, book):
        book.offer([trade("MSFT", 5.0)], now_ns=NOW)

        assert book.rejected == {"not_followed": 1}


class TestSeed:
    def test_may_jump_since_the_vendor_was_asked(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)

        book.seed(snapshot(last="5", at=AT + timedelta(seconds=1), close="5.1"), now_ns=NOW)

        assert price_in(book) == {5: Decimal(5)}

    def test_an_older_answer_does_not_replace_a_newer_trade(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)

        book.seed(snapshot(last="90", at=AT - timedelta(seconds=1)), now_ns=NOW)

        assert price_in(book) == {5: Decimal(100)}

    def test_a_correction_replaces_even_a_newer_trade(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)

        book.seed(snapshot(last="90", at=AT - timedelta(seconds=1)), now_ns=NOW, is_correction=True)

        assert price_in(book) == {5: Decimal(90)}

    def test_reports_a_new_previous_close(self, book):
        book.seed(snapshot(last=None, close="99"), now_ns=NOW)

        _, closes = book.take_changes()

        assert [(entry.number, to_decimal(entry.close)) for entry in closes] == [(5, Decimal(99))]

    def test_replaces_a_price_from_a_future_that_never_came(self, book):
        future = nanoseconds(AT + timedelta(days=1))
        book.restore("AAPL", price=to_nanos(Decimal(100)), at_ns=future, close=0)

        book.seed(snapshot(last="90"), now_ns=NOW)

        assert price_in(book) == {5: Decimal(90)}


def test_forgetting_a_symbol_forgets_its_changes(book):
    book.offer([trade(price=100.0)], now_ns=NOW)

    book.forget(["AAPL"])

    assert book.take_changes() == ([], [])
    assert book.number_of("AAPL") is None


@given(PRICES)
def test_floats_and_decimals_of_a_price_are_the_same_exact_number(price):
    assert to_nanos(float(price)) == to_nanos(price) == int(price * 10**9)
    assert to_decimal(to_nanos(price)) == price


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1970))
def test_moments_survive_nanoseconds(at):
    assert moment(nanoseconds(at)) == at


@given(st.lists(st.tuples(st.floats(), st.integers(-100, 200)), max_size=60))
def test_whatever_comes_the_book_holds_only_what_the_rules_allow(ticks):
    book = PriceBook()
    book.add("AAPL", 5)
    held, held_at, refused = None, 0, 0

    for price, seconds in ticks:
        at = AT + timedelta(seconds=seconds)
        book.offer([trade(price=price, at=at)], now_ns=NOW)
        nanos = to_nanos(price)
        is_sane = nanos and seconds <= 60
        is_near = held is None or (held <= nanos * 10 and nanos <= held * 10)
        if is_sane and is_near and nanoseconds(at) >= held_at:
            held, held_at = nanos, nanoseconds(at)
        else:
            refused += 1

    assert [entry.price for entry in book.everything()] == ([held] if held else [])
    assert book.rejected.total() == refused
