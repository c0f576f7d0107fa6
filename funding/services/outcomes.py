"""What follows from what has become of a transfer: the customer, the ledger and others hear."""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from accounts import services as accounts
from core import realtime
from core.clock import Now
from core.events import publish
from core.intents.models import IntentStep
from core.intents.states import IntentState
from funding import states
from funding.events import TransferSettled
from funding.models import Transfer, TransferReturn
from funding.services import returns
from funding.states import Direction
from ledger import services as ledger
from ledger.states import EntryKind, WitnessKind

S = IntentState
STATUS: Final = "transfer.status"
# The broker's books may tell so much later than its list.
BOOKS_ARE_LATE: Final = timedelta(hours=1)


def tell(transfer: Transfer) -> None:
    """
    Tell the owner of the account a transfer's status, in the caller's transaction.

    Whoever shows the account shows what is on its way, too, and hears of it after the commit.
    """
    transaction.on_commit(lambda: realtime.account_changed(str(transfer.account_id)))
    accounts.push(
        account_id=transfer.account_id,
        user_id=transfer.user_id,
        kind=STATUS,
        payload={
            "id": transfer.public_id,
            "transfer_id": str(transfer.pk),
            "direction": transfer.direction,
            "amount": str(transfer.amount),
            "status": transfer.public_status,
        },
    )


def follow(transfer: Transfer, *, at: datetime, was_asked: bool = False) -> None:
    """
    Do what follows from a status that is new, in the caller's transaction.

    The caller acts as the system and holds the locks of the account and of the transfer.
    """
    if transfer.state == S.NEEDS_REVIEW:
        return  # for the customer nothing has changed
    tell(transfer)
    if transfer.has_ended:
        publish(TransferSettled(transfer.pk, transfer.account_id))
    book(transfer, at=at, was_asked=was_asked)


def book(transfer: Transfer, *, at: datetime, was_asked: bool = False) -> None:
    """
    Bring the ledger to where the transfer is; repeating it changes nothing. See `follow`.

    A return of money that we never saw arrive is only confirmed where the broker's books tell of
    both, since nobody else knows whether there was any movement at all.

    :param was_asked: what is known comes from the broker's list and not from an event, which
        names no reasons.
    """
    if transfer.state in {S.REJECTED, S.CANCELED}:
        _release(transfer, at=at)
    if not transfer.is_accepted:
        return
    arrived_at = _arrived_at(transfer, at=at)
    if arrived_at is not None:
        ledger.post(_arrival(transfer, at=arrived_at))
    if transfer.vendor_status == states.RETURNED:
        _book_return(transfer, had_arrived=arrived_at is not None, was_asked=was_asked, at=at)
    if transfer.has_ended:
        _release(transfer, at=at)


def _book_return(transfer: Transfer, *, had_arrived: bool, was_asked: bool, at: datetime) -> None:
    movement = _return(transfer, at=transfer.vendor_status_at or at)
    if had_arrived:
        ledger.post(movement)
    elif _is_arrival_in_books(transfer):
        ledger.confirm(movement)
        had_arrived = True
    returns.open_case(transfer, had_arrived=had_arrived, was_asked=was_asked, at=at)


def _is_arrival_in_books(transfer: Transfer) -> bool:
    """
    Say whether the broker's books tell that it had arrived.

    They name no transfer, only an amount. While another one of the same size is on its way, or
    may be, theirs may be the arrival of that one.
    """
    if _has_twin(transfer):
        return False
    asked_at = transfer.sent_at or transfer.created_at
    return ledger.confirm(_arrival(transfer, at=asked_at)) is not None


def _has_twin(transfer: Transfer) -> bool:
    twins = Transfer.objects.unfinished().filter(
        account_id=transfer.account_id, direction=transfer.direction, amount=transfer.amount
    )
    return twins.exclude(pk=transfer.pk).exists()


def may_have_arrived(transfer: Transfer) -> bool:
    """Say whether a return may soon turn out to be of money that had arrived."""
    if transfer.vendor_status != states.RETURNED:
        return False
    unsure = TransferReturn.objects.filter(transfer_id=transfer.pk, was_complete=False)
    is_young = unsure.filter(created_at__gt=Now() - BOOKS_ARE_LATE).exists()
    return is_young or (_has_twin(transfer) and unsure.exists())


def _arrived_at(transfer: Transfer, *, at: datetime) -> datetime | None:
    """Say when the broker told that it was complete, also if it has moved on since."""
    steps = IntentStep.objects.filter(
        intent_id=transfer.pk, vendor_status__in=sorted(states.TRANSFER_ARRIVED)
    )
    step = steps.order_by("id").first()
    if step is not None:
        return step.vendor_at or step.at
    if transfer.vendor_status in states.TRANSFER_ARRIVED:
        return transfer.vendor_status_at or at
    return None


def _arrival(transfer: Transfer, *, at: datetime) -> ledger.Movement:
    is_deposit = transfer.direction == Direction.INCOMING
    kind = EntryKind.DEPOSIT if is_deposit else EntryKind.WITHDRAWAL
    return _movement(transfer, kind, rises=is_deposit, told=states.COMPLETE, at=at)


def _return(transfer: Transfer, *, at: datetime) -> ledger.Movement:
    is_deposit = transfer.direction == Direction.INCOMING
    kind = EntryKind.DEPOSIT_RETURN if is_deposit else EntryKind.WITHDRAWAL_RETURN
    return _movement(transfer, kind, rises=not is_deposit, told=states.RETURNED, at=at)


def _movement(
    transfer: Transfer, kind: EntryKind, *, rises: bool, told: str, at: datetime
) -> ledger.Movement:
    return ledger.Movement(
        account_id=transfer.account_id,
        kind=kind,
        cash=transfer.amount if rises else -transfer.amount,
        occurred_at=at,
        told_by=WitnessKind.TRANSFER,
        external_id=f"{transfer.broker_transfer_id}:{told}",
        reference=transfer.pk,
    )


def _release(transfer: Transfer, *, at: datetime) -> None:
    """Free the cash that nothing will take any more."""
    if transfer.direction == Direction.OUTGOING:
        ledger.release(reference=transfer.pk, at=at)
