"""Who holds how much of what: a sparse matrix of accounts by instruments, kept up to date."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_FIRST_ROWS: Final = 64
_FIRST_LINES: Final = 1024


class Line(NamedTuple):
    """
    One instrument in an account, in floats for the kernel.

    `opening` is the quantity at the last close and `spent` what today's fills have cost on
    balance, so that `quantity * price - opening * close - spent` is today's return.
    """

    number: int
    quantity: float
    opening: float
    spent: float


@dataclass(frozen=True, slots=True)
class Position:
    """One holding, exactly, as shown to the customer."""

    symbol: str
    number: int | None
    quantity: Decimal
    average_entry_price: Decimal
    opening_quantity: Decimal
    spent_today: Decimal
    previous_close: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AccountHoldings:
    """
    All of one account. `cash` is unknown until the broker was read once.

    What was sold out today is in it too, with quantity zero: it belongs to today's return.
    """

    account_id: UUID
    cash: Decimal | None
    positions: Sequence[Position] = ()

    def lines(self) -> list[Line]:
        """Write the positions for the kernel; one of an unknown instrument has no place there."""
        return [
            Line(p.number, float(p.quantity), float(p.opening_quantity), float(p.spent_today))
            for p in self.positions
            if p.number is not None
        ]

    def unlisted(self) -> list[str]:
        """Name the symbols that have no instrument, and so never a price."""
        return [p.symbol for p in self.positions if p.number is None and p.quantity]


class HoldingsTable:
    """
    The accounts as rows.

    A changed account gets a new row at the end and leaves its old one empty, so that a change
    costs as much as the account is large and not as much as the table. When most rows are empty
    the table is packed. `version` grows with every change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._rows: dict[UUID, int] = {}
        self._accounts: list[UUID | None] = []
        self._cash = np.zeros(_FIRST_ROWS)
        self._starts = np.zeros(_FIRST_ROWS + 1, dtype=np.int32)
        self._numbers = np.zeros(_FIRST_LINES, dtype=np.int32)
        self._quantities = np.zeros(_FIRST_LINES)
        self._openings = np.zeros(_FIRST_LINES)
        self._spent = np.zeros(_FIRST_LINES)
        self._matrices: Matrices | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def accounts(self) -> Sequence[UUID | None]:
        """Tell whose each row is; nobody's when it is empty."""
        return self._accounts

    @property
    def cash(self) -> NDArray[np.float64]:
        """Return the cash of every row."""
        return self._cash[: len(self._accounts)]

    @property
    def line_count(self) -> int:
        """How many entries the matrix has, empty ones included."""
        return int(self._starts[len(self._accounts)])

    def row_of(self, account_id: UUID) -> int | None:
        """Tell an account's row, if it has one."""
        return self._rows.get(account_id)

    def put(self, account_id: UUID, *, cash: float, lines: Sequence[Line]) -> None:
        """Set what an account holds."""
        self._empty(account_id)
        self._pack_if_wasteful()
        row, start = len(self._accounts), self.line_count
        self._reserve(row + 1, start + len(lines))
        end = start + len(lines)
        if lines:
            numbers, quantities, openings, spent = zip(*sorted(lines), strict=True)
            self._numbers[start:end] = numbers
            self._quantities[start:end] = quantities
            self._openings[start:end] = openings
            self._spent[start:end] = spent
        self._starts[row + 1] = end
        self._cash[row] = cash
        self._accounts.append(account_id)
        self._rows[account_id] = row
        self._changed()

    def drop(self, account_id: UUID) -> None:
        """Forget an account."""
        if self._empty(account_id):
            self._pack_if_wasteful()
            self._changed()

    def matrices(self, width: int) -> "Matrices":
        """Return the matrices for price vectors of this width; they are views, not copies."""
        if self._matrices is None or self._matrices.width != width:
            count, lines = len(self._accounts), self.line_count
            where = self._numbers[:lines], self._starts[: count + 1]

            def matrix(data: NDArray[np.float64]) -> csr_array:
                return csr_array((data[:lines], *where), shape=(count, width), copy=False)

            held = (self._quantities[:lines] != 0).astype(float)
            opened = (self._openings[:lines] != 0).astype(float)
            self._matrices = Matrices(
                width=width,
                quantities=matrix(self._quantities),
                openings=matrix(self._openings),
                spent=matrix(self._spent),
                is_held=matrix(held),
                is_opened=matrix(opened),
            )
        return self._matrices

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
        count = len(self._accounts)
        if count < _FIRST_ROWS or len(self._rows) * 2 > count:
            return
        lengths = np.diff(self._starts[: count + 1])
        kept = np.array([account is not None for account in self._accounts], dtype=bool)
        kept_lines = np.repeat(kept, lengths)
        lines = len(kept_lines)
        for name in ("_numbers", "_quantities", "_openings", "_spent"):
            values = getattr(self, name)
            packed = values[:lines][kept_lines]
            values[: len(packed)] = packed
        ends = np.cumsum(lengths[kept])
        self._cash[: len(ends)] = self._cash[:count][kept]
        self._starts[1 : len(ends) + 1] = ends
        self._accounts = [account for account in self._accounts if account is not None]
        self._rows = {account: row for row, account in enumerate(self._accounts) if account}

    def _reserve(self, rows: int, lines: int) -> None:
        if rows > len(self._cash):
            self._cash = _grown(self._cash, rows)
            self._starts = _grown(self._starts, rows + 1)
        if lines > len(self._numbers):
            for name in ("_numbers", "_quantities", "_openings", "_spent"):
                setattr(self, name, _grown(getattr(self, name), lines))

    def _changed(self) -> None:
        self.version += 1
        self._matrices = None


@dataclass(frozen=True, eq=False)
class Matrices:
    """Accounts by instruments, five times with the same places."""

    width: int
    quantities: csr_array
    openings: csr_array
    spent: csr_array
    is_held: csr_array
    is_opened: csr_array


def _grown(values: NDArray[Any], least: int) -> NDArray[Any]:
    grown = np.zeros(max(least, 2 * len(values)), dtype=values.dtype)
    grown[: len(values)] = values
    return grown
