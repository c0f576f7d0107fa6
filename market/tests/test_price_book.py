import math
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.facts import Trade
from market.frames import DOUBTED, STALE
from market.nanos import moment, nanoseconds, to_decimal, to_nanos
from market.price_book import PriceBook
from market.tests.books import NO_PRICES, NO_TIMES, NOW, SECOND, after, flags_in, price_in
from market.tests.factories import AT, snapshot, trade

PRICES = st.decimals("0.0001", "4000000", places=4)


class TestOffer:
    def test_takes_a_newer_price_and_reports_it_once(self, book):
        book.offer([trade(price=100.0), trade(price=100.01)], now_ns=NOW)

        changes = book.take_changes()

        assert [(entry.number, to_decimal(entry.price)) for entry in changes.prices] == [
            (5, Decimal("100.01"))
        ]
        assert (changes.closes, changes.quotes, changes.heard_ns) == ([], [], NOW)
        assert book.take_changes() == ([], [], [], [], 0)
        assert book.accepted == 2

    def test_tells_when_the_first_of_the_trades_came_that_nobody_has_asked_for(self, book):
        for seconds in range(3):
            book.offer([after(seconds, 100.0)], now_ns=NOW + seconds * SECOND)

        assert book.take_changes().heard_ns == NOW

    @pytest.mark.parametrize("price", NO_PRICES)
    def test_counts_and_leaves_out_what_is_no_price(self, book, price):
        book.offer([trade(price=100.0), trade(price=price)], now_ns=NOW)

        assert price_in(book) == {5: Decimal(100)}
        assert book.rejected == {"price": 1}

    @pytest.mark.parametrize(
        "steps", [[2.9] * 4, [0.35] * 4, [9.5, 0.2, 3.0, 1.1, 0.11], [0.1, 10.0]]
    )
    def test_judges_by_the_last_price_however_it_came_there(self, book, steps):
        price, at = 100.0, 1
        book.offer([after(0, price)], now_ns=NOW + 60 * SECOND)
        for step in steps:
            price = round(price * step, 4)
            far = [after(at, round(price / step * factor, 4)) for factor in (10.01, 0.0999)]
            book.offer([*far, after(at + 1, price)], now_ns=NOW + 60 * SECOND)
            at += 2
            assert price_in(book) == {5: Decimal(str(price))}

        assert book.rejected == {"jump": 2 * len(steps)}

    @pytest.mark.parametrize("price", [1000.01, 9.99, 99_000.0, 0.0001])
    def test_does_not_believe_a_jump_of_more_than_ten_times(self, book, price):
        book.offer([trade(price=100.0), trade(price=price)], now_ns=NOW)

        assert price_in(book) == {5: Decimal(100)}
        assert book.rejected == {"jump": 1}
        assert book.doubted == {"AAPL"}
        assert flags_in(book) == DOUBTED

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

    @pytest.mark.parametrize("at_ns", NO_TIMES)
    def test_refuses_times_that_cannot_be(self, book, at_ns):
        book.offer([Trade("AAPL", 100.0, at_ns)], now_ns=NOW)

        assert price_in(book) == {}
        assert book.rejected == {"time": 1}

    def test_one_from_a_near_future_does_not_make_the_next_ones_older(self, priced):
        priced.offer([after(59, 101.0)], now_ns=NOW)
        priced.offer([after(0.1, 102.0)], now_ns=NOW + SECOND // 5)

        assert price_in(priced) == {5: Decimal(102)}
        assert priced.take_changes().prices[0].at_ns == NOW + SECOND // 10

    def test_counts_symbols_that_nobody_follows(self, book):
        book.offer([trade("MSFT", 5.0)], now_ns=NOW)

        assert book.rejected == {"not_followed": 1}


class TestDoubt:
    def test_is_a_change_by_itself_told_once(self, priced):
        for seconds in (1, 2):
            priced.offer([after(seconds, 5.0)], now_ns=NOW)

        assert [entry.row.flags for entry in priced.take_changes().prices] == [DOUBTED]
        priced.offer([after(3, 5.0)], now_ns=NOW)
        assert priced.take_changes().prices == []

    def test_ends_with_a_good_price(self, priced):
        priced.offer([after(1, 5.0), after(2, 100.5)], now_ns=NOW)

        assert (price_in(priced), flags_in(priced)) == ({5: Decimal("100.5")}, 0)

    @pytest.mark.parametrize(
        ("last", "price"), [("5", Decimal(5)), ("100", Decimal(100)), ("101", Decimal(101))]
    )
    def test_ends_with_the_vendors_answer_whatever_it_is(self, priced, last, price):
        priced.offer([after(1, 5.0)], now_ns=NOW)
        priced.take_changes()

        priced.seed(snapshot(last=last, at=AT + timedelta(seconds=2)), now_ns=NOW)

        assert (price_in(priced), flags_in(priced)) == ({5: price}, 0)
        assert len(priced.take_changes().prices) == 1

    def test_is_not_cast_by_what_is_no_price_or_older(self, priced):
        late = after(-1, 5.0)
        priced.offer([trade(price=0.0), trade(price=math.nan), late], now_ns=NOW)

        assert priced.rejected == {"price": 2, "older": 1}
        assert (flags_in(priced), priced.doubted) == (0, set())


class TestSeed:
    def test_may_jump_since_the_vendor_was_asked(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)

        book.seed(snapshot(last="5", at=AT + timedelta(seconds=1), close="5.1"), now_ns=NOW)

        assert price_in(book) == {5: Decimal(5)}

    def test_does_not_jump_where_later_quotes_are_not(self, priced):
        slip = replace(
            snapshot(last="5", at=AT + timedelta(seconds=1)), quoted_at=AT + timedelta(seconds=2)
        )
        priced.seed(replace(slip, last=Decimal(101), last_at=AT), now_ns=NOW)

        priced.seed(slip, now_ns=NOW)

        assert (price_in(priced), flags_in(priced)) == ({5: Decimal(100)}, DOUBTED)
        assert (priced.rejected, priced.doubted) == ({"jump": 1}, {"AAPL"})
        moved = replace(
            slip, bid=Decimal("4.9"), ask=Decimal("5.1"), quoted_at=AT + timedelta(seconds=3)
        )
        priced.seed(moved, now_ns=NOW)
        assert (price_in(priced), flags_in(priced)) == ({5: Decimal(5)}, 0)

    @pytest.mark.parametrize(("traded", "quoted"), [(2, 1), (2, 2), (-1, 1)])
    def test_earlier_quotes_deny_no_jump_and_later_ones_no_price_of_before(
        self, priced, traded, quoted
    ):
        traded_at, quoted_at = (AT + timedelta(seconds=n) for n in (traded, quoted))
        told = replace(snapshot(last="5", at=traded_at), quoted_at=quoted_at)
        priced.seed(replace(told, last=Decimal(100), last_at=AT), now_ns=NOW)

        priced.seed(told, now_ns=NOW)

        assert flags_in(priced) == 0
        assert price_in(priced) == {5: Decimal(5 if traded > 0 else 100)}

    def test_an_older_answer_does_not_replace_a_newer_trade(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)

        book.seed(snapshot(last="90", at=AT - timedelta(seconds=1)), now_ns=NOW)

        assert price_in(book) == {5: Decimal(100)}

    def test_a_correction_replaces_even_a_newer_trade(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)

        book.seed(snapshot(last="90", at=AT - timedelta(seconds=1)), now_ns=NOW, is_correction=True)

        assert price_in(book) == {5: Decimal(90)}

    def test_a_correction_does_not_undo_what_came_after_the_vendor_was_asked(self, book):
        book.offer([trade(price=100.0)], now_ns=NOW)
        answer = snapshot(last="90", at=AT - timedelta(seconds=1))

        book.seed(answer, now_ns=NOW + 1, asked_ns=NOW - 1, is_correction=True)

        assert price_in(book) == {5: Decimal(100)}

    @pytest.mark.parametrize(("guess", "price"), [("1000", Decimal(20)), ("21", Decimal(21))])
    def test_a_first_price_that_nothing_was_known_of_gives_way_if_it_is_far_off(
        self, book, guess, price
    ):
        book.offer([trade(price=float(guess))], now_ns=NOW)

        book.seed(snapshot(last="20", at=AT - timedelta(hours=1), close="19"), now_ns=NOW)

        assert price_in(book) == {5: price}

    def test_once_one_is_judged_an_old_answer_changes_nothing_any_more(self, priced):
        priced.seed(snapshot(last="101"), now_ns=NOW)
        priced.seed(snapshot(last="5", at=AT - timedelta(hours=1)), now_ns=NOW)

        assert price_in(priced) == {5: Decimal(100)}

    def test_reports_a_new_previous_close(self, book):
        book.seed(snapshot(last=None, close="99"), now_ns=NOW)

        closes = book.take_changes().closes

        assert [(entry.number, to_decimal(entry.close)) for entry in closes] == [(5, Decimal(99))]

    def test_replaces_a_price_from_a_future_that_never_came(self, book):
        future = nanoseconds(AT + timedelta(days=1))
        book.restore("AAPL", price=to_nanos(Decimal(100)), at_ns=future, close=0)

        book.seed(snapshot(last="90"), now_ns=NOW)

        assert price_in(book) == {5: Decimal(90)}


def test_of_a_symbol_that_is_forgotten_only_that_is_told(book):
    book.offer([trade(price=100.0)], now_ns=NOW)

    book.forget(["AAPL"])
    changes = book.take_changes()

    assert changes[:3] == ([], [], [])
    assert [(e.number, to_decimal(e.price), e.flags) for e in changes.forgotten] == [
        (5, Decimal(100), STALE)
    ]
    assert book.number_of("AAPL") is None
    assert book.take_changes() == ([], [], [], [], 0)


def test_of_a_forgotten_symbol_without_a_price_nothing_is_told(book):
    book.forget(["AAPL"])

    assert book.take_changes() == ([], [], [], [], 0)


@given(PRICES)
def test_floats_and_decimals_of_a_price_are_the_same_exact_number(price):
    assert to_nanos(float(price)) == to_nanos(price) == int(price * 10**9)
    assert to_decimal(to_nanos(price)) == price


@pytest.mark.parametrize(
    ("price", "nanos"),
    [("0.0000123456789", 12_346), ("0.0000000005", 0), ("0.00000000051", 1), ("1e-400", 0)],
)
def test_a_coin_of_many_decimals_is_rounded_to_billionths(price, nanos):
    assert to_nanos(Decimal(price)) == to_nanos(float(price)) == nanos


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1970))
def test_moments_survive_nanoseconds(at):
    assert moment(nanoseconds(at)) == at


@example([(1.0, 1), (2.0, 0)])
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
            held, held_at = nanos, min(nanoseconds(at), NOW)  # one of the future counts from now
        else:
            refused += 1

    assert [entry.price for entry in book.everything()] == ([held] if held else [])
    assert book.rejected.total() == refused
