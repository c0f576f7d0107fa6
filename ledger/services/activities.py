"""The lines of the broker's books: kept as they are told, then entered in ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from accounts import selectors as accounts
from accounts import services as account_services
from core import feeds, inbox
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import NotFound
from core.events import publish
from core.jobs import enqueue
from ledger import activity_types
from ledger.events import SharesMoved
from ledger.gateways import Activity, get_books
from ledger.models import LedgerBook, Witness
from ledger.services import posting
from ledger.services.posting import Movement, fill_key
from ledger.states import WitnessKind

logger = structlog.get_logger()
SOURCE: Final = "alpaca.activities"
_SOON: Final = timedelta(seconds=5)


def follow_events() -> bool:
    """Keep the broker's activities while this process leads; false when another one does."""
    return feeds.follow(
        SOURCE,
        get_books().feed(),
        on_kept=lambda: enqueue("ledger.apply_events"),
        on_lost=lambda _why: enqueue("ledger.ask_for_all"),
    )


def ask_for_all() -> int:
    """Have every account compared with the broker again, and say how many there are."""
    with acting_as(SYSTEM):
        return LedgerBook.objects.filter(due_at__gt=Now()).update(due_at=Now())


def apply_events() -> int:
    """Enter the activities that wait in the inbox and say how many there were."""
    return inbox.apply_waiting(SOURCE, _apply_event)


def _apply_event(payload: Mapping[str, Any]) -> None:
    line = get_books().read_news(payload)
    if line is None:
        return
    with acting_as(SYSTEM):
        try:
            account = accounts.get_account(principal=SYSTEM, account_id=line.broker_account_id)
        except NotFound:
            logger.warning("ledger.account_not_ours", broker_account_id=line.broker_account_id)
            return
        taken = take_in(account_id=account.pk, lines=[line])
        if taken.is_ahead:
            # What it takes back is still on its way: only the whole list tells what is true.
            LedgerBook.objects.filter(pk=account.pk).update(due_at=Now() + _SOON)


@dataclass(frozen=True)
class Taken:
    """How many lines were new, and whether one took back what nobody has told of yet."""

    new: int
    is_ahead: bool


def take_in(*, account_id: UUID, lines: Sequence[Activity]) -> Taken:
    """
    Enter lines of an account in our books, in the caller's transaction; repeating changes nothing.

    Locks the account.

    :raises NotFound: there is no such account.
    """
    account_services.lock_account(account_id=account_id)
    ids = [line.activity_id for line in lines]
    heard = set(
        Witness.objects.filter(
            entry__account_id=account_id, kind=WitnessKind.ACTIVITY, external_id__in=ids
        ).values_list("external_id", flat=True)
    )
    new, is_ahead = 0, False
    for line in lines:
        if line.previous_id:
            is_ahead |= not _take_back(account_id, line.previous_id, at=line.occurred_at)
        if line.is_canceled:
            _take_back(account_id, line.activity_id, at=line.occurred_at)
        elif line.activity_id not in heard:
            new += _enter(account_id, line)
    if any(line.moves_shares for line in lines):
        publish(SharesMoved(account_id))
    return Taken(new=new, is_ahead=is_ahead)


def _take_back(account_id: UUID, activity_id: str, *, at: datetime) -> bool:
    entry = posting.take_back(
        account_id=account_id, told_by=WitnessKind.ACTIVITY, external_id=activity_id, at=at
    )
    return entry is not None


def _enter(account_id: UUID, line: Activity) -> bool:
    natural_key = ""
    if line.broker_order_id and line.cumulative is not None:
        natural_key = fill_key(line.broker_order_id, line.cumulative)
    entry = posting.post(
        Movement(
            account_id=account_id,
            kind=activity_types.kind_of(line.activity_type, line.cash),
            cash=line.cash,
            occurred_at=line.occurred_at,
            told_by=WitnessKind.ACTIVITY,
            external_id=line.activity_id,
            natural_key=natural_key,
            symbol=line.symbol,
            quantity=line.quantity,
        )
    )
    if entry is not None and not activity_types.is_known(line.activity_type):
        logger.error("ledger.unknown_activity", id=str(entry.pk), code=line.activity_type)
    return entry is not None
