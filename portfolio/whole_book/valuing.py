"""All accounts' figures, some accounts at a time, by the kernel that values the sockets' ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from portfolio.live.table import Lines
from portfolio.live.valuation import Cents, Mask, Valuer, is_believable, to_cents
from portfolio.whole_book.prices import BookPrices
from trading import selectors as trading

# What so many accounts hold takes about 150 MB while it is read.
ACCOUNTS_A_PART: Final = 100_000
_BEFORE_ALL: Final = UUID(int=0)


@dataclass(frozen=True, eq=False)
class ValuedPart:
    """
    Some accounts by id and what each is worth, in whole cents.

    A figure counts only where it is known: a total where the account `is_complete`, a return where
    `is_return_known` besides.
    """

    account_ids: NDArray[Any]
    totals: Cents
    returns: Cents
    cash: Cents
    is_complete: Mask
    is_return_known: Mask

    def __len__(self) -> int:
        return len(self.totals)


def value_parts(
    prices: BookPrices, *, since: datetime, accounts_a_part: int = ACCOUNTS_A_PART
) -> Iterator[ValuedPart]:
    """Value all accounts; `since` is when today began, and with it today's fills."""
    numbers, multipliers, after = prices.numbers, prices.multipliers, _BEFORE_ALL
    while True:
        part = trading.read_book(after=after, limit=accounts_a_part, since=since, numbers=numbers)
        if not len(part):
            return
        yield _valued(part, prices, multipliers)
        after = part.last


def _valued(
    part: trading.BookPart, prices: BookPrices, multipliers: NDArray[np.float64] | None
) -> ValuedPart:
    quantities, openings, spent = part.quantities, part.openings, part.spent
    if multipliers is not None:
        each = multipliers[part.numbers]
        quantities, openings, spent = quantities * each, openings * each, spent * each
    lines = Lines.of(
        cash=part.cash,
        starts=part.starts,
        numbers=part.numbers,
        quantities=quantities,
        openings=openings,
        spent=spent,
    )
    valuer = Valuer(lines, prices.vectors)
    valuer.update()
    figures = valuer.figures
    is_complete = ~(figures.is_incomplete | part.has_unlisted)
    is_complete &= is_believable(figures.totals)
    is_return_known = is_complete & ~figures.is_return_unknown & is_believable(figures.returns)
    cash = np.empty(len(part), dtype=np.int64)
    return ValuedPart(
        account_ids=part.account_ids,
        totals=figures.totals,
        returns=figures.returns,
        cash=to_cents(part.cash.copy(), out=cash),
        is_complete=is_complete,
        is_return_known=is_return_known,
    )
