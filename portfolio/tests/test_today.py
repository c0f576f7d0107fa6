"""Today's part of a value: when a day begins, and of what was sold before anybody priced it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core import realtime
from core.auth import SYSTEM
from market import frames
from market.tests import factories as market_factories
from portfolio import selectors
from portfolio.live.board import Board
from portfolio.tests.factories import account, frame, position
from trading.tests import day_records, factories

YESTERDAY, TODAY = 20_000, 20_001


def published(prices, closes, *, seq, day):
    return replace(frame(prices, closes, seq=seq, is_full=False), day=day)


@pytest.fixture
def board():
    """A board on the evening of a day on which the first was bought and the second sold out."""
    board = Board()
    first = published({1: "160", 2: "50"}, {1: "100", 2: "70"}, seq=1, day=YESTERDAY)
    board.replace(replace(first, is_full=True))
    return board


@pytest.fixture
def trader():
    bought = position(1, "100", bought="100", spent="15000")
    sold_out = position(2, "0", bought="-10", spent="-600")
    return replace(account(bought, sold_out, cash="5"), day=YESTERDAY)


@pytest.fixture
def owner():
    return replace(account(position(1, "2")), day=TODAY)


MIDNIGHT = published({}, {1: "160", 2: "50"}, seq=2, day=TODAY)


class TestADayThatBegins:
    def test_gains_nothing_by_the_fills_of_the_day_before(self, board, trader):
        board.put([trader])
        assert board.worth(trader.account_id)[:2] == (1_600_500, 90_000)

        changed = board.follow(MIDNIGHT)

        assert changed == [trader.account_id]
        assert board.worth(trader.account_id)[:3] == (1_600_500, 0, 0)
        board.follow(published({1: "161"}, {}, seq=3, day=TODAY))
        assert board.worth(trader.account_id)[:2] == (1_610_500, 10_000)

    def test_has_nothing_of_what_was_read_before_and_arrives_after(self, board, trader, owner):
        board.follow(MIDNIGHT)
        board.put([owner, trader])

        assert board.worth(trader.account_id)[:2] == (1_600_500, 0)
        board.put([replace(trader, day=TODAY)])
        assert board.worth(trader.account_id)[:2] == (1_600_500, 90_000 + 20_000)

    def test_takes_no_close_that_the_broker_told_the_day_before(self, board, owner):
        board.follow(published({3: "50"}, {}, seq=2, day=TODAY))
        board.put([replace(account(position(3, "1", close="40")), day=YESTERDAY)])
        assert not board.book.closes[3]

        today = replace(owner, positions=(position(3, "1", close="45"),))
        board.put([today])
        assert board.worth(today.account_id)[:2] == (5_000, 500)

    def test_leaves_alone_whose_fills_are_its_own(self, board, owner):
        bought = replace(owner, positions=(position(1, "2", bought="2", spent="300"),))
        board.put([bought, replace(account(position(1, "1")), day=YESTERDAY)])

        board.follow(MIDNIGHT)

        assert board.worth(bought.account_id)[:2] == (32_000, 2_000)


class TestWhatIsHeldNoLonger:
    SOLD = position(7, "0", bought="-4", spent="-404")

    def test_counts_as_soon_as_its_close_is_known_though_no_price_is(self, board):
        one = account(self.SOLD, cash="10")
        board.put([one])
        assert board.worth(one.account_id)[:3] == (1000, None, None)

        assert board.follow(published({}, {7: "99"}, seq=2, day=YESTERDAY)) == [one.account_id]

        assert board.worth(one.account_id)[:4] == (1000, 800, 40_000, ())

    def test_needs_no_close_when_it_was_bought_today(self, board):
        one = account(position(7, "0", spent="-2"), cash="10")
        board.put([one])

        assert board.worth(one.account_id)[:2] == (1000, 200)

    def test_leaves_what_is_held_without_a_price_out(self, board):
        one = account(position(8, "5", bought="2", spent="9"), cash="10")
        board.put([one])

        assert board.worth(one.account_id)[:4] == (1000, 0, 0, ["S8"])

    @pytest.mark.django_db
    def test_is_asked_for_when_nobody_follows_it(self):
        realtime.connection().delete(frames.SNAPSHOT_KEY)
        now, vendors = datetime.now(UTC), market_factories.vendors()
        one = factories.new_account()
        factories.new_instrument("AAPL")
        sold = factories.new_instrument("GONE")
        realtime.connection().hdel(frames.SNAPSHOT_KEY, str(sold.number))
        factories.fund(one, cash="10.00")
        day_records.fill(one, Decimal(-4), Decimal(101), at=now, symbol="GONE")

        def shown():
            return selectors.get_value(principal=SYSTEM, account_id=one.pk, at=now).record

        with market_factories.gateways.use(vendors):
            assert (shown()["today_return"], shown()["unpriced"]) == (None, [])
            vendors.data.found["GONE"] = market_factories.snapshot(
                "GONE", "7.00", at=now, close="99.00"
            )
            assert shown()["today_return"] == "+$8.00 (400.00%)"
