"""Moving money between an account and its bank."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Final
from uuid import UUID

import structlog

from accounts import selectors as accounts
from accounts import services as account_services
from core import idempotency, inbox
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError
from core.events import publish
from core.ids import new_id
from core.intents import sending
from core.intents.couriers import Courier, Receipt
from core.intents.states import IntentState
from core.jobs import enqueue
from core.money import Money
from funding import selectors, states
from funding.events import TransferSettled
from funding.gateways import MovedMoney, Payment, get_funds
from funding.models import Transfer
from funding.services import rules

logger = structlog.get_logger()
# The broker's clock and ours may differ by this much.
CLOCK_SKEW: Final = timedelta(minutes=5)


class RelationshipNotApproved(CleraError):
    """The bank is not ready."""

    code = "relationship_not_approved"
    status = 422
    detail = "The bank is not approved yet; wait until its status is APPROVED."


class TransferInProgress(CleraError):
    """Two lost transfers at once could not be told apart."""

    code = "transfer_in_progress"
    status = 409
    detail = "A transfer in this direction is still being submitted; wait until it is decided."


class TransferRefused(CleraError):
    """The broker gave a clear no."""

    code = "transfer_refused"
    status = 422
    detail = "The broker refused the transfer."


class TransferCourier(Courier[Transfer]):
    """
    Carries a transfer to the broker, once and never again.

    The broker takes no key of ours, so a lost one is found by its amount, direction, bank and
    time among the transfers that no other row holds.
    """

    model = Transfer
    resends: ClassVar[bool] = False

    def send(self, intent: Transfer) -> Receipt:
        """Ask for the transfer; see `Courier.send`."""
        broker_account_id, payment = _asked(intent)
        return _receipt(get_funds().move_money(broker_account_id, payment))

    def find(self, intent: Transfer) -> Receipt | None:
        """Look for the transfer in the broker's list."""
        broker_account_id, payment = _asked(intent)
        listed = get_funds().list_transfers(broker_account_id, direction=payment.direction)
        with acting_as(SYSTEM):
            taken = set(
                Transfer.objects.filter(account_id=intent.account_id)
                .exclude(pk=intent.pk)
                .values_list("broker_transfer_id", flat=True)
            )
        candidates = [
            moved
            for moved in listed
            if moved.broker_transfer_id not in taken and _fits(moved, payment, intent.sent_at)
        ]
        if len(candidates) > 1:
            logger.error("transfer.several_candidates", id=str(intent.pk), count=len(candidates))
        oldest = min(candidates, key=lambda moved: str(moved.created_at), default=None)
        return None if oldest is None else _receipt(oldest)

    def may_send(self, intent: Transfer) -> bool:
        """Hold it back when the account or the bank has been shut since it was asked for."""
        return bool(intent.account.is_tradable) and intent.relationship.is_usable

    def settled(
        self,
        intent: Transfer,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,  # noqa: ARG002
    ) -> None:
        """Apply the news that came before the answer, and tell of one that is over already."""
        if intent.is_accepted:
            inbox.wake(rules.NEWS)
            enqueue("funding.apply_events")
        if intent.has_ended:
            publish(TransferSettled(intent.pk, intent.account_id))


def _asked(intent: Transfer) -> tuple[str, Payment]:
    with acting_as(SYSTEM):
        broker_account_id = accounts.broker_id_of(intent.account)
        bank = intent.relationship.broker_relationship_id
    sending.release_connection()
    return broker_account_id, Payment(bank, intent.direction, intent.amount)


def _fits(moved: MovedMoney, payment: Payment, sent_at: datetime | None) -> bool:
    if sent_at is None or moved.created_at is None:
        return False
    found = (moved.broker_relationship_id, moved.direction, moved.amount)
    asked = (payment.broker_relationship_id, payment.direction, payment.amount)
    return found == asked and moved.created_at >= sent_at - CLOCK_SKEW


def _receipt(moved: MovedMoney) -> Receipt:
    alarm_if_unknown(moved.status, broker_transfer_id=moved.broker_transfer_id)
    return Receipt(
        moved.status,
        reason=moved.reason,
        changes={
            "broker_transfer_id": moved.broker_transfer_id,
            "vendor_status_at": moved.updated_at,
            "fee": None if moved.fee is None else Money.rounded(moved.fee).amount,
            "expires_at": moved.expires_at,
        },
    )


def move_money(
    *,
    principal: Principal,
    account_id: str | UUID,
    relationship_id: str | UUID,
    amount: Decimal,
    direction: str,
    request: idempotency.Request | None,
    at: datetime,
) -> Transfer:
    """
    Record a transfer and submit it once; unsure outcomes are left to the sweep.

    :raises NotFound: there is no such account, or it has no such bank.
    :raises AccountNotActive: the account may not move money yet.
    :raises RelationshipNotApproved: the bank is not ready.
    :raises TransferInProgress: another one in this direction is not decided.
    :raises TransferRefused: the broker said no.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    transfer_id = _record(
        principal,
        account.pk,
        relationship_id,
        amount=Money(amount).amount,
        direction=direction,
        request=request,
    )
    transfer = sending.send_once(transfer_id, through=TransferCourier(), at=at)
    if transfer.state == IntentState.REJECTED:
        raise TransferRefused(f"The broker refused the transfer: {transfer.reason}")
    return transfer


def _record(
    principal: Principal,
    account_id: UUID,
    relationship_id: str | UUID,
    *,
    amount: Decimal,
    direction: str,
    request: idempotency.Request | None,
) -> UUID:
    wanted = new_id()
    with acting_as(principal):
        account = account_services.lock_account(account_id=account_id)
        relationship = selectors.get_relationship(
            principal=principal, account_id=account.pk, relationship_id=relationship_id
        )
        if request:
            request.concerns(account.pk, relationship.pk)
        claimed = idempotency.claim(request, resource_id=wanted)
        if claimed != wanted:
            return claimed
        rules.demand_active(account)
        if not relationship.is_usable:
            raise RelationshipNotApproved
        undecided = Transfer.objects.undecided().filter(
            account_id=account.pk, relationship=relationship, direction=direction
        )
        if undecided.exists():
            raise TransferInProgress
        Transfer.ask(pk=claimed, relationship=relationship, direction=direction, amount=amount)
    return claimed


def dismiss(*, transfer_id: UUID, at: datetime) -> Transfer:
    """
    Record an operator's finding that the broker never got a transfer under review.

    Any other transfer stays as it is.
    """
    return sending.dismiss(transfer_id, through=TransferCourier(), at=at)


def alarm_if_unknown(status: str, *, broker_transfer_id: str) -> None:
    """Report a word we do not know; it is kept, ends nothing, and somebody must learn it."""
    if status not in states.TRANSFER_KNOWN:
        logger.error(
            "transfer.unknown_status", status=status[:64], broker_transfer_id=broker_transfer_id
        )
