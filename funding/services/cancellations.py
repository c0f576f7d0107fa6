"""Stopping a transfer before it leaves."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import structlog

from accounts import selectors as accounts
from accounts import services as account_services
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, VendorError, VendorRejected
from core.ids import new_id
from core.intents import sending, sweeping
from core.intents.couriers import Courier, Receipt
from core.intents.models import CLOSED
from core.intents.states import IntentState
from funding import selectors, states
from funding.gateways import MovedMoney, get_funds
from funding.models import Cancellation, Transfer
from funding.services import outcomes

logger = structlog.get_logger()
S = IntentState
CANCELED = "CANCELED"
_REFUSED = "The transfer cannot be canceled"


class TransferNotCancelable(CleraError):
    """It has left, or there is nothing to stop."""

    code = "transfer_not_cancelable"
    status = 422
    detail = "The transfer can no longer be canceled."


class TransferUndecided(CleraError):
    """Nobody knows whether the broker has it, so nobody can say what to stop."""

    code = "transfer_undecided"
    status = 409
    detail = "The transfer is still being submitted; try again once it is decided."


class CancellationCourier(Courier[Cancellation]):
    """
    Has the broker stop a transfer; asking twice does no harm.

    A refusal has many reasons, canceled already among them, so the broker's list decides.
    """

    model = Cancellation
    resends: ClassVar[bool] = True

    def send(self, intent: Cancellation) -> Receipt:
        """Ask for it; see `Courier.send`."""
        owner, transfer_id = _named(intent)
        try:
            get_funds().cancel_transfer(owner, transfer_id)
        except VendorRejected as error:
            told = self.find(intent)
            return told or Receipt(error.vendor_code, is_accepted=False, reason=error.detail)
        return self._looked(intent) or Receipt(CANCELED)

    def find(self, intent: Cancellation) -> Receipt | None:
        """Read what has become of the transfer: canceled, out of reach, or still to be stopped."""
        owner, transfer_id = _named(intent)
        listed = get_funds().list_transfers(owner)
        moved = next((each for each in listed if each.broker_transfer_id == transfer_id), None)
        if moved is None:
            return Receipt("", is_accepted=False, reason="The broker has no such transfer.")
        return _receipt(moved)

    def _looked(self, intent: Cancellation) -> Receipt | None:
        """Learn from the list when it was canceled; that it was is certain without."""
        try:
            told = self.find(intent)
        except VendorError:
            return None
        return told if told is not None and told.is_accepted else None

    def lock_above(self, intent_id: UUID) -> None:
        """Lock the account and the transfer first, as all who change the transfer do."""
        found = Cancellation.objects.values_list("account_id", "transfer_id").get(pk=intent_id)
        account_services.lock_account(account_id=found[0])
        Transfer.objects.locked(found[1])

    def settled(
        self,
        intent: Cancellation,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,
    ) -> None:
        """Take over that the transfer is canceled; what else became of it is told by its news."""
        if not intent.is_accepted:
            return
        transfer = Transfer.objects.locked(intent.transfer_id)
        if transfer.note_status(CANCELED, at=intent.canceled_at):
            outcomes.follow(transfer, at=at)


def _named(intent: Cancellation) -> tuple[str, str]:
    with acting_as(SYSTEM):
        owner = accounts.broker_id_of(intent.account)
        transfer_id = intent.transfer.broker_transfer_id
    sending.release_connection()
    return owner, transfer_id


def _receipt(moved: MovedMoney) -> Receipt | None:
    if moved.status == CANCELED:
        return Receipt(CANCELED, changes={"canceled_at": moved.updated_at})
    if moved.status in states.TRANSFER_CANCELABLE:
        return None
    return Receipt(moved.status, is_accepted=False, reason=_already(moved.status))


def _already(status: str) -> str:
    return f"It is {status} already."


def cancel_transfer(
    *, principal: Principal, account_id: str | UUID, transfer_id: str | UUID, at: datetime
) -> Transfer:
    """
    Cancel a transfer that was not sent yet, or have the broker stop it before it leaves.

    Returns the transfer as it is then: unless it is canceled, the broker has not answered yet.
    Canceling it again changes nothing.

    :raises NotFound: there is no such account, or it has no such transfer.
    :raises TransferUndecided: nobody knows yet whether the broker has it.
    :raises TransferNotCancelable: it has left, or there is nothing to stop.
    """
    transfer = selectors.get_transfer(
        principal=principal, account_id=account_id, transfer_id=transfer_id
    )
    cancellation_id = _record(principal, transfer, at=at)
    if cancellation_id is not None:
        told = sending.send_once(cancellation_id, through=CancellationCourier(), at=at)
        if told.state == S.REJECTED:
            raise TransferNotCancelable(f"{_REFUSED}: {told.reason}")
    transfer = selectors.get_transfer(
        principal=principal, account_id=account_id, transfer_id=transfer.pk
    )
    if transfer.has_ended and transfer.vendor_status != CANCELED:
        raise TransferNotCancelable(f"{_REFUSED}: {_already(transfer.vendor_status)}")
    return transfer


def _record(principal: Principal, transfer: Transfer, *, at: datetime) -> UUID | None:
    """Cancel it here, or write down that the broker is to; nothing when that is under way."""
    with acting_as(principal):
        account_services.lock_account(account_id=transfer.account_id)
        locked = Transfer.objects.locked(transfer.pk)
        if locked.public_status == CANCELED:
            return None
        if locked.state in {S.SENDING, S.UNKNOWN, S.NEEDS_REVIEW}:
            raise TransferUndecided
        if not locked.is_cancelable:
            raise TransferNotCancelable
        if not locked.is_accepted:
            _withdraw(locked, at=at)
            return None
        earlier = Cancellation.objects.standing().filter(transfer=locked).first()
        if earlier is not None:
            return earlier.pk
        cancellation = Cancellation.objects.create(
            id=new_id(),
            user_id=locked.user_id,
            account_id=locked.account_id,
            transfer=locked,
        )
        return cancellation.pk


def _withdraw(transfer: Transfer, *, at: datetime) -> None:
    transfer.advance(
        S.CANCELED,
        at=at,
        reason="Canceled before it was sent.",
        reason_code="canceled",
        **CLOSED,
    )
    outcomes.follow(transfer, at=at)


def sweep_cancellations(*, at: datetime) -> dict[str, int]:
    """Move on every cancellation that waits."""
    return sweeping.sweep(through=CancellationCourier(), at=at)
