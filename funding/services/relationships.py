"""Linking a bank by its numbers."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

import structlog

from accounts import selectors as accounts
from accounts import services as account_services
from core import idempotency, inbox
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from core.jobs import enqueue
from funding import states
from funding.gateways import RELATIONSHIP_EXISTS, BankAccount, LinkedBank, get_funds
from funding.models import AchRelationship, Bank
from funding.services import rules

logger = structlog.get_logger()
# The broker's clock and ours may differ by this much.
CLOCK_SKEW: Final = timedelta(minutes=5)


class RelationshipExists(CleraError):
    """An account has one bank at a time."""

    code = "relationship_exists"
    status = 409
    detail = "This account has an active bank already; remove it before you link another."


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
        bank = BankAccount.from_bytes(intent.open_payload())
        return _receipt(get_funds().link_bank(_broker_account(intent), bank))

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
                return _receipt(bank)
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
        """Apply the news that came before the answer."""
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


def _receipt(bank: LinkedBank) -> Receipt:
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
            raise RelationshipExists
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
        if AchRelationship.objects.active().filter(account_id=account.pk).exists():
            raise RelationshipExists
        if not bank.owner_name:
            bank = replace(bank, owner_name=accounts.owner_name_of(account))
        kept = Bank(
            user_id=account.user_id,
            account_id=account.pk,
            account_type=bank.account_type,
            nickname=bank.nickname,
            number=bank.number,
            routing_number=bank.routing_number,
        )
        AchRelationship.link(kept, pk=claimed, secret=bank.to_bytes(), at=at)
    return claimed


def alarm_if_unknown(status: str, *, broker_relationship_id: str) -> None:
    """Report a word we do not know; it is kept, opens nothing, and somebody must learn it."""
    if status not in states.RELATIONSHIP_KNOWN:
        logger.error(
            "relationship.unknown_status",
            status=status[:64],
            broker_relationship_id=broker_relationship_id,
        )
