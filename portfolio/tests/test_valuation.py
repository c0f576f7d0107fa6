from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.money import Money, Price, Quantity, Unrounded
from portfolio.live.board import Board
from portfolio.live.book import MissedFrame, PriceVectors
from portfolio.live.holdings import Line
from portfolio.live.records import NOT_KNOWN
from portfolio.live.table import HoldingsTable
from portfolio.tests.factories import account, frame, position

ZERO = Decimal(0)


@pytest.fixture
def board():
    board = Board()
    board.replace(frame({1: "10.00", 2: "250.125"}, {1: "9.00", 2: "250.125"}))
    return board


class TestWorth:
    def test_is_cash_and_positions_at_the_last_price(self, board):
        one = account(position(1, "3"), position(2, "0.5"), cash="100.25")

        board.put([one])
        worth = board.worth(one.account_id)

        # 100.25 + 30 + 125.0625, rounded half to even
        assert worth.total == Decimal("255.31")
        assert worth.day_return == Decimal("3.00")
        assert worth.day_return_percent == Decimal("1.19")
        assert list(worth.unpriced) == []

    def test_cash_alone_has_no_return(self, board):
        one = account(cash="500")

        board.put([one])
        worth = board.worth(one.account_id)

        assert (worth.total, worth.day_return) == (Decimal("500.00"), ZERO)
        assert worth.day_return_percent == ZERO

    def test_what_was_bought_today_counts_from_its_own_price(self, board):
        one = account(position(1, "3", bought="2", spent="19.50"), cash="0")

        board.put([one])

        # one share gained 1.00; two were bought at 9.75 each and gained 0.25 each
        assert board.worth(one.account_id).day_return == Decimal("1.50")

    def test_what_was_sold_out_today_still_counts(self, board):
        one = account(position(1, "0", bought="-2", spent="-19.00"), cash="19.00")

        board.put([one])
        worth = board.worth(one.account_id)

        # two shares worth 9.00 each at the close were sold at 9.50
        assert (worth.total, worth.day_return) == (Decimal("19.00"), Decimal("1.00"))

    def test_a_deposit_is_no_return(self, board):
        before, after = account(position(1, "3"), cash="0"), account(position(1, "3"), cash="9999")

        board.put([before, after])

        assert board.worth(before.account_id).day_return == Decimal("3.00")
        assert board.worth(after.account_id).day_return == Decimal("3.00")

    def test_a_symbol_without_a_price_is_named_and_not_counted(self, board):
        one = account(position(1, "1"), position(7, "5"), position(None, "2", symbol="OLD"))

        board.put([one])
        worth = board.worth(one.account_id)

        assert worth.total == Decimal("10.00")
        assert worth.unpriced == ["S7", "OLD"]

    def test_a_price_that_comes_later_completes_the_value(self, board):
        one = account(position(1, "1"), position(7, "5"))
        board.put([one])

        changed = board.follow(frame({7: "2.00"}, {7: "2.00"}, seq=2, is_full=False))

        assert changed == [one.account_id]
        assert board.worth(one.account_id).total == Decimal("20.00")
        assert list(board.worth(one.account_id).unpriced) == []

    def test_without_a_previous_close_the_return_is_unknown(self, board):
        board.follow(frame({3: "5.00"}, seq=2, is_full=False))
        held, bought = (
            account(position(3, "1")),
            account(position(3, "1", bought="1", spent="4.00")),
        )

        board.put([held, bought])

        assert board.worth(held.account_id).total == Decimal("5.00")
        assert board.worth(held.account_id).day_return is None
        assert board.worth(held.account_id).day_return_percent is None
        assert board.worth(bought.account_id).day_return == Decimal("1.00")

    def test_the_brokers_previous_close_serves_while_no_other_is_known(self, board):
        board.follow(frame({3: "5.00"}, seq=2, is_full=False))
        one = account(position(3, "1", close="4.50"))

        board.put([one])

        assert board.worth(one.account_id).day_return == Decimal("0.50")

    def test_an_account_that_was_never_read_is_worth_nobody_knows_what(self, board):
        one = account(position(1, "1"), cash=None)

        board.put([one])

        assert board.worth(one.account_id) == NOT_KNOWN._replace(is_stale=True)

    def test_owing_more_than_owning_is_negative_and_has_no_percentage(self, board):
        one = account(position(1, "1"), cash="-100")

        board.put([one])
        worth = board.worth(one.account_id)

        assert (worth.total, worth.day_return) == (Decimal("-90.00"), Decimal("1.00"))
        assert worth.day_return_percent is None


class TestFollowing:
    def test_only_accounts_whose_value_changed_are_named(self, board):
        one, two = account(position(1, "1")), account(position(2, "1"))
        board.put([one, two])

        assert board.follow(frame({1: "10.01"}, seq=2, is_full=False)) == [one.account_id]
        assert board.follow(frame({1: "10.01"}, seq=3, is_full=False)) == []
        assert board.follow(frame({1: "10.0101"}, seq=4, is_full=False)) == []  # less than a cent

    def test_a_missed_frame_is_noticed(self, board):
        with pytest.raises(MissedFrame):
            board.follow(frame({1: "11"}, seq=3, is_full=False))

    def test_a_later_epoch_is_noticed_and_an_earlier_one_ignored(self, board):
        with pytest.raises(MissedFrame):
            board.follow(frame({1: "11"}, seq=2, fence=2, is_full=False))

        board.replace(frame({1: "12"}, fence=3))

        assert board.follow(frame({1: "13"}, seq=9, fence=2, is_full=False)) == []
        assert board.book.prices[1] == 12

    def test_a_frame_that_was_read_already_is_ignored(self, board):
        assert board.follow(frame({1: "11"}, seq=1, is_full=False)) == []
        assert board.book.prices[1] == 10

    def test_a_whole_one_that_was_on_its_way_while_the_whole_was_read_is_ignored(self, board):
        board.replace(frame({1: "12"}, seq=7))

        assert board.follow(frame({1: "11"}, seq=5)) == []
        assert board.follow(frame({1: "11.5"}, seq=6, is_full=False)) == []
        assert (board.book.seq, board.book.prices[1]) == (7, 12)
        board.follow(frame({1: "13"}, seq=9))
        assert (board.book.seq, board.book.prices[1]) == (9, 13)

    def test_values_are_stale_without_a_feed_or_when_it_says_so(self, board):
        assert board.stamp.is_stale
        board.is_feed_lost = False
        assert not board.stamp.is_stale
        board.follow(frame({}, seq=2, is_full=False, is_stale=True))
        assert board.stamp.is_stale

    def test_numbers_beyond_the_vector_make_it_wider(self, board):
        one = account(position(70_000, "2"))
        board.put([one])
        assert board.worth(one.account_id).unpriced == ["S70000"]

        board.follow(frame({70_000: "3"}, {70_000: "3"}, seq=2, is_full=False))

        assert board.worth(one.account_id).total == Decimal("6.00")


QUANTITIES = st.decimals("-1000", "100000", places=9)
PRICES = st.decimals("0.0001", "5000", places=4)
CASH = st.decimals("-100000", "10000000", places=2)


@settings(max_examples=200)
@given(
    st.dictionaries(st.integers(0, 300), st.tuples(PRICES, PRICES), min_size=1, max_size=20),
    st.lists(
        st.tuples(CASH, st.lists(st.tuples(QUANTITIES, QUANTITIES, CASH), max_size=20)),
        max_size=8,
    ),
)
def test_the_kernel_agrees_with_exact_arithmetic_to_the_cent(prices, rows):
    board = Board()
    board.replace(
        frame(
            {n: str(price) for n, (price, _) in prices.items()},
            {n: str(close) for n, (_, close) in prices.items()},
        )
    )
    accounts = [
        account(
            *(
                position(number, quantity, bought=bought, spent=spent)
                for number, (quantity, bought, spent) in zip(prices, lines, strict=False)
            ),
            cash=cash,
        )
        for cash, lines in rows
    ]

    board.put(accounts)

    for one in accounts:
        total, day = exactly(one, prices)
        worth = board.worth(one.account_id)
        assert_same_cents(worth.total, total)
        assert_same_cents(worth.day_return, day)


def exactly(one, prices):
    total, day = Unrounded(one.cash), Unrounded(ZERO)
    for held in one.positions:
        price, close = (Price(value) for value in prices[held.number])
        value = Quantity(held.quantity) * price
        opened = Quantity(held.opening_quantity) * close
        total += value
        day = day + value + Unrounded(-opened.amount) + Unrounded(-held.spent_today)
    return total, day


def assert_same_cents(found, exact):
    """Equal, but for exact values so near to half a cent that no float can tell."""
    if found != exact.to_money().amount:
        distance = abs(abs(exact.amount - found) - Decimal("0.005"))
        assert distance < Decimal("1e-6"), (found, exact)


@pytest.mark.parametrize(
    ("quantity", "price", "total"),
    [("0.5", "10.01", "5.00"), ("1.5", "10.01", "15.02"), ("0.5", "0.03", "0.02")],
)
def test_ties_are_rounded_to_even_like_all_money(quantity, price, total):
    board = Board()
    board.replace(frame({1: price}))
    one = account(position(1, quantity))

    board.put([one])

    assert board.worth(one.account_id).total == Decimal(total)
    assert Money.rounded(Decimal(quantity) * Decimal(price)).amount == Decimal(total)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.one_of(
                st.none(),
                st.dictionaries(st.integers(0, 20), st.floats(0.5, 100), max_size=6),
            ),
        ),
        max_size=300,
    )
)
def test_the_table_holds_what_was_last_put_whatever_came_before(steps):
    accounts = [uuid4() for _ in range(10)]
    table, expected = HoldingsTable(), {}
    prices = np.arange(1.0, 33.0)

    for index, held in steps:
        key = accounts[index]
        if held is None:
            table.drop(key)
            expected.pop(key, None)
        else:
            lines = [Line(n, q, q, 0.0) for n, q in held.items()]
            table.put(key, cash=float(index), lines=lines)
            expected[key] = index + sum(q * prices[n] for n, q in held.items())

    totals = table.matrix("_quantities", slice(0, table.row_count), 32) @ prices + table.cash
    found = {key: totals[row] for row, key in enumerate(table.accounts) if key is not None}
    assert found == pytest.approx(expected)
    assert len(table) == len(expected)
    assert len(table.accounts) <= max(64, 2 * len(expected) + 1)


def test_a_vector_knows_what_it_was_told():
    book = PriceVectors()
    book.replace(frame({1: "0.000000001"}))

    assert book.nanos[1] == 1
    assert book.is_priced.tolist().count(True) == 1
