"""
What accounts are worth: one sparse product for all of them at once.

Floats live only in here; what leaves are whole cents, rounded half to even like all our money.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from portfolio.live.book import PriceVectors
from portfolio.live.holdings import HoldingsTable

Vector = NDArray[np.float64]
Cents = NDArray[np.int64]
Mask = NDArray[np.bool_]

# A tie such as 0.125 may come out of a product a hair off; it is put back before rounding.
_TIE_DECIMALS: Final = 6
# A return on nothing is no share of anything.
NO_PERCENT: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class Figures:
    """One entry per row of the table."""

    totals: Cents
    returns: Cents
    percents: Cents  # hundredths of a percent, or NO_PERCENT
    is_incomplete: Mask  # holds something without a price, which is not in the figures
    is_return_unknown: Mask  # a previous close is missing

    def differs_from(self, other: "Figures | None") -> NDArray[np.intp]:
        """List the rows that look different from before."""
        if other is None or len(other.totals) != len(self.totals):
            return np.arange(len(self.totals))
        return np.flatnonzero(
            (self.totals != other.totals)
            | (self.returns != other.returns)
            | (self.percents != other.percents)
            | (self.is_incomplete != other.is_incomplete)
            | (self.is_return_unknown != other.is_return_unknown)
        )


class Valuer:
    """Values a whole table; what changes rarely is kept between two frames."""

    def __init__(self, table: HoldingsTable, book: PriceVectors) -> None:
        self._table = table
        self._book = book
        self._versions = (-1, -1)
        self._base: Vector = np.zeros(0)
        self._incomplete: Mask = np.zeros(0, dtype=bool)
        self._unknown: Mask = np.zeros(0, dtype=bool)

    def figures(self) -> Figures:
        """Value every account at the prices known now."""
        table, book = self._table, self._book
        versions = (table.version, book.version)
        if versions != self._versions:
            self._refresh()
            self._versions = versions
        matrices = table.matrices(book.width)
        held = matrices.quantities @ book.prices
        totals = held + table.cash
        returns = held - self._base
        return Figures(
            totals=to_cents(totals),
            returns=to_cents(returns),
            percents=_percents(returns, totals),
            is_incomplete=self._incomplete,
            is_return_unknown=self._unknown,
        )

    def _refresh(self) -> None:
        """Work out what does not move with prices: opening values, spending, and what lacks."""
        book, matrices = self._book, self._table.matrices(self._book.width)
        priced = book.is_priced
        closes = np.where(priced, book.closes, 0.0)
        self._base = matrices.openings @ closes + matrices.spent @ priced.astype(float)
        self._incomplete = matrices.is_held @ (~priced).astype(float) > 0
        self._unknown = matrices.is_opened @ (priced & (book.closes == 0)).astype(float) > 0


def to_cents(dollars: Vector) -> Cents:
    """Round to whole cents, half to even."""
    return np.rint(np.round(dollars * 100, _TIE_DECIMALS)).astype(np.int64)


def _percents(returns: Vector, totals: Vector) -> Cents:
    """Relate a return to what the account was worth before it."""
    before = totals - returns
    shares = np.divide(returns, before, out=np.zeros_like(returns), where=before > 0)
    percents = np.rint(np.round(shares * 10_000, _TIE_DECIMALS)).astype(np.int64)
    percents[(before <= 0) & (np.round(returns, _TIE_DECIMALS) != 0)] = NO_PERCENT
    return percents
