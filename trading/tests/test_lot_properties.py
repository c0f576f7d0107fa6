"""What holds of lots whatever happens, and in whatever order it is told."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.lots import Book, Fill, Movement, fold
from trading.lots.cents import CENT, spread
from trading.states import LotMethod, MovementKind
from trading.tests.lot_stories import buy, move, sell

quantities = st.decimals("0.000000001", "50", places=9)
prices = st.decimals("0.0001", "900", places=4)


@st.composite
def stories(draw):
    """Trades of two symbols over two years, with splits and shares that come and go."""
    happenings = []
    for number in range(draw(st.integers(1, 14))):
        day, symbol = draw(st.integers(0, 500)), draw(st.sampled_from(["AAPL", "MSFT"]))
        kind = draw(st.sampled_from(["buy", "buy", "sell", "sell", "split", "in", "out"]))
        quantity = draw(quantities)
        if kind in {"buy", "sell"}:
            method = draw(st.sampled_from([LotMethod.FIFO, LotMethod.HIFO]))
            make = buy if kind == "buy" else sell
            each = make(f"t{number}", day, quantity, draw(prices), symbol=symbol, method=method)
        else:
            words = {"split": MovementKind.SPLIT, "in": MovementKind.TRANSFER}
            word = words.get(kind, MovementKind.ADJUSTMENT)
            sign = -1 if kind == "out" else 1
            each = move(f"m{number}", day, word, sign * quantity, symbol=symbol)
        happenings.append(each)
    return happenings


def as_figures(book):
    return (
        sorted((lot.id, lot.remaining, lot.left, lot.wash_added) for lot in book.lots.values()),
        sorted(
            (c.id, c.quantity, c.proceeds, c.basis, c.disallowed) for c in book.closings.values()
        ),
    )


class TestAnyStory:
    @given(stories(), st.randoms(use_true_random=False))
    @settings(max_examples=60, deadline=None)
    def test_is_the_same_in_whatever_order_it_is_told(self, story, chance):
        shuffled = list(story)
        chance.shuffle(shuffled)

        assert as_figures(fold(shuffled)) == as_figures(fold(story))

    @given(stories())
    @settings(max_examples=60, deadline=None)
    def test_keeps_every_share_and_every_cent(self, story):
        book = fold(story)

        for symbol in ("AAPL", "MSFT"):
            moved = sum(
                each.quantity * (1 if isinstance(each, Movement) or each.is_buy else -1)
                for each in story
                if each.symbol == symbol
            )
            assert book.quantity_of(symbol) == moved
        sales = [each for each in story if isinstance(each, Fill) and not each.is_buy]
        for sale in sales:
            parts = [c for c in book.closings.values() if c.fill_id == sale.fill_id]
            short = [
                lot for lot in book.lots.values() if lot.quantity < 0 and lot.acquired_at == sale.at
            ]
            assert sum(c.quantity for c in parts) <= sale.quantity
            if not short:
                worth = (sale.quantity * sale.price).quantize(CENT)
                assert sum(c.proceeds for c in parts) == worth
        for lot in book.lots.values():
            closed = [c for c in book.closings.values() if c.lot_id == lot.id and lot.quantity > 0]
            is_whole = not any(each.quantity < 0 for each in story)  # nothing was taken out
            if lot.cost is not None and lot.quantity > 0 and is_whole:
                assert lot.left + sum(c.basis for c in closed) == lot.cost

    @given(st.decimals("-9999", "9999", places=2), st.lists(quantities, min_size=1, max_size=9))
    def test_parts_make_up_the_whole(self, total, weights):
        parts = spread(total, weights, unit=CENT)

        assert sum(parts) == total
        assert all(part * total >= 0 for part in parts)


def test_a_book_goes_on_from_where_it_stood():
    chance = random.Random(7)
    story = sorted(
        (
            (buy if chance.random() < 0.6 else sell)(
                f"t{n}", n * 3, chance.randint(1, 9), chance.randint(80, 120)
            )
            for n in range(60)
        ),
        key=lambda each: each.key,
    )
    whole = fold(story)

    lots, closings = {}, {}
    for each in story:
        losses = [c for c in closings.values() if c.unmatched]
        book = Book([lot for lot in lots.values() if lot.remaining], losses)
        book.apply([each])
        lots |= book.lots
        closings |= book.closings
    gone_on = Book()
    gone_on.lots, gone_on.closings = lots, closings
    assert as_figures(gone_on) == as_figures(whole)
