"""Looking after transfers: what the broker tells of them, and asking when it tells nothing."""

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db.models import Q

from accounts import services as account_services
from core import inbox
from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.intents import sweeping
from core.intents.states import IntentState
from core.jobs import enqueue
from funding import states
from funding.gateways import FundingNews, get_funds
from funding.models import Transfer
from funding.services import outcomes, transfers, upkeep
from funding.services.transfers import TransferCourier

logger = structlog.get_logger()
S = IntentState
# A complete transfer may be taken back for 60 days; events tell, this only makes sure.
ASK_AGAIN_WHEN_ENDED: Final = timedelta(days=1)
MAY_BE_RETURNED: Final = timedelta(days=60)


def sweep_transfers(*, at: datetime) -> dict[str, int]:
    """Move on every transfer that waits."""
    return sweeping.sweep(through=TransferCourier(), at=at)


def apply_news(news: FundingNews, *, at: datetime) -> None:
    """
    Take over the status that an event tells; repeating it changes nothing.

    :raises NotYet: the transfer may be being recorded.
    """
    # Asked first: whatever is recorded after this question has no news before it.
    may_be_recorded_soon = upkeep.is_any_open(Transfer)
    transfer = Transfer.objects.filter(broker_transfer_id=news.vendor_id).first()
    if transfer is not None:
        account_services.lock_account(account_id=transfer.account_id)
        locked = Transfer.objects.locked(transfer.pk)
        if news.status == states.RETURNED:
            locked.note_reason(news.reason)
        _note_transfer(locked, news.status, told_at=news.at, at=at)
        upkeep.ask_again(locked, after=timedelta(0))  # for its reason
        if locked.vendor_status == states.RETURNED:
            enqueue("funding.refresh_transfers")  # the customer waits to be told why
    elif may_be_recorded_soon:
        raise inbox.NotYet
    else:
        logger.warning("transfer.not_ours", broker_transfer_id=news.vendor_id)


def _note_transfer(
    transfer: Transfer,
    status: str,
    *,
    told_at: datetime | None,
    at: datetime,
    was_asked: bool = False,
) -> None:
    transfers.alarm_if_unknown(status, broker_transfer_id=transfer.broker_transfer_id)
    if transfer.note_status(status, at=told_at):
        logger.info("transfer.status_changed", id=str(transfer.pk), status=transfer.vendor_status)
        outcomes.follow(transfer, at=at, was_asked=was_asked)
    elif transfer.has_ended:
        # Late news that it had arrived, a reason, or what the broker's books tell by now.
        outcomes.book(transfer, at=at, was_asked=was_asked)


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
        rows = list(due.select_related("account").order_by("due_at")[: upkeep.BATCH])
    upkeep.each_account(rows, lambda owner, theirs: _refresh_transfers_of(owner, theirs, at=at))
    return len(rows) + sweeping.look_again(through=TransferCourier(), at=at)


def _refresh_transfers_of(broker_account_id: str, rows: list[Transfer], *, at: datetime) -> None:
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
                transfer.note_reason(moved.reason)
                is_whole = moved.status == states.RETURNED
                _note_transfer(
                    transfer, moved.status, told_at=moved.updated_at, at=at, was_asked=is_whole
                )
            upkeep.ask_again(transfer, after=_wait(transfer))


def _wait(transfer: Transfer) -> timedelta:
    """Say when to ask again; what may yet stop the account cannot wait for a day."""
    if transfer.has_ended and not outcomes.may_have_arrived(transfer):
        return ASK_AGAIN_WHEN_ENDED
    return upkeep.ASK_AGAIN
