"""Who holds how much of what: a sparse matrix of accounts by instruments, kept up to date."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from portfolio.live.holdings import Line

_FIRST_ROWS: Final = 64
_FIRST_LINES: Final = 1024
_LINE_VECTORS: Final = ("_numbers", "_quantities", "_openings", "_spent")
# So many rows have vectors that stay in a processor's cache between two operations on them.
ROWS_A_PART: Final = 16_384
# The index of instruments is written anew when so large a share of the lines is not in it.
_MOST_NOT_INDEXED: Final = 0.1

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


class Part:
    """Some rows of a table: a run of them, or chosen ones."""

    def __init__(self, lines: "Lines", rows: slice | Rows, count: int) -> None:
        self.rows = rows
        self._lines = lines
        self._count = count

    def __len__(self) -> int:
        return self._count

    def pieces(self) -> Iterator[tuple[slice, slice | Rows]]:
        """Go through it in pieces that stay in a cache: their places in it, and their rows."""
        for start in range(0, self._count, ROWS_A_PART):
            here = slice(start, min(start + ROWS_A_PART, self._count))
            if isinstance(self.rows, slice):
                first = self.rows.start
                yield here, slice(first + here.start, first + here.stop)
            else:
                yield here, self.rows[here]

    def quantities(self, width: int) -> csr_array:
        """Return what is held, for vectors of this width; rows times instruments, like the rest."""
        return self._lines.matrix("_quantities", self.rows, width)

    def openings(self, width: int) -> csr_array:
        """Return what was held at the last close."""
        return self._lines.matrix("_openings", self.rows, width)

    def spent(self, width: int) -> csr_array:
        """Return what today's fills have cost."""
        return self._lines.matrix("_spent", self.rows, width)


class Lines:
    """Rows of lines, with room at the end; a row's lines are in the order of their instruments."""

    def __init__(self) -> None:
        self.row_count = 0
        self.highest_number = 0
        self.generation = 0
        self.kept: Rows = np.zeros(0, dtype=np.intp)
        self._cash: Floats = np.zeros(_FIRST_ROWS)
        self._starts: Integers = np.zeros(_FIRST_ROWS + 1, dtype=np.int32)
        self._numbers: Integers = np.zeros(_FIRST_LINES, dtype=np.int32)
        self._quantities: Floats = np.zeros(_FIRST_LINES)
        self._openings: Floats = np.zeros(_FIRST_LINES)
        self._spent: Floats = np.zeros(_FIRST_LINES)
        self._holders: _Holders | None = None

    @classmethod
    def of(
        cls,
        *,
        cash: Floats,
        starts: Integers,
        numbers: Integers,
        quantities: Floats,
        openings: Floats,
        spent: Floats,
    ) -> Self:
        """Take over rows as they are; the lines of row n begin at `starts[n]`."""
        made = cls()
        made.row_count = len(cash)
        made.highest_number = int(numbers.max(initial=0))
        made._cash, made._starts, made._numbers = cash, starts, numbers
        made._quantities, made._openings, made._spent = quantities, openings, spent
        return made

    @property
    def line_count(self) -> int:
        """How many lines there are, empty ones included."""
        return int(self._starts[self.row_count])

    @property
    def cash(self) -> Floats:
        """Return the cash of every row."""
        return self._cash[: self.row_count]

    def parts(self, first: int = 0) -> Iterator[Part]:
        """Go through all rows from this one on."""
        for start in range(first, self.row_count, ROWS_A_PART):
            end = min(start + ROWS_A_PART, self.row_count)
            yield Part(self, slice(start, end), end - start)

    def whole(self, first: int = 0) -> Part:
        """Return all rows from this one on as one part, of which SciPy copies nothing."""
        return Part(self, slice(first, self.row_count), self.row_count - first)

    def parts_of(self, rows: Rows) -> Iterator[Part]:
        """Go through these rows."""
        for start in range(0, len(rows), ROWS_A_PART):
            some = rows[start : start + ROWS_A_PART]
            yield Part(self, some, len(some))

    def matrix(self, name: str, rows: slice | Rows, width: int) -> csr_array:
        """Show one of the vectors of lines as a matrix of some rows."""
        run = rows if isinstance(rows, slice) else slice(0, self.row_count)
        starts = self._starts[run.start : run.stop + 1]
        lines = slice(starts[0], starts[-1])
        where = self._numbers[lines], starts - starts[0] if run.start else starts
        shape = len(starts) - 1, width
        found = csr_array((getattr(self, name)[lines], *where), shape=shape, copy=False)
        return found if run is rows else found[rows]

    def rows_with(self, numbers: Rows, *, most: float) -> Rows | None:
        """
        List the rows that have one of these instruments, or nothing when they are too many.

        Too many are those that have more than the share `most` of all lines, or the instruments
        that are so large a share of all. Rows that have become empty may be among them.
        """
        numbers = numbers[numbers <= self.highest_number]
        if len(numbers) > most * (self.highest_number + 1):
            return None
        holders = self._indexed()
        limit = most * self.line_count
        if holders.count(numbers) > limit:
            return None
        is_touched = np.zeros(self.row_count, dtype=bool)
        holders.mark(numbers, is_touched)
        self._mark_not_indexed(numbers, is_touched, holders.line_count)
        rows = np.flatnonzero(is_touched)
        lengths = self._starts[rows + 1] - self._starts[rows]
        return None if int(lengths.sum()) > limit else rows

    def _mark_not_indexed(self, numbers: Rows, marks: Mask, first_line: int) -> None:
        """Go through the lines that are newer than the index."""
        is_wanted = np.zeros(self.highest_number + 1, dtype=bool)
        is_wanted[numbers] = True
        found = np.flatnonzero(is_wanted[self._numbers[first_line : self.line_count]])
        ends = self._starts[1 : self.row_count + 1]
        marks[np.searchsorted(ends, found + first_line, side="right")] = True

    def _indexed(self) -> "_Holders":
        """Return the index, written anew if it lacks too much."""
        found = self._holders
        if found is None or (
            self.line_count - found.line_count > _MOST_NOT_INDEXED * self.line_count
        ):
            found = _Holders(
                self._starts[: self.row_count + 1],
                self._numbers[: self.line_count],
                width=self.highest_number + 1,
            )
            self._holders = found
        return found


class HoldingsTable(Lines):
    """
    The accounts as rows.

    A changed account gets a new row at the end and leaves its old one empty, so that a change
    costs as much as the account is large and not as much as the table. When most rows are empty
    the table is packed: that makes another `generation`, of the rows `kept` of the one before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[UUID, int] = {}
        self._accounts: list[UUID | None] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def accounts(self) -> Sequence[UUID | None]:
        """Tell whose each row is; nobody's when it is empty."""
        return self._accounts

    def rows_of(self, account_ids: Iterable[UUID]) -> list[int | None]:
        """Tell each account's row, if it has one."""
        return list(map(self._rows.get, account_ids))

    def put(self, account_id: UUID, *, cash: float, lines: Sequence[Line]) -> None:
        """Set what an account holds."""
        self._empty(account_id)
        self._pack_if_wasteful()
        row, start = self.row_count, self.line_count
        self._reserve(row + 1, start + len(lines))
        end = start + len(lines)
        if lines:
            numbers, quantities, openings, spent = zip(*sorted(lines), strict=True)
            self._numbers[start:end] = numbers
            self._quantities[start:end] = quantities
            self._openings[start:end] = openings
            self._spent[start:end] = spent
            self.highest_number = max(self.highest_number, numbers[-1])
        self._starts[row + 1] = end
        self._cash[row] = cash
        self._accounts.append(account_id)
        self._rows[account_id] = row
        self.row_count += 1

    def drop(self, account_id: UUID) -> None:
        """Forget an account."""
        if self._empty(account_id):
            self._pack_if_wasteful()

    def begin_day(self, account_ids: Collection[UUID]) -> None:
        """Let what these accounts hold be what they held at the last close."""
        is_theirs = np.zeros(self.row_count, dtype=bool)
        is_theirs[[self._rows[account] for account in account_ids if account in self._rows]] = True
        lines = np.repeat(is_theirs, np.diff(self._starts[: self.row_count + 1]))
        places = np.flatnonzero(lines)
        self._openings[places] = self._quantities[places]
        self._spent[places] = 0
        self.generation += 1
        self.kept = np.zeros(0, dtype=np.intp)  # what was worked out before is of another day

    def _empty(self, account_id: UUID) -> bool:
        row = self._rows.pop(account_id, None)
        if row is None:
            return False
        lines = slice(self._starts[row], self._starts[row + 1])
        for values in (self._quantities, self._openings, self._spent):
            values[lines] = 0
        self._cash[row] = 0
        self._accounts[row] = None
        return True

    def _pack_if_wasteful(self) -> None:
        count = self.row_count
        if count < _FIRST_ROWS or len(self._rows) * 2 > count:
            return
        lengths = np.diff(self._starts[: count + 1])
        kept = np.array([account is not None for account in self._accounts], dtype=bool)
        kept_lines = np.repeat(kept, lengths)
        lines = len(kept_lines)
        for name in _LINE_VECTORS:
            values = getattr(self, name)
            packed = values[:lines][kept_lines]
            values[: len(packed)] = packed
        ends = np.cumsum(lengths[kept])
        self._cash[: len(ends)] = self._cash[:count][kept]
        self._starts[1 : len(ends) + 1] = ends
        self._accounts = [account for account in self._accounts if account is not None]
        self._rows = {account: row for row, account in enumerate(self._accounts) if account}
        self.row_count = len(self._accounts)
        self.generation += 1
        self.kept = np.flatnonzero(kept)
        self._holders = None

    def _reserve(self, rows: int, lines: int) -> None:
        if rows > len(self._cash):
            self._cash = _grown(self._cash, rows)
            self._starts = _grown(self._starts, rows + 1)
        if lines > len(self._numbers):
            for name in _LINE_VECTORS:
                setattr(self, name, _grown(getattr(self, name), lines))


class _Holders:
    """For each instrument the rows that have it, of as many rows as there were when it was made."""

    def __init__(self, starts: Integers, numbers: Integers, *, width: int) -> None:
        self.row_count = len(starts) - 1
        self.line_count = len(numbers)
        self._width = width
        here = np.ones(len(numbers), dtype=np.int8)
        by_row = csr_array((here, numbers, starts), shape=(self.row_count, width), copy=False)
        by_number = by_row.tocsc()
        self._starts, self._rows = by_number.indptr, by_number.indices

    def count(self, numbers: Rows) -> int:
        """Count the lines with these instruments."""
        known = numbers[numbers < self._width]
        return int((self._starts[known + 1] - self._starts[known]).sum())

    def mark(self, numbers: Rows, marks: Mask) -> None:
        """Mark the rows that have one of these instruments."""
        known = numbers[numbers < self._width]
        firsts = self._starts[known]
        lengths = self._starts[known + 1] - firsts
        ends = np.cumsum(lengths)
        if len(ends):
            places = np.arange(ends[-1]) + np.repeat(firsts - (ends - lengths), lengths)
            marks[self._rows[places]] = True


def _grown(values: NDArray[Any], least: int) -> NDArray[Any]:
    grown = np.zeros(max(least, 2 * len(values)), dtype=values.dtype)
    grown[: len(values)] = values
    return grown
