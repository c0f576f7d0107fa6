"""Linking a bank by its numbers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

import structlog

from accounts import selectors as accounts
from accounts import services as account_services
from core import idempotency, inbox
from core.auth import SYSTEM, Principal, acting_as
from core.clock import Now
from core.errors import CleraError, Invalid
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from core.jobs import enqueue
from funding import states
from funding.gateways import (
    RELATIONSHIP_EXISTS,
    BankAccount,
    LinkedBank,
    ProcessorToken,
    get_funds,
)
from funding.models import AchRelationship, Bank
from funding.services import rules
from funding.states import LinkedBy

logger = structlog.get_logger()
# The broker's clock and ours may differ by this much.
CLOCK_SKEW: Final = timedelta(minutes=5)
BANK_STATUS: Final = "bank.status"
_UNKNOWN_BANK: Final = (
    "The broker has a bank for this account that is not on your list. Look at the list again in a"
    " minute; if it is still not there, ask support."
)


class RelationshipExists(CleraError):
    """An account has one bank at a time."""

    code = "relationship_exists"
    status = 409
    detail = (
        "This account has an active bank already; remove it with POST /delete-ach-relationship"
        " before you link another."
    )


class RelationshipRefused(CleraError):
    """The broker gave a clear no."""

    code = "relationship_refused"
    status = 422
    detail = "The broker refused the bank."


class RelationshipCourier(Courier[AchRelationship]):
    """Carries a bank to the broker, once; what got lost is found in the broker's list."""

    model = AchRelationship
    resends: ClassVar[bool] = False

    def send(self, intent: AchRelationship) -> Receipt:
        """Link the bank; see `Courier.send`."""
        is_signed_in = intent.linked_by == LinkedBy.PLAID
        kind: type[BankAccount | ProcessorToken] = ProcessorToken if is_signed_in else BankAccount
        bank = kind.from_bytes(intent.open_payload())
        return receipt_of(get_funds().link_bank(_broker_account(intent), bank))

    def find(self, intent: AchRelationship) -> Receipt | None:
        """Look for a bank that came up after our call and that no other row holds."""
        banks = get_funds().list_banks(_broker_account(intent))
        with acting_as(SYSTEM):
            taken = set(
                AchRelationship.objects.filter(account_id=intent.account_id)
                .exclude(pk=intent.pk)
                .values_list("broker_relationship_id", flat=True)
            )
        for bank in banks:
            if bank.broker_relationship_id not in taken and _is_new(intent, bank):
                return receipt_of(bank)
        return None

    def may_send(self, intent: AchRelationship) -> bool:
        """Hold it back while the account is not active."""
        return bool(intent.account.is_tradable)

    def settled(
        self,
        intent: AchRelationship,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,  # noqa: ARG002
    ) -> None:
        """Tell the customer, and apply the news that came before the answer."""
        if intent.state != IntentState.NEEDS_REVIEW:
            tell_status(intent)
        if intent.is_accepted:
            inbox.wake(rules.NEWS)
            enqueue("funding.apply_events")


def _broker_account(intent: AchRelationship) -> str:
    with acting_as(SYSTEM):
        broker_account_id = accounts.broker_id_of(intent.account)
    sending.release_connection()
    return broker_account_id


def _is_new(intent: AchRelationship, bank: LinkedBank) -> bool:
    if intent.sent_at is None or bank.created_at is None:
        return False
    return bank.created_at >= intent.sent_at - CLOCK_SKEW


def receipt_of(bank: LinkedBank) -> Receipt:
    """Put into a receipt what the broker shows of a bank."""
    alarm_if_unknown(bank.status, broker_relationship_id=bank.broker_relationship_id)
    return Receipt(
        bank.status,
        changes={
            "broker_relationship_id": bank.broker_relationship_id,
            "vendor_status_at": bank.updated_at,
        },
    )


def link_bank(
    *,
    principal: Principal,
    account_id: str | UUID,
    bank: BankAccount,
    request: idempotency.Request | None,
    at: datetime,
) -> AchRelationship:
    """
    Record a bank and submit it once; unsure outcomes are left to the sweep.

    A bank without an owner's name gets the name of the account's owner.

    :raises NotFound: there is no such account.
    :raises AccountNotActive: the account may not move money yet.
    :raises Invalid: nobody knows whose the bank is.
    :raises RelationshipExists: the account has another bank, here or at the broker.
    :raises RelationshipRefused: the broker said no.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    if request:
        request.concerns(account.pk)
    relationship_id = _record(principal, account.pk, bank, request, at=at)
    relationship = sending.send_once(relationship_id, through=RelationshipCourier(), at=at)
    if relationship.state == IntentState.REJECTED:
        if relationship.vendor_status == RELATIONSHIP_EXISTS:
            look_for_lost_ones(account.pk)
            raise RelationshipExists(_UNKNOWN_BANK)
        raise RelationshipRefused(f"The broker refused the bank: {relationship.reason}")
    return relationship


def _record(
    principal: Principal,
    account_id: UUID,
    bank: BankAccount,
    request: idempotency.Request | None,
    *,
    at: datetime,
) -> UUID:
    wanted = new_id()
    with acting_as(principal):
        claimed = idempotency.claim(request, resource_id=wanted)
        if claimed != wanted:
            return claimed
        # The lock lets one request at a time ask whether there is a bank already.
        account = account_services.lock_account(account_id=account_id)
        rules.demand_active(account)
        demand_no_bank(account.pk)
        if not bank.owner_name:
            bank = replace(bank, owner_name=_owner_name_of(account))
        kept = Bank(
            user_id=account.user_id,
            account_id=account.pk,
            account_type=bank.account_type,
            nickname=bank.nickname,
            number=bank.number,
            routing_number=bank.routing_number,
        )
        linked = AchRelationship.link(kept, pk=claimed, secret=bank.to_bytes(), at=at)
        _note_if_seen_elsewhere(linked)
    return claimed


def demand_no_bank(account_id: UUID) -> None:
    """
    Let only accounts without an active bank pass; the caller is acting as somebody.

    :raises RelationshipExists: there is one; its id is in the error.
    """
    bank = AchRelationship.objects.active().filter(account_id=account_id).first()
    if bank is not None:
        raise RelationshipExists(extra={"relationship_id": bank.public_id})


def _owner_name_of(account: Any) -> str:
    name = accounts.owner_name_of(account)
    if not name:
        rule = "Name the owner of the bank account."
        raise Invalid(f"accountOwnerName: {rule}", field_errors={"accountOwnerName": [rule]})
    return name


def _note_if_seen_elsewhere(bank: AchRelationship) -> None:
    """Leave a trace for staff: couples share a bank account, and so do people with bad aims."""
    with acting_as(SYSTEM):
        others = AchRelationship.objects.seen_elsewhere(bank)
        count = others.values("user_id").distinct().count()
    if count:
        logger.warning("relationship.seen_elsewhere", id=str(bank.pk), count=count)


def look_for_lost_ones(account_id: UUID) -> None:
    """Have banks under review looked up now: the one that the broker has may be one of them."""
    with acting_as(SYSTEM):
        lost = AchRelationship.objects.filter(account_id=account_id, state=IntentState.NEEDS_REVIEW)
        if lost.update(due_at=Now()):
            enqueue("funding.refresh_relationships")


def tell_status(bank: AchRelationship) -> None:
    """Tell the account's owner how their bank stands, in the caller's transaction."""
    account_services.push(
        account_id=bank.account_id,
        user_id=bank.user_id,
        kind=BANK_STATUS,
        payload={"relationship_id": bank.public_id, "status": bank.public_status},
    )


def alarm_if_unknown(status: str, *, broker_relationship_id: str) -> None:
    """Report a word we do not know; it is kept, opens nothing, and somebody must learn it."""
    if status not in states.RELATIONSHIP_KNOWN:
        logger.error(
            "relationship.unknown_status",
            status=status[:64],
            broker_relationship_id=broker_relationship_id,
        )
