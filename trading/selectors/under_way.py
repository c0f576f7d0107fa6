"""What an account holds, has under way and may do: one statement, as every order waits for it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from ledger import selectors as ledger
from trading.models import RISK_REFUSED, columns_of
from trading.risk import Rival
from trading.selectors import switches
from trading.states import TERMINAL, OrderClass, OrderType
from trading.tickets import Ticket

NEW_YORK: Final = ZoneInfo("America/New_York")
# The conditions of the first part are those of the indexes: today's orders, those that work, and
# those that reserve something.
_SQL: Final = f"""
WITH book AS (
    SELECT id, symbol, side, order_type, order_class, limit_price, created_at, reason_code,
           reserved_cash, reserved_quantity, source = 'BROKER' AS is_exit,
           NOT (state IN ('REJECTED', 'CANCELED')) AS has_effect,
           NOT (state IN ('REJECTED', 'CANCELED'))
               AND NOT (state = 'ACCEPTED' AND vendor_status = ANY(%(ended)s)) AS works,
           coalesce(value, 0) AS worth,
           coalesce(filled_quantity * average_price, 0) AS traded,
           created_at >= %(midnight)s AS is_todays,
           (symbol, side, quantity, notional, order_type, limit_price, stop_price, trail_price,
            trail_percent, time_in_force, extended_hours, order_class, take_profit_price,
            stop_loss_price, stop_loss_limit_price, after_hours, lot_choices)
           IS NOT DISTINCT FROM
           (%(symbol)s, %(side)s, %(quantity)s, %(notional)s, %(order_type)s, %(limit_price)s,
            %(stop_price)s, %(trail_price)s, %(trail_percent)s, %(time_in_force)s,
            %(extended_hours)s, %(order_class)s, %(take_profit_price)s, %(stop_loss_price)s,
            %(stop_loss_limit_price)s, %(after_hours)s, %(lots)s::jsonb) AS is_same
      FROM trading_order
     WHERE account_id = %(account_id)s AND id IS DISTINCT FROM %(released_id)s
       AND (created_at >= %(midnight)s
            OR (NOT (state IN ('REJECTED', 'CANCELED'))
                AND NOT (state = 'ACCEPTED' AND vendor_status = ANY(%(ended)s)))
            OR reserved_cash > 0 OR reserved_quantity > 0)
), orders AS (
    SELECT coalesce(sum(reserved_cash), 0) AS reserved_cash,
           coalesce(sum(reserved_quantity) FILTER (
               WHERE symbol = %(symbol)s AND side = 'SELL'), 0) AS reserved_quantity,
           count(*) FILTER (WHERE works AND NOT is_exit) AS open_orders,
           count(*) FILTER (
               WHERE is_todays AND NOT is_exit AND reason_code <> %(refused)s) AS day_orders,
           coalesce(sum(CASE WHEN works THEN greatest(worth, traded) ELSE traded END) FILTER (
               WHERE is_todays), 0)
               + coalesce((SELECT filled_quantity * average_price FROM trading_order
                            WHERE id = %(released_id)s AND created_at >= %(midnight)s), 0)
               AS day_notional,
           coalesce(sum(greatest(worth - traded, 0)) FILTER (
               WHERE works AND symbol = %(symbol)s AND side = 'BUY'), 0) AS opening_value,
           count(*) FILTER (
               WHERE is_same AND has_effect AND NOT is_exit AND %(minds_twins)s
                 AND created_at > clera_now() - %(guard)s * interval '1 second') AS twins,
           coalesce(json_agg(json_build_array(
               id, order_type, order_class, limit_price::text, is_exit)) FILTER (
               WHERE works AND symbol = %(symbol)s AND side <> %(side)s), '[]')::text AS rivals
      FROM book
), shares AS (
    SELECT coalesce(sum(quantity) FILTER (WHERE symbol = %(symbol)s), 0) AS held,
           coalesce(sum(available_quantity) FILTER (WHERE symbol = %(symbol)s), 0) AS free,
           coalesce(sum(quantity * coalesce(previous_close, average_entry_price)) FILTER (
               WHERE symbol <> %(symbol)s), 0) AS others_worth
      FROM trading_position WHERE account_id = %(account_id)s
)
SELECT orders.*, shares.*, balance.cash, balance.buying_power,
       known.available AS ledger_available, known.is_complete AS is_ledger_complete,
       ({switches.STANDING}) AS halt_reason,
       (SELECT coalesce(json_agg(set_by_staff), '[]')::text
          FROM trading_risklimit set_by_staff
         WHERE account_id IS NULL OR account_id = %(account_id)s) AS limits,
       (SELECT reason FROM trading_restrictedsymbol
         WHERE symbol = %(symbol)s AND side IN ('', %(side)s) AND lifted_at IS NULL
         ORDER BY set_at LIMIT 1) AS restriction
  FROM orders CROSS JOIN shares CROSS JOIN ({ledger.CASH}) known
  LEFT JOIN trading_cashbalance balance ON balance.account_id = %(account_id)s
"""  # noqa: S608 - made of our own constants


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """
    What the tables say; `cash` and `buying_power` lack until the broker was read once.

    `held` and `free` are shares of the ticket's symbol, `others_worth` is what all else is worth.
    `limits` are the rows that staff has set, by the account that each is for, or for everybody.
    """

    reserved_cash: Decimal
    reserved_quantity: Decimal
    open_orders: int
    day_orders: int
    day_notional: Decimal
    opening_value: Decimal
    twins: int
    rivals: Sequence[Rival]
    held: Decimal
    free: Decimal
    others_worth: Decimal
    cash: Decimal | None
    buying_power: Decimal | None
    ledger_available: Decimal
    is_ledger_complete: bool
    restriction: str | None
    halt_reason: str | None
    limits: Mapping[UUID | None, Mapping[str, Any]]


def read(
    account_id: UUID,
    ticket: Ticket,
    *,
    stopped: Sequence[str],
    released_id: UUID | None,
    minds_twins: bool,
    at: datetime,
) -> UnderWay:
    """
    Read all of it at once; the caller is acting as somebody and holds the account's lock.

    :param stopped: whose switch stops it: the customer, and the credential that asks.
    :param released_id: an order that is left out, but for what it has traded today.
    """
    content = columns_of(ticket)
    values = content | {
        "lots": json.dumps(content.pop("lot_choices")),
        "account_id": account_id,
        "released_id": released_id,
        "minds_twins": minds_twins,
        "midnight": datetime.combine(at.astimezone(NEW_YORK), time(0), tzinfo=NEW_YORK),
        "ended": sorted(TERMINAL),
        "refused": RISK_REFUSED,
        "guard": settings.DUPLICATE_GUARD_SECONDS,
        **switches.values_of(account_id, stopped),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        names = [column.name for column in cursor.description or ()]
        found: dict[str, Any] = dict(zip(names, cursor.fetchone() or (), strict=True))
    rivals = [_rival(row) for row in json.loads(found.pop("rivals"))]
    limits = _limits(found.pop("limits"))
    return UnderWay(rivals=rivals, limits=limits, **found)


def _limits(text: str) -> dict[UUID | None, dict[str, Any]]:
    rows = json.loads(text, parse_float=Decimal)
    return {row["account_id"] and UUID(row["account_id"]): row for row in rows}


def _rival(row: Sequence[Any]) -> Rival:
    order_id, order_type, order_class, limit, is_exit = row
    return Rival(
        order_id=order_id,
        order_type=OrderType(order_type),
        order_class=OrderClass(order_class),
        limit_price=None if limit is None else Decimal(limit),
        is_exit=is_exit,
    )
