"""Transfers and banks of which nobody knows what became: looking them up, telling what fits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from accounts import selectors as accounts
from accounts import services as account_services
from core.errors import CleraError, NotFound
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from funding.gateways import LinkedBank, MovedMoney, get_funds
from funding.models import AchRelationship, ReviewVerdict, Transfer
from funding.services import relationships, transfers
from funding.services.relationships import RelationshipCourier
from funding.services.transfers import TransferCourier

Subject = Transfer | AchRelationship
Found = MovedMoney | LinkedBank


class NotUnderReview(CleraError):
    """Nobody has to decide about it: the broker has it, or the machine is still looking."""

    code = "not_under_review"
    status = 409
    detail = "It is not under review."


class DoesNotFit(CleraError):
    """What the broker has cannot be this."""

    code = "does_not_fit"
    status = 409
    detail = "What the broker has does not fit."


@dataclass(frozen=True)
class Kind:
    """One kind of thing that may get lost; `column` is its name in a verdict."""

    column: str
    word: str
    model: type[Any]
    courier: type[Courier[Any]]

    def get(self, pk: object) -> Any:
        """
        Return the row; the caller is acting as somebody.

        :raises NotFound: there is none.
        """
        related = self.model.objects.select_related("account")
        subject = related.filter(pk=pk).first()
        if subject is None:
            raise NotFound(f"There is no such {self.word}.")
        return subject

    def locked(self, pk: object) -> Any:
        """
        Lock the account, then the row.

        :raises NotFound: there is none.
        """
        account_services.lock_account(account_id=self.get(pk).account_id)
        return self.model.objects.locked(pk)


TRANSFER: Final = Kind("transfer", "transfer", Transfer, TransferCourier)
BANK: Final = Kind("relationship", "bank", AchRelationship, RelationshipCourier)


def kind_of(verdict: ReviewVerdict) -> Kind:
    """Say what a verdict is about."""
    return TRANSFER if verdict.transfer_id else BANK


def demand_review(subject: Subject) -> None:
    """
    Let only pass what people have to decide about.

    :raises NotUnderReview: the machine knows, or is still looking.
    """
    if subject.state != IntentState.NEEDS_REVIEW:
        raise NotUnderReview


def find(kind: Kind, subject: Any, *, at: datetime) -> None:
    """
    Look as the machine looks, and take over what it would.

    :raises VendorError: the broker could not be read.
    """
    sending.release_connection()
    courier = kind.courier()
    receipt = courier.find(subject)
    if receipt is not None:
        sending.record(subject.pk, receipt, through=courier, at=at)


def shown_by_broker(subject: Subject, broker_id: str) -> Found:
    """
    Read one entry of the broker's list.

    :raises DoesNotFit: the list has no such entry.
    :raises VendorError: the broker could not be read.
    """
    broker_account_id = accounts.broker_id_of(subject.account)
    sending.release_connection()
    listed: dict[str, Found]
    if isinstance(subject, Transfer):
        moves = get_funds().list_transfers(broker_account_id)
        listed = {moved.broker_transfer_id: moved for moved in moves}
    else:
        banks = get_funds().list_banks(broker_account_id)
        listed = {bank.broker_relationship_id: bank for bank in banks}
    if broker_id not in listed:
        raise DoesNotFit("The broker lists nothing of that id for this account.")
    return listed[broker_id]


def demand_fit(found: Found, subject: Subject) -> Receipt:
    """
    Let only pass what can be this transfer or bank, and put it into a receipt.

    :raises DoesNotFit: another row has it, or it differs in what was asked for.
    """
    if isinstance(found, MovedMoney) and isinstance(subject, Transfer):
        _demand_same_transfer(found, subject)
        return transfers.receipt_of(found)
    if isinstance(found, LinkedBank) and isinstance(subject, AchRelationship):
        _demand_only_bank(found, subject)
        return relationships.receipt_of(found)
    raise DoesNotFit


def _demand_same_transfer(moved: MovedMoney, transfer: Transfer) -> None:
    if Transfer.objects.filter(broker_transfer_id=moved.broker_transfer_id).exists():
        raise DoesNotFit("Another of our transfers is that one already.")
    if moved.direction != transfer.direction:
        raise DoesNotFit(f"It moves money the other way: {moved.direction}.")
    if moved.amount != transfer.amount:
        raise DoesNotFit(f"Its amount is {moved.amount}, and {transfer.amount} was asked for.")
    bank = moved.broker_relationship_id
    if bank and bank != transfer.relationship.broker_relationship_id:
        raise DoesNotFit("It goes through another bank.")


def _demand_only_bank(linked: LinkedBank, bank: AchRelationship) -> None:
    known = AchRelationship.objects.filter(broker_relationship_id=linked.broker_relationship_id)
    if known.exists():
        raise DoesNotFit("Another of our banks is that one already.")
    if AchRelationship.objects.active().filter(account_id=bank.account_id).exists():
        raise DoesNotFit("The account has an active bank, and can have one only.")
