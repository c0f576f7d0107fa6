"""Today's return is what was gained or lost, whatever else has happened to the account."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market import days
from market.frames import Epoch, Frame
from market.nanos import to_nanos
from portfolio import selectors
from portfolio.live.board import Board
from trading import selectors as trading
from trading.selectors import Traded
from trading.tests import day_records, factories

pytestmark = pytest.mark.django_db
D = Decimal
NOON = datetime(2026, 3, 6, 17, tzinfo=UTC)
DAY = days.day_at(NOON)
MIDNIGHT = days.start_of(DAY)
CENT, NANO, ZERO = D("0.01"), D("1e-9"), D(0)
# Old shares for new ones; their quotients end, so that no share is lost by rounding.
RATIOS = [(1, 2), (1, 3), (1, 20), (2, 3), (4, 5), (2, 1), (5, 2), (10, 1), (8, 1), (20, 1)]

PRICES = st.decimals("0.5", "900", places=4)
SHARES = st.decimals("-200", "200", places=3).filter(bool)
MONEY = st.decimals("-5000", "5000", places=2)
EVENTS = st.one_of(
    st.tuples(st.just("move_money"), MONEY),
    st.tuples(st.just("trade"), SHARES),
    st.tuples(st.just("reprice"), PRICES),
)
SPLITS = st.tuples(st.just("split"), st.sampled_from(RATIOS))
CASHED_SPLITS = st.tuples(st.just("split_and_pay_fraction"), st.sampled_from(RATIOS))
FEW = st.lists(EVENTS, max_size=4)
DAYS_WITH_A_SPLIT = st.builds(
    lambda before, split, after: (*before, split, *after),
    FEW,
    st.one_of(SPLITS, CASHED_SPLITS),
    FEW,
)


@pytest.fixture
def account(db):
    factories.new_instrument("AAPL")
    return factories.new_account()


@dataclass
class Model:
    """An account in exact numbers, which writes down what the broker would tell of its day."""

    account: object
    opening: Decimal
    close: Decimal
    cash: Decimal = Decimal(10_000)
    moved_money: Decimal = ZERO
    shares: Decimal = field(init=False)
    price: Decimal = field(init=False)
    at: datetime = MIDNIGHT

    def __post_init__(self):
        self.shares, self.price = self.opening, self.close
        self.before = self.worth
        day_records.clear(self.account)

    @property
    def worth(self):
        return self.cash + self.shares * self.price

    @property
    def gained(self):
        """What the account is worth more than at the last close, but for money moved."""
        return self.worth - self.before - self.moved_money

    def go_on(self, event):
        self.at += timedelta(minutes=1)
        what, value = event
        getattr(self, what)(value)

    def move_money(self, amount):
        self.cash += amount
        self.moved_money += amount

    def reprice(self, price):
        self.price = price

    def trade(self, shares):
        self.shares += shares
        self.cash -= shares * self.price
        day_records.fill(self.account, shares, self.price, at=self.at)

    def split(self, ratio):
        old, new = ratio
        after = self.shares * new / old
        for shares in filter(None, (-self.shares, after)):
            day_records.move(self.account, "SPLIT", shares, at=self.at)
        self.shares = after
        self.price = (self.price * old / new).quantize(NANO)

    def split_and_pay_fraction(self, ratio):
        self.split(ratio)
        fraction = self.shares - self.shares.to_integral_value(ROUND_DOWN)
        if fraction:
            paid = (fraction * self.price).quantize(CENT)
            self.shares -= fraction
            self.cash += paid
            day_records.move(self.account, "CASH_IN_LIEU", -fraction, at=self.at, cost=paid)

    def shown(self, *, more_cash=ZERO):
        """What a customer is shown, with everything read from the tables."""
        cash = (self.cash + more_cash).quantize(CENT)
        day_records.hold(self.account, cash=cash, positions={"AAPL": self.shares})
        loaded = selectors.load_holdings(account_ids=[self.account.pk], at=NOON, day=DAY)
        holdings = loaded[self.account.pk]
        board = Board()
        numbers = [p.number for p in holdings.positions]
        board.replace(frame_of(numbers, self.price, self.close))
        board.put([holdings])
        return board.worth(self.account.pk)


def frame_of(numbers, price, close):
    count = len(numbers)
    return Frame(
        epoch=Epoch(1, 1),
        seq=1,
        as_of_ns=1,
        sent_ms=1,
        is_full=True,
        day=DAY,
        numbers=np.array(numbers, dtype="<u4"),
        prices=np.array([to_nanos(price)] * count, dtype="<i8"),
        times=np.ones(count, dtype="<i8"),
        close_numbers=np.array(numbers, dtype="<u4"),
        closes=np.array([to_nanos(close)] * count, dtype="<i8"),
    )


def assert_same_cents(found, exact):
    """Equal, but for exact values so near to half a cent that no float can tell."""
    if found != exact.quantize(CENT):
        assert abs(abs(exact - found) - D("0.005")) < D("1e-6"), (found, exact)


def lives(test):
    """Try a day with many courses; they share one account, emptied before each."""
    patient = settings(
        max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    return patient(test)


@lives
@given(SHARES, PRICES, st.lists(EVENTS, max_size=7), MONEY)
def test_money_that_comes_or_goes_is_no_return(account, opening, close, events, more):
    model = Model(account, opening, close)
    for event in events:
        model.go_on(event)

    shown = model.shown()

    assert_same_cents(shown.day_return, model.gained)
    assert model.shown(more_cash=more).day_return == shown.day_return


@lives
@given(SHARES, PRICES, DAYS_WITH_A_SPLIT)
def test_a_split_is_no_return(account, opening, close, events):
    model = Model(account, opening, close)
    for event in events:
        model.go_on(event)

    assert_same_cents(model.shown().day_return, model.gained)


@pytest.mark.parametrize("ratio", [(1, 4), (4, 1)])
def test_a_split_alone_gains_nothing(account, ratio):
    model = Model(account, D("12.5"), D("100.00"))

    model.go_on(("split", ratio))

    worth = model.shown()
    assert (worth.day_return, worth.day_return_percent) == (D("0.00"), D("0.00"))
    assert worth.total == D("11250.00")


def test_the_day_after_a_split_counts_in_new_shares(account):
    model = Model(account, D(10), D(100))
    model.at = MIDNIGHT - timedelta(hours=20)
    model.go_on(("split", (1, 4)))
    model.close = D(25)

    model.go_on(("reprice", D(26)))

    assert model.shown().day_return == D("40.00")


def test_fills_and_splits_of_a_day_are_told_together(account):
    Model(account, D(1), D(1))
    day_records.fill(account, D(5), D("10.50"), at=NOON)
    day_records.fill(account, D(-2), D(11), at=MIDNIGHT)
    day_records.fill(account, D(9), D(11), at=MIDNIGHT - timedelta(microseconds=1))
    day_records.fill(account, D(9), D(11), at=NOON, is_busted=True)
    day_records.move(account, "SPLIT", D(-4), at=NOON, cost=D(-400))
    day_records.move(account, "SPLIT", D(16), at=NOON, cost=D(400))

    changed = trading.changed_since(account_ids=[account.pk], since=MIDNIGHT)

    assert changed == {account.pk: {"AAPL": Traded(quantity=D(15), spent=D("30.50"))}}


def test_the_whole_book_counts_a_day_as_sockets_do(account):
    model = Model(account, D(7), D(100))
    for event in (("trade", D(2)), ("split_and_pay_fraction", (2, 1)), ("trade", D(-1))):
        model.go_on(event)
    model.shown()

    loaded = selectors.load_holdings(account_ids=[account.pk], at=NOON, day=DAY)
    (position,) = loaded[account.pk].positions
    part = trading.read_book(
        after=UUID(int=0), limit=9, since=MIDNIGHT, numbers={"AAPL": position.number}
    )

    assert (position.opening_quantity, position.spent_today) == (D(7), D(-100))
    assert part.openings.tolist() == [7.0]
    assert part.spent.tolist() == [-100.0]
