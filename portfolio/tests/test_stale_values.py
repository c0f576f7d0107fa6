"""Which values are stale: those with a stale price in them, whatever comes first."""

import pytest

from market.frames import HALTED, STALE
from portfolio.live.board import Board
from portfolio.tests.factories import account, frame, position

PRICES = {1: "10", 2: "20"}


@pytest.fixture
def board():
    board = Board()
    board.is_feed_lost = False
    return board


def stale(board, *accounts):
    """Say of each account whether it is, and that its messages say the same."""
    ids = [one.account_id for one in accounts]
    found = [worth.is_stale for _, worth in board.worths(ids)]
    texts = board.value_texts(ids, '"seq":1')
    assert ['"stale":true' in text for text in texts] == found
    return found


@pytest.fixture
def holders(board):
    """One of the first, one of the second, one who has sold the second, and one with cash."""
    accounts = [
        account(position(1, "1")),
        account(position(2, "1")),
        account(position(2, "0", bought="-1", spent="-20")),
        account(cash="5"),
    ]
    board.put(accounts)
    return accounts


class TestStale:
    def test_is_nobody_once_prices_have_come_after_the_accounts(self, board, holders):
        assert stale(board, *holders) == [True, True, False, False]

        board.replace(frame(PRICES))

        assert stale(board, *holders) == [False] * 4

    def test_is_who_holds_such_a_price_until_it_is_live(self, board, holders):
        board.replace(frame(PRICES))

        changed = board.follow(frame({2: "20"}, seq=2, is_full=False, flags={2: STALE | HALTED}))
        assert holders[1].account_id in changed
        assert stale(board, *holders) == [False, True, False, False]
        board.follow(frame({2: "20"}, seq=3, is_full=False, flags={2: HALTED}))
        assert stale(board, *holders) == [False] * 4

    def test_is_told_of_who_holds_such_a_price_though_nobody_knows_their_cash(self, board):
        board.replace(frame(PRICES))
        one = account(position(1, "1"), cash=None)
        board.put([one])

        changed = board.follow(frame({1: "10"}, seq=2, is_full=False, flags={1: STALE}))
        assert (changed, board.worth(one.account_id).is_stale) == ([one.account_id], True)
        changed = board.follow(frame({1: "10"}, seq=3, is_full=False))
        assert (changed, board.worth(one.account_id).is_stale) == ([one.account_id], False)

    def test_is_who_comes_or_buys_or_sells_meanwhile(self, board, holders):
        board.replace(frame(PRICES, flags={2: STALE}))
        first, second, sold, _ = holders
        late = account(position(2, "3"))
        board.put([
            late,
            account(position(1, "1"), position(2, "1"), account_id=first.account_id),
            account(account_id=second.account_id),
        ])  # fmt: skip
        assert stale(board, first, second, late, sold) == [True, False, True, False]

        board.drop(late.account_id)
        board.put([account(position(1, "1"), account_id=late.account_id)])
        assert stale(board, late) == [False]

    def test_is_whoever_holds_anything_when_nothing_is_live(self, board, holders):
        board.replace(frame(PRICES, is_stale=True))
        assert stale(board, *holders) == [True, True, False, False]

        board.follow(frame({}, seq=2, is_full=False))
        assert stale(board, *holders) == [False] * 4

    def test_is_who_holds_what_a_full_frame_lacks(self, board, holders):
        board.replace(frame(PRICES))

        changed = board.replace(frame({1: "10"}, seq=2))
        assert holders[1].account_id in changed
        assert stale(board, *holders) == [False, True, False, False]
        board.replace(frame(PRICES, seq=3))
        assert stale(board, *holders) == [False] * 4
