"""Shares that move without a trade: taken over from the broker's books, in which they are lines."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction

from accounts import services as accounts
from core import realtime
from core.auth import SYSTEM, acting_as
from core.intents import sending
from trading.gateways import BrokerShares, get_broker
from trading.models import ShareMovement
from trading.services import drifts, lots
from trading.states import BasisSource, MovementKind

logger = structlog.get_logger()


def catch_up(account_id: UUID, broker_account_id: str, *, at: datetime) -> int:
    """
    Read what has moved an account's shares, and fold its lots with what is new.

    The broker is read outside any transaction; repeating it changes nothing. Counts the symbols.

    :raises VendorError: the broker could not be read.
    """
    sending.release_connection()
    lines = get_broker().list_share_movements(broker_account_id=broker_account_id)
    with acting_as(SYSTEM):
        account = accounts.lock_account(account_id=account_id)
        touched = _take_in(account_id, account.user_id, lines)
        if touched:
            lots.refold(account_id, account.user_id, touched)
            drifts.compare(account_id, account.user_id, at=at)
            # What is held is known already; why, decides about today's return.
            transaction.on_commit(partial(realtime.account_changed, str(account_id)))
            logger.info("shares.moved", account_id=str(account_id), count=len(touched))
    return len(touched)


def _take_in(account_id: UUID, user_id: str, lines: Sequence[BrokerShares]) -> set[str]:
    """Write new lines down and mark those that no longer stand; name the symbols of both."""
    rows = ShareMovement.objects.filter(account_id=account_id)
    known = {row.external_id: row for row in rows}
    void = {line.activity_id for line in lines if line.is_canceled}
    void |= {line.previous_id for line in lines}
    old = _contained(lines, known.values())
    touched: set[str] = set()
    for line in lines:
        row = known.get(line.activity_id)
        if row is None and line.activity_id not in void and line.group not in old:
            _write(account_id, user_id, line)
            touched.add(line.symbol)
        elif row is not None and line.activity_id in void and not row.is_void:
            row.is_void = True
            row.save(update_fields=["is_void"])
            touched.add(line.symbol)
    return touched


def _contained(lines: Sequence[BrokerShares], rows: Iterable[ShareMovement]) -> set[str]:
    """Name the actions that the shares which were there before us have already been through."""
    opened = {row.symbol: row.at for row in rows if row.kind == MovementKind.OPENING}
    return {
        line.group for line in lines if line.symbol in opened and line.at <= opened[line.symbol]
    }


def _write(account_id: UUID, user_id: str, line: BrokerShares) -> None:
    is_known = line.cost is not None
    ShareMovement.objects.create(
        user_id=user_id,
        account_id=account_id,
        external_id=line.activity_id,
        kind=line.kind,
        broker_kind=line.activity_type[:32],
        symbol=line.symbol,
        quantity=line.quantity,
        cost=line.cost,
        basis_source=BasisSource.BROKER if is_known else BasisSource.UNKNOWN,
        group=line.group,
        at=line.at,
    )
