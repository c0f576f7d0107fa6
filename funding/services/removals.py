"""Removing a bank, so that the account may have another one."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from accounts import selectors as accounts
from accounts import services as account_services
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, NotFound, VendorUnclear
from core.intents import sending, sweeping
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from funding import selectors, states
from funding.gateways import get_funds
from funding.models import AchRelationship, BankRemoval, Transfer
from funding.services import bank_upkeep, relationships

_REMOVED: Final = "The bank was removed as asked."
# What the broker's word for a bank has to be before we believe that it is going.
_GOING: Final = states.RELATIONSHIP_GONE | {states.CANCEL_REQUESTED}


class TransfersOnTheirWay(CleraError):
    """Money would arrive from, or leave for, a bank that is no longer there."""

    code = "transfers_on_their_way"
    status = 409
    detail = "A transfer through this bank is on its way; wait until it has ended."


class RelationshipUndecided(CleraError):
    """Nobody knows yet whether there is anything to remove."""

    code = "relationship_undecided"
    status = 409
    detail = "This bank is still being submitted to the broker; try again in a minute."


class RemovalRefused(CleraError):
    """The broker gave a clear no."""

    code = "removal_refused"
    status = 422
    detail = "The broker refused to remove the bank."


class BankRemovalCourier(Courier[BankRemoval]):
    """Carries a removal to the broker; a bank can be removed only once, so a repeat is harmless."""

    model = BankRemoval
    resends: ClassVar[bool] = True

    def send(self, intent: BankRemoval) -> Receipt:
        """Remove the bank; see `Courier.send`."""
        broker_account_id, bank_id = _named(intent)
        if get_funds().remove_bank(broker_account_id, bank_id):
            return Receipt(states.CANCELED)
        # "There is none such" is also what a broker in trouble may say: its list has to agree.
        found = self.find(intent)
        if found is None:
            raise VendorUnclear("broker", "The broker lists a bank that it does not find.")
        return found

    def find(self, intent: BankRemoval) -> Receipt | None:
        """Look whether the broker still has the bank in its list."""
        broker_account_id, bank_id = _named(intent)
        banks = get_funds().list_banks(broker_account_id)
        status = next((b.status for b in banks if b.broker_relationship_id == bank_id), None)
        if status is None:
            return Receipt(states.CANCELED)
        return Receipt(status) if status in _GOING else None

    def lock_above(self, intent_id: UUID) -> None:
        """Lock the account: the bank, which comes after it, is going to be changed."""
        account_id = BankRemoval.objects.values_list("account_id", flat=True).get(pk=intent_id)
        account_services.lock_account(account_id=account_id)

    def settled(
        self,
        intent: BankRemoval,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,
    ) -> None:
        """Take the bank off the account at once, so that another may be linked."""
        bank = AchRelationship.objects.locked(intent.relationship_id)
        if intent.is_accepted:
            # Without a time of the broker's: this is newer than all that it has told before.
            bank_upkeep.note_status(bank, intent.vendor_status, told_at=None, at=at, why=_REMOVED)
        else:
            relationships.tell_status(bank)


def _named(intent: BankRemoval) -> tuple[str, str]:
    with acting_as(SYSTEM):
        broker_account_id = accounts.broker_id_of(intent.account)
        bank_id: str = intent.relationship.broker_relationship_id
    sending.release_connection()
    return broker_account_id, bank_id


@dataclass(frozen=True)
class Removal:
    """A bank of which somebody wanted to be rid, and whether it is gone for certain."""

    bank: AchRelationship
    is_certain: bool


def remove_bank(
    *, principal: Principal, account_id: str | UUID, relationship_id: str | UUID, at: datetime
) -> Removal:
    """
    Remove a bank at the broker, once however often it is asked for.

    A frozen or closed account may do so too: no money moves.

    :raises NotFound: there is no such account, or it has no such bank.
    :raises RelationshipUndecided: the broker may not have the bank yet.
    :raises TransfersOnTheirWay: money is moving through it.
    :raises RemovalRefused: the broker said no.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    bank, removal_id = _record(principal, account.pk, relationship_id)
    if removal_id is None:
        return Removal(bank, is_certain=True)
    removal = sending.send_once(removal_id, through=BankRemovalCourier(), at=at)
    if removal.state == IntentState.REJECTED:
        raise RemovalRefused(f"The broker refused to remove the bank: {removal.reason}")
    bank = selectors.get_relationship(
        principal=principal, account_id=account.pk, relationship_id=bank.pk
    )
    return Removal(bank, is_certain=bank.is_gone)


def _record(
    principal: Principal, account_id: UUID, relationship_id: str | UUID
) -> tuple[AchRelationship, UUID | None]:
    """Write the removal down, unless there is one or the bank is gone already."""
    with acting_as(principal):
        # Whoever asks for a transfer takes this lock too: it is refused, or it refuses us.
        account = account_services.lock_account(account_id=account_id)
        bank = selectors.get_relationship(
            principal=principal, account_id=account.pk, relationship_id=relationship_id
        )
        if bank.is_gone:
            return bank, None
        if bank.state in {IntentState.REJECTED, IntentState.CANCELED}:
            raise NotFound(selectors.NO_RELATIONSHIP)
        if not bank.is_accepted:
            raise RelationshipUndecided
        standing = BankRemoval.objects.standing().filter(relationship=bank).first()
        if standing is not None:
            return bank, standing.pk
        through_it = Transfer.objects.filter(relationship=bank)
        if through_it.undecided().exists() or through_it.moving().exists():
            raise TransfersOnTheirWay
        return bank, BankRemoval.ask(bank).pk


def sweep_removals(*, at: datetime) -> dict[str, int]:
    """Move on every removal that waits."""
    return sweeping.sweep(through=BankRemovalCourier(), at=at)
