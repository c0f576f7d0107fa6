"""Writing what accounts were worth, many rows at once."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np
from django.db import connection

from accounts.states import ACCOUNT_CLOSED
from core.auth import SYSTEM, acting_as
from core.db import fixed_rows
from core.db.columns import BEYOND
from portfolio.live.book import Stamp
from portfolio.models import Valuation
from portfolio.states import Kind, Source
from portfolio.whole_book.valuing import ValuedPart

_COLUMNS: Final = {
    "account": "uuid",
    "total": "int8",
    "day_return": "int8",
    "cash": "int8",
    "is_complete": "bool",
    "is_return_known": "bool",
}
_MAKE: Final = """
    CREATE TEMPORARY TABLE portfolio_valued (
        account uuid, total int8, day_return int8, cash int8,
        is_complete bool, is_return_known bool
    )
"""
# What no column holds must not keep everybody else from being written.
_BEYOND_CENTS: Final = int(BEYOND) * 100
# A day's row is written once; only one that lacked something may be made complete afterwards. A
# closed account in which nothing is left, and nothing was earned that day, has no value to keep.
_KEEP: Final = """
    INSERT INTO portfolio_valuation AS kept (
        user_id, account_id, kind, day, at, total_value, cash, day_return, is_complete,
        as_of, epoch, seq, source
    )
    SELECT owner.user_id, owner.id, %(kind)s, %(day)s, %(at)s,
           CASE WHEN told.is_complete THEN told.total * 0.01 END,
           told.cash * 0.01,
           CASE WHEN told.is_return_known THEN told.day_return * 0.01 END,
           told.is_complete, %(as_of)s, %(epoch)s, %(seq)s, %(source)s
      FROM portfolio_valued AS told
      JOIN {accounts} AS owner ON owner.id = told.account
     WHERE abs(told.cash) < %(beyond)s
       AND NOT (owner.vendor_status = %(closed)s AND told.is_complete AND told.is_return_known
                AND told.total = 0 AND told.cash = 0 AND told.day_return = 0)
    ON CONFLICT (account_id, day, kind) DO UPDATE
       SET at = EXCLUDED.at, total_value = EXCLUDED.total_value, cash = EXCLUDED.cash,
           day_return = EXCLUDED.day_return, is_complete = EXCLUDED.is_complete,
           as_of = EXCLUDED.as_of, epoch = EXCLUDED.epoch, seq = EXCLUDED.seq,
           source = EXCLUDED.source
     WHERE NOT kept.is_complete AND EXCLUDED.is_complete
"""


@dataclass(frozen=True)
class Occasion:
    """Of which day the values are, when they were made, and by which prices."""

    day: date
    at: datetime
    stamp: Stamp
    source: Source
    kind: Kind = Kind.CLOSE


def keep(part: ValuedPart, occasion: Occasion) -> int:
    """Write the rows that are new, or complete at last, and say how many these are."""
    vectors = {
        "account": part.account_ids,
        "total": np.where(part.is_complete, part.totals, 0),
        "day_return": np.where(part.is_return_known, part.returns, 0),
        "cash": part.cash,
        "is_complete": part.is_complete,
        "is_return_known": part.is_return_known,
    }
    accounts = Valuation._meta.get_field("account").related_model._meta.db_table  # noqa: SLF001 - Django documents it
    stamp = occasion.stamp
    with acting_as(SYSTEM), fixed_rows.large_joins(), connection.cursor() as cursor:
        cursor.execute(_MAKE)
        fixed_rows.write_rows("portfolio_valued", _COLUMNS, vectors)
        cursor.execute(
            _KEEP.format(accounts=connection.ops.quote_name(accounts)),
            {
                "kind": occasion.kind,
                "day": occasion.day,
                "at": occasion.at,
                "as_of": stamp.as_of,
                "epoch": str(stamp.epoch),
                "seq": stamp.seq,
                "source": occasion.source,
                "beyond": _BEYOND_CENTS,
                "closed": ACCOUNT_CLOSED,
            },
        )
        count = int(cursor.rowcount)
        cursor.execute("DROP TABLE portfolio_valued")
        return count
