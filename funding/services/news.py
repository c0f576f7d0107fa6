"""What the broker says about banks and transfers: its events, and asking when they are late."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db.models import Q

from accounts import selectors as accounts
from accounts import services as account_services
from core import feeds, inbox
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import VendorError
from core.events import publish
from core.intents import sweeping
from core.intents.states import IntentState
from core.jobs import enqueue
from funding import states
from funding.events import TransferSettled
from funding.gateways import FundingNews, get_funds
from funding.models import AchRelationship, Transfer
from funding.services import relationships, rules, transfers
from funding.services.relationships import RelationshipCourier
from funding.services.transfers import TransferCourier

logger = structlog.get_logger()
SOURCE: Final = rules.NEWS
S = IntentState
ASK_AGAIN: Final = timedelta(seconds=30)
# A complete transfer may be taken back for 60 days; events tell, this only makes sure.
ASK_AGAIN_WHEN_ENDED: Final = timedelta(days=1)
MAY_BE_RETURNED: Final = timedelta(days=60)
BATCH: Final = 50


def sweep_relationships(*, at: datetime) -> dict[str, int]:
    """Move on every bank that waits."""
    return sweeping.sweep(through=RelationshipCourier(), at=at)


def sweep_transfers(*, at: datetime) -> dict[str, int]:
    """Move on every transfer that waits, then apply the news that waited for it."""
    touched = sweeping.sweep(through=TransferCourier(), at=at)
    return {**touched, "applied": apply_events()}


def follow_events() -> bool:
    """Keep the broker's funding events while this process leads; false when another one does."""
    return feeds.follow(
        SOURCE,
        get_funds().feed(),
        on_kept=lambda: enqueue("funding.apply_events"),
        on_lost=_read_again,
    )


def _read_again(_why: str) -> None:
    enqueue("funding.refresh_relationships")
    enqueue("funding.refresh_transfers")


def apply_events() -> int:
    """Apply the funding events that wait in the inbox and say how many there were."""
    return inbox.apply_waiting(SOURCE, _apply_event)


def _apply_event(payload: Mapping[str, Any]) -> None:
    """
    Take over the status an event tells; repeating it changes nothing.

    :raises NotYet: it may be about something whose recording is under way.
    """
    news = get_funds().read_news(payload)
    if news is None:
        return
    with acting_as(SYSTEM):
        if news.kind == FundingNews.TRANSFER:
            _apply_to_transfer(news)
        else:
            _apply_to_relationship(news)


def _apply_to_transfer(news: FundingNews) -> None:
    # Asked first: whatever is recorded after this question has no news before it.
    may_be_recorded_soon = _is_any_open(Transfer)
    transfer = Transfer.objects.filter(broker_transfer_id=news.vendor_id).first()
    if transfer is not None:
        account_services.lock_account(account_id=transfer.account_id)
        locked = Transfer.objects.locked(transfer.pk)
        _note_transfer(locked, news.status, at=news.at)
        _ask_again(locked, after=timedelta(0))  # for what events leave out, such as the reason
    elif may_be_recorded_soon:
        raise inbox.NotYet
    else:
        logger.warning("transfer.not_ours", broker_transfer_id=news.vendor_id)


def _apply_to_relationship(news: FundingNews) -> None:
    may_be_recorded_soon = _is_any_open(AchRelationship)
    bank = AchRelationship.objects.filter(broker_relationship_id=news.vendor_id).first()
    if bank is not None:
        account_services.lock_account(account_id=bank.account_id)
        _note_relationship(AchRelationship.objects.locked(bank.pk), news.status, at=news.at)
    elif may_be_recorded_soon:
        raise inbox.NotYet
    else:
        logger.warning("relationship.not_ours", broker_relationship_id=news.vendor_id)


def _is_any_open(model: type[Transfer | AchRelationship]) -> bool:
    return model.objects.filter(state__in=[S.SENDING, S.UNKNOWN]).exists()


def _note_transfer(transfer: Transfer, status: str, *, at: datetime | None) -> None:
    transfers.alarm_if_unknown(status, broker_transfer_id=transfer.broker_transfer_id)
    if transfer.note_status(status, at=at):
        logger.info("transfer.status_changed", id=str(transfer.pk), status=transfer.vendor_status)
        if transfer.has_ended:
            publish(TransferSettled(transfer.pk, transfer.account_id))


def _note_relationship(bank: AchRelationship, status: str, *, at: datetime | None) -> None:
    relationships.alarm_if_unknown(status, broker_relationship_id=bank.broker_relationship_id)
    if bank.note_status(status, at=at):
        logger.info("relationship.status_changed", id=str(bank.pk), status=bank.vendor_status)


def refresh_transfers(*, at: datetime) -> int:
    """
    Ask the broker about transfers on the move, lately ended or under review.

    Returns how many were due. One account that cannot be read does not stop the others.
    """
    open_or_young = ~Q(vendor_status__in=sorted(states.TRANSFER_ENDED)) | Q(
        created_at__gt=at - MAY_BE_RETURNED
    )
    with acting_as(SYSTEM):
        due = Transfer.objects.filter(open_or_young, state=S.ACCEPTED, due_at__lte=Now())
        rows = list(due.select_related("account").order_by("due_at")[:BATCH])
    _each_account(rows, _refresh_transfers_of)
    return len(rows) + sweeping.look_again(through=TransferCourier(), at=at)


def refresh_relationships(*, at: datetime) -> int:
    """
    Ask the broker about banks whose status is moving, in case its events are late.

    Returns how many were due, with those under review.
    """
    with acting_as(SYSTEM):
        due = AchRelationship.objects.moving().filter(due_at__lte=Now())
        rows = list(due.select_related("account").order_by("due_at")[:BATCH])
    _each_account(rows, _refresh_relationships_of)
    return len(rows) + sweeping.look_again(through=RelationshipCourier(), at=at)


def _each_account(rows: Iterable[Any], act: Callable[[str, list[Any]], None]) -> None:
    by_account: dict[UUID, list[Any]] = {}
    for row in rows:
        by_account.setdefault(row.account_id, []).append(row)
    for account_id, of_account in by_account.items():
        try:
            act(accounts.broker_id_of(of_account[0].account), of_account)
        except VendorError as error:
            logger.warning("funding.refresh_failed", id=str(account_id), error=error.code)


def _refresh_transfers_of(broker_account_id: str, rows: list[Transfer]) -> None:
    answers = get_funds().list_transfers(broker_account_id)
    listed = {moved.broker_transfer_id: moved for moved in answers}
    for row in rows:
        moved = listed.get(row.broker_transfer_id)
        with acting_as(SYSTEM):
            account_services.lock_account(account_id=row.account_id)
            transfer = Transfer.objects.locked(row.pk)
            if moved is None:
                logger.error("transfer.gone_at_broker", id=str(row.pk))
            elif transfer.vendor_status == row.vendor_status:
                _note_transfer(transfer, moved.status, at=moved.updated_at)
                transfer.note_reason(moved.reason)
            wait = ASK_AGAIN_WHEN_ENDED if transfer.has_ended else ASK_AGAIN
            _ask_again(transfer, after=wait)


def _refresh_relationships_of(broker_account_id: str, rows: list[AchRelationship]) -> None:
    answers = get_funds().list_banks(broker_account_id)
    listed = {linked.broker_relationship_id: linked for linked in answers}
    for row in rows:
        linked = listed.get(row.broker_relationship_id)
        with acting_as(SYSTEM):
            account_services.lock_account(account_id=row.account_id)
            bank = AchRelationship.objects.locked(row.pk)
            if linked is None:
                logger.error("relationship.gone_at_broker", id=str(row.pk))
            elif bank.vendor_status == row.vendor_status:
                _note_relationship(bank, linked.status, at=linked.updated_at)
            _ask_again(bank, after=ASK_AGAIN)


def _ask_again(row: Transfer | AchRelationship, *, after: timedelta) -> None:
    row.due_at = Now() + after
    row.save(update_fields=["due_at"])
