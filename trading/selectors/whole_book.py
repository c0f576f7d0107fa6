"""Everything that all accounts hold, in vectors: for what looks at the whole book at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from core.auth import SYSTEM, acting_as
from core.db import fixed_rows
from trading.selectors import today

_COLUMNS: Final = {
    "account": "uuid",
    "place": "int4",
    "number": "int4",
    "quantity": "float8",
    "opening": "float8",
    "spent": "float8",
}
# Stand where a line has the number of its instrument.
_IS_CASH: Final = -1
_IS_UNLISTED: Final = -2
# One statement, so that the cash and the positions of an account are of the same moment.
_QUERY: Final = """
    WITH book AS MATERIALIZED (
        SELECT account_id, (row_number() OVER (ORDER BY account_id) - 1)::int4 AS place, cash
          FROM (SELECT account_id, cash FROM trading_cashbalance
                 WHERE account_id > %(after)s ORDER BY account_id LIMIT %(limit)s) AS page
    ), last AS MATERIALIZED (
        SELECT account_id FROM book ORDER BY place DESC LIMIT 1
    ), listed AS MATERIALIZED (
        SELECT symbol, number
          FROM unnest(%(symbols)s::text[], %(numbers)s::int4[]) AS l (symbol, number)
    ), traded AS MATERIALIZED (
        SELECT account_id, symbol, sum(quantity) AS quantity, sum(spent) AS spent
          FROM ({changes}) AS today
         WHERE account_id > %(after)s AND account_id <= (SELECT account_id FROM last)
         GROUP BY account_id, symbol
    ), held AS (
        SELECT account_id, symbol, quantity FROM trading_position
         WHERE account_id > %(after)s AND account_id <= (SELECT account_id FROM last)
    )
    SELECT account_id, place, %(is_cash)s::int4, cash::float8, 0::float8, 0::float8 FROM book
     UNION ALL
    SELECT account_id, place, coalesce(number, %(is_unlisted)s::int4),
           coalesce(held.quantity, 0)::float8,
           (coalesce(held.quantity, 0) - coalesce(traded.quantity, 0))::float8,
           coalesce(traded.spent, 0)::float8
      FROM held FULL JOIN traded USING (account_id, symbol)
      JOIN book USING (account_id)
      LEFT JOIN listed USING (symbol)
"""


@dataclass(frozen=True, eq=False)
class BookPart:
    """
    Some accounts, by id, and what each holds: the lines of account n begin at `starts[n]`.

    A line has an instrument's number, the quantity held, the quantity before today's fills, and
    what these have cost on balance. What belongs to no known instrument is not among the lines;
    `has_unlisted` marks whoever holds such a thing.
    """

    account_ids: NDArray[Any]
    cash: NDArray[np.float64]
    starts: NDArray[np.int32]
    numbers: NDArray[np.int32]
    quantities: NDArray[np.float64]
    openings: NDArray[np.float64]
    spent: NDArray[np.float64]
    has_unlisted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cash)

    @property
    def last(self) -> UUID:
        """The last account's id, after which the next part begins."""
        return UUID(bytes=self.account_ids[-1].tobytes())


def list_book_symbols(*, since: datetime) -> list[str]:
    """List every symbol that some account holds, or has traded since a moment."""
    with acting_as(SYSTEM), connection.cursor() as cursor:
        cursor.execute(
            "SELECT symbol FROM trading_position"
            " UNION SELECT symbol FROM trading_execution WHERE at >= %s AND NOT is_busted"
            " UNION SELECT symbol FROM trading_sharemovement WHERE at >= %s AND kind = ANY(%s)",
            [since, today.dated(since), [kind.value for kind in today.BY_THE_COMPANY]],
        )
        return sorted(symbol for (symbol,) in cursor.fetchall())


def read_book(*, after: UUID, limit: int, since: datetime, numbers: Mapping[str, int]) -> BookPart:
    """
    Read what the next accounts hold, in the order of their ids, and what they have traded since.

    An account that the broker was never asked about is not among them: nobody knows its cash.
    """
    values = {
        "after": after,
        "limit": limit,
        **today.parameters_of(since),
        "symbols": list(numbers),
        "numbers": list(numbers.values()),
        "is_cash": _IS_CASH,
        "is_unlisted": _IS_UNLISTED,
    }
    with acting_as(SYSTEM), fixed_rows.large_joins():
        rows = fixed_rows.read_rows(_QUERY.format(changes=today.CHANGES), values, _COLUMNS)
    return _part(**rows)


def _part(
    *,
    account: NDArray[Any],
    place: NDArray[np.int32],
    number: NDArray[np.int32],
    quantity: NDArray[np.float64],
    opening: NDArray[np.float64],
    spent: NDArray[np.float64],
) -> BookPart:
    """Put cash, lines and what has no instrument apart, and the lines in order."""
    is_cash = number == _IS_CASH
    count = int(is_cash.sum())
    account_ids, cash = np.zeros(count, dtype="V16"), np.zeros(count)
    account_ids[place[is_cash]] = account[is_cash]
    cash[place[is_cash]] = quantity[is_cash]
    has_unlisted = np.zeros(count, dtype=bool)
    has_unlisted[place[(number == _IS_UNLISTED) & (quantity != 0)]] = True
    lines = np.flatnonzero(number >= 0)
    keys = place[lines].astype(np.int64) << 32 | number[lines]
    lines = lines[np.argsort(keys)]
    starts = np.zeros(count + 1, dtype=np.int32)
    np.cumsum(np.bincount(place[lines], minlength=count), out=starts[1:])
    return BookPart(
        account_ids=account_ids,
        cash=cash,
        starts=starts,
        numbers=number[lines],
        quantities=quantity[lines],
        openings=opening[lines],
        spent=spent[lines],
        has_unlisted=has_unlisted,
    )
