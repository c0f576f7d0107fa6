"""Questions about what has changed holdings since a day began, so that its return is right."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.auth import SYSTEM, Principal, acting_as
from market.facts import NEW_YORK
from trading.selectors.holdings import Holding, Holdings, Traded
from trading.states import MovementKind

ZERO = Decimal(0)
# What a company does to its shares moves their number and their price against each other. Shares
# that come from elsewhere, or that we have always had, count as if they had been here all day.
BY_THE_COMPANY: Final = (
    MovementKind.SPLIT,
    MovementKind.STOCK_DIVIDEND,
    MovementKind.SPIN_OFF,
    MovementKind.CASH_IN_LIEU,
)
# One row for each change; the names in it are those of `parameters_of`. Part of a statement for
# one reader, and of another for all accounts at once, so that both count the same.
CHANGES: Final = """
    SELECT account_id, symbol, quantity, quantity * price AS spent
      FROM (SELECT account_id, symbol, price,
                   CASE WHEN side = 'BUY' THEN quantity ELSE -quantity END AS quantity
              FROM trading_execution WHERE at >= %(since)s AND NOT is_busted) AS fill
     UNION ALL
    SELECT account_id, symbol, quantity,
           CASE WHEN kind = 'CASH_IN_LIEU' THEN -coalesce(cost, 0) ELSE 0 END
      FROM trading_sharemovement
     WHERE (at >= %(since)s OR at = %(dated)s) AND NOT is_void AND kind = ANY(%(kinds)s)
"""
_CHANGES_OF: Final = """
    SELECT account_id, symbol, sum(quantity), sum(spent) FROM ({changes}) AS change
     WHERE account_id = ANY(%(accounts)s)
     GROUP BY account_id, symbol
"""
# One statement: a fill that is booked meanwhile is in all of it, or in nothing. And no objects of
# rows, since a process reads thousands of accounts when its clients come back.
_HELD_AND_CHANGED: Final = """
    SELECT c.account_id, FALSE, c.cash, p.symbol, p.quantity, p.average_entry_price,
           CASE WHEN c.fetched_at >= %(since)s THEN p.previous_close END
      FROM trading_cashbalance c
      LEFT JOIN trading_position p ON p.account_id = c.account_id
     WHERE c.account_id = ANY(%(accounts)s)
     UNION ALL
    SELECT account_id, TRUE, NULL, symbol, sum(quantity), sum(spent), NULL
      FROM ({changes}) AS change
     WHERE account_id = ANY(%(accounts)s)
     GROUP BY account_id, symbol
"""


def holdings_today(
    *, account_ids: Iterable[UUID], since: datetime
) -> tuple[dict[UUID, Holdings], dict[UUID, dict[str, Traded]]]:
    """
    Read what many accounts hold and what has changed that today, as of one moment.

    Those never read from the broker hold nothing that is known. The caller is acting as somebody
    who may see them; of the changes see `changed_since`.
    """
    values = parameters_of(since) | {"accounts": list(account_ids)}
    with connection.cursor() as cursor:
        cursor.execute(_HELD_AND_CHANGED.format(changes=CHANGES), values)
        rows = cursor.fetchall()
    held: dict[UUID, tuple[Decimal, list[Holding]]] = {}
    changed: dict[UUID, dict[str, Traded]] = defaultdict(dict)
    for account_id, is_change, cash, symbol, quantity, amount, close in rows:
        if is_change:
            changed[account_id][symbol] = Traded(quantity=quantity, spent=amount)
            continue
        _, positions = held.setdefault(account_id, (cash, []))
        if symbol is not None:
            positions.append(Holding(symbol, quantity, amount, close))
    return {account_id: Holdings(*told) for account_id, told in held.items()}, dict(changed)


def changed_since(
    *, account_ids: Iterable[UUID], since: datetime, principal: Principal = SYSTEM
) -> dict[UUID, dict[str, Traded]]:
    """
    Add up what came and went since a day began, by account and symbol, and what was paid for it.

    Besides what was traded these are the shares that splits, dividends in shares and spin-offs have
    given and taken: then what is held less what has changed is what was held before, in the shares
    of that time, whose close is known. A fraction that is paid out is as good as sold.
    """
    values = parameters_of(since) | {"accounts": list(account_ids)}
    with acting_as(principal), connection.cursor() as cursor:
        cursor.execute(_CHANGES_OF.format(changes=CHANGES), values)
        rows = cursor.fetchall()
    changed: dict[UUID, dict[str, Traded]] = defaultdict(dict)
    for account_id, symbol, quantity, spent in rows:
        changed[account_id][symbol] = Traded(quantity=quantity, spent=spent)
    return dict(changed)


def parameters_of(since: datetime) -> dict[str, Any]:
    """Name what `CHANGES` asks for."""
    kinds = [kind.value for kind in BY_THE_COMPANY]
    return {"since": since, "dated": dated(since), "kinds": kinds}


def dated(since: datetime) -> datetime:
    """
    Return the time that a movement of this day has when the broker's books name its date alone.

    It is written down as midnight UTC, which is in the evening before.
    """
    return datetime.combine(since.astimezone(NEW_YORK).date(), time(), tzinfo=UTC)
