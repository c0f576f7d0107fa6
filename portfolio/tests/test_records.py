from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import exact_json
from market.frames import DOUBTED, HALTED
from portfolio.live import records
from portfolio.live.board import Board
from portfolio.live.valuation import Figures
from portfolio.tests.factories import account, frame, position

AT = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)


def snapshot(board, one):
    return exact_json.loads(snapshot_text(board, one))


def snapshot_text(board, one):
    stamp = records.stamp_text(board.stamp, at=AT)
    more = records.snapshot_part(one, board.book)
    worth = board.worth(one.account_id)
    return records.message(records.SNAPSHOT, '"an account"', worth, stamp, more=more).decode()


@pytest.fixture
def board():
    board = Board()
    flags = {2: HALTED, 3: DOUBTED, 4: HALTED | DOUBTED}
    board.replace(frame(dict.fromkeys(range(1, 5), "10.00"), flags=flags))
    return board


def test_a_snapshot_tells_money_on_its_way_and_what_is_wrong_with_prices(board):
    one = account(
        *(position(n, "1") for n in range(1, 6)), pending_deposits="250", pending_withdrawals="1.5"
    )
    board.put([one])

    record = snapshot(board, one)

    assert (record["pending_deposits"], record["pending_withdrawals"]) == ("250.00", "1.50")
    assert {p["symbol"]: p["flags"] for p in record["positions"]} == {
        "S1": [],
        "S2": ["halted"],
        "S3": ["doubted"],
        "S4": ["halted", "doubted"],
        "S5": [],
    }
    assert record["revision"] == f"{one.revision}.{board.book.day}"


def test_a_contracts_market_value_counts_what_it_stands_for(board):
    one = account(position(1, "-0.000000001", multiplier="100"), position(2, "2", multiplier="100"))
    board.put([one])

    values = [p["market_value"] for p in snapshot(board, one)["positions"]]

    assert values == ["0.00", "2000.00"]


def digits(number, *, places=0):
    """Write all digits of a number, and zeros up to so many places."""
    whole, _, fraction = f"{number:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(places, "0")
    return ".".join(filter(None, [whole, fraction]))


def as_written_by_hand(position, prices, closes):
    """Describe a position from what the frame was made of."""
    price = prices.get(position.number)
    close = closes.get(position.number, position.previous_close)
    value = None
    if price is not None:
        with localcontext(prec=80):
            exact = position.quantity * price * position.multiplier
            value = f"{exact.quantize(Decimal('0.01'), rounding=ROUND_HALF_EVEN) + 0:.2f}"
    return {
        "symbol": position.symbol,
        "quantity": digits(position.quantity),
        "average_entry_price": "1.00",
        "price": None if price is None else digits(price, places=2),
        "previous_close": None if close is None else digits(Decimal(close), places=2),
        "market_value": value,
        "as_of": None if price is None else "1970-01-01T00:00:00.000001Z",
        "flags": ["halted"] if price is not None and position.number % 7 == 0 else [],
    }


NANOS = st.integers(1, 10**15)
QUANTITIES = st.decimals(min_value=-(10**6), max_value=10**6, places=9) | st.integers(-900, 900)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(NANOS, min_size=20, max_size=20),
    st.lists(st.integers(1, 10**10), min_size=20, max_size=20),
    st.lists(
        st.tuples(
            st.integers(1, 26),
            QUANTITIES,
            st.sampled_from(["1", "1.0000", "100", "2.5"]),
            st.sampled_from([None, "12.5", "0.00012", "7"]),
        ),
        max_size=6,
        unique_by=lambda told: told[0],
    ),
)
def test_every_position_is_written_to_the_last_digit(nanos, fine_closes, held):
    prices = {n: Decimal(each).scaleb(-9) for n, each in enumerate(nanos, 1)}
    closes = {n: Decimal(each).scaleb(-4) for n, each in enumerate(fine_closes, 6)}
    board = Board()
    flags = {n: HALTED for n in prices if n % 7 == 0}
    board.replace(
        replace(frame(prices, closes, flags=flags), times=np.full(len(prices), 1000, dtype="<i8"))
    )
    one = account(
        *(
            position(n, quantity, multiplier=multiplier, close=close, symbol=f'"S\u00fc{n}"')
            for n, quantity, multiplier, close in held
        ),
        cash="7.125",
    )
    board.put([one])

    text = snapshot_text(board, one)

    held = [as_written_by_hand(p, prices, closes) for p in one.positions if p.quantity]
    _, revision, told = text.partition(',"revision":')
    assert revision + told == (
        f',"revision":"{one.revision}.{board.book.day}","cash":"7.12","pending_deposits":"0.00",'
        f'"pending_withdrawals":"0.00","positions":{exact_json.dumps(held)}}}'
    )


CENTS = st.one_of(
    st.integers(-10_100, 10_100),
    st.integers(-(10**13), 10**13),
    st.sampled_from([0, 1, -1, 99, 100, -99, -100, 10**12, -(10**12), 1_234_567_890_12]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CENTS, CENTS, st.booleans(), st.booleans()), min_size=1))
def test_many_are_written_as_one_is(told):
    totals = [before + day if is_sum else before for before, day, is_sum, _ in told]
    figures = Figures(
        totals=np.array(totals),
        returns=np.array([day for _, day, _, _ in told]),
        is_incomplete=np.zeros(len(told), dtype=bool),
        is_return_unknown=np.array([is_unknown for *_, is_unknown in told]),
    )
    rows = np.arange(len(told))

    texts = records.value_texts(figures, rows)

    worths = records.worths_of(figures, rows)
    assert texts == [records.value_text(worth) for worth in worths]
    read = [exact_json.loads(f"{{{text[:-1]}}}") for text in texts]
    assert [(r["raw_value"], r["raw_return"], r["raw_return_percent"]) for r in read] == [
        (worth.total, worth.day_return, worth.day_return_percent) for worth in worths
    ]


def test_of_whom_something_lacks_the_others_are_written_as_before(board):
    whole, other = account(position(1, "1")), account(position(2, "-3"), cash="7")
    unpriced, unread = account(position(5, "1"), cash="3"), account(position(1, "1"), cash=None)
    unlisted = account(position(1, "2", symbol="NOPE")._replace(number=None), cash="4")
    board.put([whole, unpriced, unlisted, unread, other])
    ids = [one.account_id for one in (whole, unpriced, unlisted, unread, other)]

    texts = board.value_texts(ids, '"seq":1')

    told = [exact_json.loads("{" + text) for text in texts]
    assert [(t["raw_value"], t["unpriced"]) for t in told] == [
        (Decimal("10.00"), []), (Decimal("3.00"), ["S5"]), (Decimal("4.00"), ["NOPE"]),
        (None, []), (Decimal("-23.00"), []),
    ]  # fmt: skip
    assert [worth.total for _, worth in board.worths(ids)] == [t["raw_value"] for t in told]


class TestRevision:
    ONE = account(position(1, "1.50"), position(2, "3"), position(3, "0"), cash="12.3")

    def test_is_the_same_however_the_same_was_read(self):
        there = replace(
            self.ONE,
            cash=Decimal("12.300"),
            positions=(position(2, "3.0"), position(1, "1.500000000")),
        )

        assert there.revision == self.ONE.revision
        assert len(self.ONE.revision) == 16

    def test_is_not_moved_by_prices_or_by_what_only_values_are_made_of(self):
        moved = (position(1, "1.5", bought="1", spent="9", close="8"), position(2, "3"))

        assert replace(self.ONE, positions=moved).revision == self.ONE.revision

    @pytest.mark.parametrize(
        "change",
        [
            {"cash": None},
            {"cash": Decimal("12.31")},
            {"pending_deposits": Decimal(1)},
            {"pending_withdrawals": Decimal(1)},
            {"positions": (position(1, "1.5"),)},
            {"positions": (position(1, "1.5"), position(2, "4"))},
            {"positions": (position(1, "1.5"), position(2, "3", symbol="S20"))},
            {"positions": (position(1, "1.5"), position(2, "3", multiplier="100"))},
        ],
        ids=str,
    )
    def test_is_another_one_when_anything_shown_is(self, change):
        assert replace(self.ONE, **change).revision != self.ONE.revision


class TestBeyondAllMoney:
    """What no account has is a mistake somewhere: it is not known, and nobody else is hurt."""

    @pytest.mark.parametrize(
        "one",
        [
            account(position(1, "999999999999999"), cash="5"),
            account(position(1, "-999999999999999", multiplier="100000"), cash="5"),
            account(position(1, "1", bought="-999999999999999"), cash="5"),
            account(cash="9999999999999999.99", pending_deposits="9999999999999999.99"),
        ],
    )
    def test_is_not_known(self, one):
        board = Board()
        board.replace(frame({1: "9000000"}, {1: "9000000"}))
        other = account(position(1, "1"), cash="1")
        board.put([other, one])

        told = snapshot(board, one)
        texts = board.value_texts([other.account_id, one.account_id], '"seq":1')
        both = [exact_json.loads(f"{{{text}") for text in texts]

        assert (told["total_value"], told["today_return"]) == (None, None)
        assert [each["total_value"] for each in both] == ["$9000001.00", None]
        assert [each["today_return"] for each in both] == ["+$0.00 (0.00%)", None]

    def test_hides_neither_the_shares_nor_their_price(self):
        board = Board()
        board.replace(frame({1: "100"}, {1: "99"}))
        one = account(position(1, "10000000000000"), cash="1000000000000000")
        board.put([one])

        told = snapshot(board, one)

        assert told["cash"] is None
        (shares,) = told["positions"]
        assert (shares["quantity"], shares["price"]) == ("10000000000000", "100.00")
        assert shares["market_value"] is None
