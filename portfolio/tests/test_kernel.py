"""Valuing only what moved comes to the same as valuing everything, bit for bit."""

from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.frames import DOUBTED, HALTED
from portfolio.live.board import Board
from portfolio.live.book import PriceVectors
from portfolio.live.holdings import Line
from portfolio.live.table import HoldingsTable, Lines
from portfolio.live.valuation import NO_PERCENT, Valuer, percents
from portfolio.tests.factories import account, frame, position

INSTRUMENTS = 40
NUMBERS = st.integers(0, INSTRUMENTS)
PRICES = st.integers(1, 10**13).map(lambda nanos: f"{nanos}e-9")
AMOUNTS = st.floats(-1e6, 1e6, allow_nan=False)
LINES = st.dictionaries(NUMBERS, st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), max_size=6)
CHANGES = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 30), AMOUNTS, LINES),
    st.tuples(st.just("drop"), st.integers(0, 30)),
    st.tuples(
        st.just("frame"),
        st.dictionaries(NUMBERS, PRICES, max_size=5),
        st.dictionaries(NUMBERS, PRICES, max_size=2),
    ),
    st.tuples(st.just("full"), st.dictionaries(NUMBERS, PRICES, min_size=20)),
    st.tuples(st.just("offer"), NUMBERS, st.floats(0.5, 100)),
)


def values_of(valuer, table):
    """What every account looks like, by account."""
    columns = [vector.tolist() for vector in valuer.figures.vectors]
    rows = zip(*columns, strict=True)
    return {key: row for key, row in zip(table.accounts, rows, strict=True) if key is not None}


def apply(change, table, book, keys, seq):
    match change:
        case ("put", index, cash, lines):
            table.put(keys[index], cash=cash, lines=[Line(n, *rest) for n, rest in lines.items()])
        case ("drop", index):
            table.drop(keys[index])
        case ("frame", prices, closes):
            book.follow(frame(prices, closes, seq=seq, is_full=False))
        case ("full", prices):
            known = {n: f"{book.nanos[n]}e-9" for n in np.flatnonzero(book.nanos).tolist()}
            book.replace(frame(known | prices, seq=seq))
        case ("offer", number, close):
            book.offer_close(number, close)


@pytest.mark.parametrize("most_touched", [0.0, 0.25, 1.0])
@settings(max_examples=25, deadline=None)
@given(st.lists(CHANGES, max_size=30))
def test_the_touched_rows_are_worth_what_all_rows_are_and_those_that_moved_are_named(
    most_touched, changes
):
    table, book, keys = HoldingsTable(), PriceVectors(), [uuid4() for _ in range(31)]
    book.replace(frame({}, seq=0))
    valuer, before = Valuer(table, book, most_touched=most_touched), {}

    for seq, change in enumerate(changes, start=1):
        book.seq = seq - 1
        apply(change, table, book, keys, seq)
        generation = valuer._seen_generation
        changed = {table.accounts[row] for row in valuer.update()} - {None}

        whole = Valuer(table, book)
        whole.update()
        after = values_of(whole, table)
        assert values_of(valuer, table) == after
        moved = {key for key in after.keys() & before.keys() if after[key] != before[key]}
        if table.generation <= generation + 1:
            assert moved <= changed <= moved | (after.keys() - before.keys()) | put_of(change, keys)
        before = after


def put_of(change, keys):
    return {keys[change[1]]} if change[0] == "put" else set()


def test_packing_moves_what_was_worked_out_along_with_the_rows():
    board = Board()
    board.replace(frame(dict.fromkeys(range(1, 41), "2"), dict.fromkeys(range(1, 41), "1")))
    accounts = [account(position(1 + n % 40, str(n)), cash="1") for n in range(100)]
    board.put(accounts)

    for one in accounts[:60]:
        board.drop(one.account_id)
    changed = board.follow(frame({5: "3"}, seq=2, is_full=False))

    assert board.table.generation > 0
    assert set(changed) == {a.account_id for n, a in enumerate(accounts) if n >= 60 and n % 40 == 4}
    totals = [str(board.worth(one.account_id).total) for one in accounts[60:]]
    assert totals == [f"{1 + n * (3 if n % 40 == 4 else 2)}.00" for n in range(60, 100)]


def test_rows_taken_over_at_once_are_worth_what_they_are_one_by_one():
    random = np.random.default_rng(1)
    table, book = HoldingsTable(), PriceVectors()
    book.replace(frame({n: f"{n}.25" for n in range(1, 50)}, {n: str(n) for n in range(1, 40)}))
    cash, starts, lines = [], [0], []
    for _ in range(200):
        numbers = sorted(random.choice(60, random.integers(0, 9), replace=False).tolist())
        held = [Line(n, *random.normal(0, 100, 3).round(3).tolist()) for n in numbers]
        cash.append(round(float(random.normal(0, 1e5)), 2))
        table.put(uuid4(), cash=cash[-1], lines=held)
        lines += held
        starts.append(len(lines))
    numbers, quantities, openings, spent = (np.array(each) for each in zip(*lines, strict=True))
    at_once = Lines.of(
        cash=np.array(cash),
        starts=np.array(starts, dtype=np.int32),
        numbers=numbers.astype(np.int32),
        quantities=quantities,
        openings=openings,
        spent=spent,
    )

    found = [Valuer(rows, book) for rows in (table, at_once)]
    for valuer in found:
        valuer.update()

    one, other = (valuer.figures.vectors for valuer in found)
    assert [left.tolist() for left in one] == [right.tolist() for right in other]
    assert found[0].figures.is_incomplete.any()
    assert found[0].figures.is_return_unknown.any()


def test_percents_are_made_of_the_cents_shown():
    returns = np.array([300, -300, 0, 5, 0, 1, 125])
    totals = np.array([25531, 24700, 0, 5, -9000, -8999, 100125])

    found = percents(returns, totals)

    # Half to even: 1.25 of 1000 is 0.125 percent.
    assert found.tolist() == [119, -120, 0, NO_PERCENT, 0, NO_PERCENT, 12]


class TestHoldings:
    @pytest.fixture
    def board(self):
        board = Board()
        board.replace(frame({1: "10.00", 2: "0.000000123"}, {1: "9.00", 2: "0.0000001"}))
        return board

    def test_sold_short_is_owed_and_gains_when_the_price_falls(self, board):
        one = account(position(1, "-3"), cash="100")
        board.put([one])

        assert board.worth(one.account_id)[:2] == (7000, -300)
        board.follow(frame({1: "8.00"}, seq=2, is_full=False))
        assert board.worth(one.account_id)[:2] == (7600, 300)

    def test_a_contract_counts_for_what_it_stands_for(self, board):
        one = account(position(1, "3", bought="2", spent="19.50", multiplier="100"))
        board.put([one])

        assert board.worth(one.account_id)[:2] == (300_000, 15_000)

    def test_a_coin_of_nine_places_is_worth_its_cents(self, board):
        one = account(position(2, "1000000.000000001"))
        board.put([one])

        assert board.worth(one.account_id)[:2] == (12, 2)

    def test_money_on_its_way_is_no_part_of_the_value(self, board):
        one = account(position(1, "1"), pending_deposits="50", pending_withdrawals="7")
        board.put([one])

        assert board.worth(one.account_id).total_cents == 1000

    def test_a_price_that_is_only_flagged_anew_is_told(self, board):
        one, two = account(position(1, "1")), account(position(2, "1"))
        board.put([one, two])
        halted = frame({1: "10.00"}, seq=2, is_full=False, flags={1: HALTED | DOUBTED})

        assert board.follow(halted) == [one.account_id]
        assert board.book.flags[1] == HALTED | DOUBTED
        assert board.follow(frame({1: "10.00"}, seq=3, is_full=False)) == [one.account_id]
        assert board.follow(frame({1: "10.00"}, seq=4, is_full=False)) == []

    def test_who_is_moved_by_what_another_account_brings_is_told_with_the_next_frame(self, board):
        board.follow(frame({3: "5.00"}, seq=2, is_full=False))
        one, two = account(position(3, "1")), account(position(3, "1", close="4.50"))
        board.put([one])
        board.put([two])

        assert board.worth(one.account_id).return_cents == 50
        assert board.follow(frame({}, seq=3, is_full=False)) == [one.account_id]
        assert board.follow(frame({}, seq=4, is_full=False)) == []
