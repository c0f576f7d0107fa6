"""
What accounts are worth: a sparse product, of all rows or of those that something has moved.

Floats live only in here; what leaves are whole cents, rounded half to even like all our money.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from portfolio.live.book import PriceVectors
from portfolio.live.table import ROWS_A_PART, Floats, Lines, Part, Rows

Cents = NDArray[np.int64]
Mask = NDArray[np.bool_]

# A tie such as 0.125 may come out of a product a hair off; at so many places of a cent it is put
# back before rounding. From some ten million dollars on, floats are too coarse to tell that it was
# one: then half a cent may be rounded either way.
_PLACES_OF_A_CENT: Final = 2.0**20  # of two, so that it can be undone by a product
# A return on nothing is no share of anything.
NO_PERCENT: Final = np.iinfo(np.int64).min
# More than `Money` can hold is nobody's wealth but a mistake somewhere.
_BEYOND_CENTS: Final = 10**17
# Copying the lines of chosen rows costs more a line than multiplying all as they lie.
MOST_TOUCHED: Final = 0.25


def _no_cents() -> Cents:
    return np.zeros(0, dtype=np.int64)


def _no_mask() -> Mask:
    return np.zeros(0, dtype=bool)


@dataclass(eq=False)
class Figures:
    """One entry per row of the table, brought up to date in place; an empty row's is noise."""

    totals: Cents = field(default_factory=_no_cents)
    returns: Cents = field(default_factory=_no_cents)
    is_incomplete: Mask = field(default_factory=_no_mask)  # holds something without a price
    is_return_unknown: Mask = field(default_factory=_no_mask)  # a previous close is missing

    @property
    def vectors(self) -> tuple[NDArray[Any], ...]:
        """Go through all of them alike."""
        return self.totals, self.returns, self.is_incomplete, self.is_return_unknown

    def are_absurd(self, rows: Rows | slice) -> Mask:
        """Mark the rows with figures that no account has."""
        return ~(is_believable(self.totals[rows]) & is_believable(self.returns[rows]))

    def percents_of(self, rows: Rows | slice) -> Cents:
        """Return some rows' returns in hundredths of a percent, or NO_PERCENT; see `percents`."""
        return percents(self.returns[rows], self.totals[rows])


class Valuer:
    """Values a table; what changes rarely is kept between two frames."""

    def __init__(
        self, table: Lines, book: PriceVectors, *, most_touched: float = MOST_TOUCHED
    ) -> None:
        self.figures = Figures()
        self._most_touched = most_touched
        self._table = table
        self._book = book
        self._seen_version = 0
        self._seen_rows = 0
        self._seen_generation = 0
        self._room = Figures()
        self._bases: Floats = np.zeros(0)  # opening values and what was spent
        self._every: Rows = np.zeros(0, dtype=np.intp)  # the numbers of all rows
        self._work: Floats = np.empty(ROWS_A_PART)
        self._cents: Cents = np.empty(ROWS_A_PART, dtype=np.int64)

    def update(self) -> Rows:
        """
        Bring the figures up to date with table and prices, and list the rows that look different.

        Only rows are valued that are new or have something in them that moved, unless these are so
        many that all of them take less time.
        """
        table, book, since = self._table, self._book, self._seen_version
        book.make_room(table.highest_number)
        first = self._follow_table()
        is_changed = np.zeros(table.row_count, dtype=bool)
        is_changed[first:] = True
        known = _Known(book)
        for part in table.parts(first):
            self._reset(part, known, is_changed)
        self._value(table.whole(first), is_changed)
        if first and book.version != since:
            rows = self._with_any(book.reset_since(since))
            for part in table.parts() if rows is None else table.parts_of(rows):
                self._reset(part, known, is_changed)
                self._value(part, is_changed)
            rows = self._with_any(book.moved_since(since))
            for part in [table.whole()] if rows is None else table.parts_of(rows):
                self._value(part, is_changed)
            self._note_flagged(book.flagged_since(since), is_changed)
        self._seen_version, self._seen_rows = book.version, table.row_count
        # When all of them do, as at the open, they need not be listed anew each time.
        return self._every[: len(is_changed)] if is_changed.all() else np.flatnonzero(is_changed)

    def _follow_table(self) -> int:
        """Make room for all rows, follow those that were moved, and return the first new one."""
        table, count = self._table, self._table.row_count
        if count > len(self._bases):
            self._grow(max(count, 2 * len(self._bases)))
        if table.generation == self._seen_generation + 1:
            kept = table.kept[table.kept < self._seen_rows]
            for values in (self._bases, *self._room.vectors):
                values[: len(kept)] = values[kept]
            self._seen_rows = len(kept)
        elif table.generation != self._seen_generation:
            self._seen_rows = 0
        self._seen_generation = table.generation
        self.figures = Figures(*(values[:count] for values in self._room.vectors))
        return self._seen_rows

    def _grow(self, rows: int) -> None:
        self._bases = np.concatenate([self._bases, np.zeros(rows - len(self._bases))])
        self._every = np.arange(rows)
        self._every.flags.writeable = False
        room = Figures(
            totals=np.zeros(rows, dtype=np.int64),
            returns=np.zeros(rows, dtype=np.int64),
            is_incomplete=np.zeros(rows, dtype=bool),
            is_return_unknown=np.zeros(rows, dtype=bool),
        )
        for new, old in zip(room.vectors, self._room.vectors, strict=True):
            new[: len(old)] = old
        self._room = room

    def _with_any(self, numbers: Rows) -> Rows | None:
        """List the rows that have one of these instruments; nothing stands for all of them."""
        if not len(numbers):
            return np.zeros(0, dtype=np.intp)
        return self._table.rows_with(numbers, most=self._most_touched)

    def _note_flagged(self, numbers: Rows, is_changed: Mask) -> None:
        """Have it told, too, when only something else is wrong with a price."""
        if len(numbers):
            rows = self._table.rows_with(numbers, most=1.0)
            is_changed[slice(None) if rows is None else rows] = True

    def _reset(self, part: Part, known: "_Known", is_changed: Mask) -> None:
        """
        Work out what does not move with prices: opening values, spending, and what lacks.

        Of what is held no longer, today's part is known without a price.
        """
        rows, width, figures = part.rows, self._book.width, self.figures
        quantities, openings = part.quantities(width), part.openings(width)
        counts = known.is_priced[quantities.indices] | (quantities.data == 0)
        spent = _with(quantities, part.spent(width).data * counts) @ known.ones
        self._bases[rows] = _with(quantities, openings.data * counts) @ self._book.closes + spent
        for kept, found in (
            (figures.is_incomplete, _has_any(quantities, quantities.data != 0, known.is_unpriced)),
            (
                figures.is_return_unknown,
                _has_any(openings, (openings.data != 0) & counts, known.is_closeless),
            ),
        ):
            is_changed[rows] |= kept[rows] != found
            kept[rows] = found

    def _value(self, part: Part, is_changed: Mask) -> None:
        """Value some rows at the prices known now."""
        # In one go: of a run of a larger matrix SciPy copies all lines first.
        product: Floats = part.quantities(self._book.width) @ self._book.prices
        for here, rows in part.pieces():
            held = product[here]
            totals = np.add(held, self._table.cash[rows], out=self._work[: len(held)])
            self._keep(totals, self.figures.totals, rows, is_changed)
            returns = np.subtract(held, self._bases[rows], out=held)
            self._keep(returns, self.figures.returns, rows, is_changed)

    def _keep(self, dollars: Floats, kept: Cents, rows: Rows | slice, is_changed: Mask) -> None:
        cents = to_cents(dollars, out=self._cents[: len(dollars)])
        is_changed[rows] |= kept[rows] != cents
        kept[rows] = cents


class _Known:
    """What rows are reset by, made when the first of them asks."""

    def __init__(self, book: PriceVectors) -> None:
        self._book = book

    @cached_property
    def is_priced(self) -> Mask:
        return self._book.is_priced

    @cached_property
    def ones(self) -> Floats:
        return np.ones(self._book.width)

    @cached_property
    def is_unpriced(self) -> Floats:
        is_unpriced: Mask = ~self._book.is_priced
        return is_unpriced.astype(np.float64)

    @cached_property
    def is_closeless(self) -> Floats:
        is_closeless: Mask = self._book.closes == 0
        return is_closeless.astype(np.float64)


def _with(matrix: csr_array, values: Floats) -> csr_array:
    """Put other values in the places of a matrix."""
    where = values, matrix.indices, matrix.indptr
    return csr_array(where, shape=matrix.shape, copy=False)


def _has_any(matrix: csr_array, is_there: Mask, marks: Floats) -> Mask:
    """Say of each row whether anything of it that is there is a marked instrument's."""
    found: Mask = _with(matrix, is_there.astype(np.float64)) @ marks > 0
    return found


def to_cents(dollars: Floats, *, out: Cents) -> Cents:
    """Round to whole cents, half to even. What it reads is overwritten."""
    np.multiply(dollars, 100 * _PLACES_OF_A_CENT, out=dollars)
    np.rint(dollars, out=dollars)
    np.multiply(dollars, 1 / _PLACES_OF_A_CENT, out=dollars)
    np.rint(dollars, out=dollars)
    with np.errstate(invalid="ignore"):  # what does not fit becomes a number that is not believed
        np.copyto(out, dollars, casting="unsafe")
    return out


def is_believable(cents: Cents) -> Mask:
    """Mark the amounts that `Money` can hold."""
    found: Mask = (cents > -_BEYOND_CENTS) & (cents < _BEYOND_CENTS)
    return found


def percents(returns: Cents, totals: Cents) -> Cents:
    """
    Relate returns to what accounts were worth before, in hundredths of a percent.

    What is shown beside each other agrees: these are made of the cents that are shown.
    """
    before = totals - returns
    shares = np.divide(returns * 10_000.0, before, out=np.zeros(len(returns)), where=before > 0)
    with np.errstate(invalid="ignore"):
        found: Cents = np.rint(shares).astype(np.int64)
    found[(before <= 0) & (returns != 0)] = NO_PERCENT
    return found
