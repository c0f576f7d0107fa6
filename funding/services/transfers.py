"""Moving money between an account and its bank."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
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
from core.money import Money
from funding import return_codes, states
from funding.gateways import MovedMoney, Payment, get_funds
from funding.models import AchRelationship, Transfer
from funding.services import bank_standing, dates, evidence, limits, outcomes, rules
from funding.states import Direction
from ledger import selectors as ledger_selectors
from ledger import services as ledger

logger = structlog.get_logger()
# The broker's clock and ours may differ by this much.
CLOCK_SKEW: Final = timedelta(minutes=5)


class RelationshipNotApproved(CleraError):
    """The bank is not ready."""

    code = "relationship_not_approved"
    status = 422
    detail = "The bank is not approved yet; wait until its status is APPROVED."


class RelationshipUnusable(CleraError):
    """A bank has sent money back in a way that ends what can be done with it."""

    code = "relationship_unusable"
    status = 422
    detail = "The bank can no longer be used; link it anew."


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
        """Ask for the transfer; `may_send` has read account and bank. See `Courier.send`."""
        broker_account_id, payment = _asked(intent)
        return receipt_of(get_funds().move_money(broker_account_id, payment))

    def find(self, intent: Transfer) -> Receipt | None:
        """Look for the transfer in the broker's list."""
        _read_bank(intent)
        broker_account_id, payment = _asked(intent)
        listed = get_funds().list_transfers(broker_account_id, direction=payment.direction)
        with acting_as(SYSTEM):
            taken = set(
                Transfer.objects.filter(account_id=intent.account_id)
                .exclude(pk=intent.pk)
                .values_list("broker_transfer_id", flat=True)
            )
            evidence.keep(intent.pk, listed, taken=taken)
        candidates = [
            moved
            for moved in listed
            if moved.broker_transfer_id not in taken and _fits(moved, payment, intent.sent_at)
        ]
        if len(candidates) > 1:
            logger.error("transfer.several_candidates", id=str(intent.pk), count=len(candidates))
        oldest = min(candidates, key=lambda moved: str(moved.created_at), default=None)
        return None if oldest is None else receipt_of(oldest)

    def may_send(self, intent: Transfer) -> bool:
        """Hold it back when the account or the bank has been shut since it was asked for."""
        standing = bank_standing.with_account(intent.relationship_id)
        intent.relationship, intent.account = standing.bank, standing.bank.account
        is_open = bool(intent.account.is_tradable) and standing.is_usable
        return is_open and not standing.ended_by

    def lock_above(self, intent_id: UUID) -> None:
        """Lock the account first, as whoever posts to its ledger does."""
        account_id = Transfer.objects.values_list("account_id", flat=True).get(pk=intent_id)
        account_services.lock_account(account_id=account_id)

    def settled(
        self,
        intent: Transfer,
        *,
        before: IntentState,  # noqa: ARG002 - the courier's signature
        at: datetime,
    ) -> None:
        """Apply the news that came before the answer, and do what follows from the answer."""
        if intent.is_accepted:
            inbox.wake(rules.NEWS)
            enqueue("funding.apply_events")
        outcomes.follow(intent, at=at)


def _read_bank(intent: Transfer) -> None:
    """Read what `_asked` needs of the bank and the account."""
    with acting_as(SYSTEM):
        banks = AchRelationship.objects.select_related("account")
        intent.relationship = banks.get(pk=intent.relationship_id)
        intent.account = intent.relationship.account
    sending.release_connection()


def _asked(intent: Transfer) -> tuple[str, Payment]:
    """Say at which of the broker's accounts what is asked; bank and account were read before."""
    bank = intent.relationship.broker_relationship_id
    payment = Payment(bank, intent.direction, intent.amount)
    return accounts.broker_id_of(intent.account), payment


def _fits(moved: MovedMoney, payment: Payment, sent_at: datetime | None) -> bool:
    if sent_at is None or moved.created_at is None:
        return False
    found = (moved.broker_relationship_id, moved.direction, moved.amount)
    asked = (payment.broker_relationship_id, payment.direction, payment.amount)
    return found == asked and moved.created_at >= sent_at - CLOCK_SKEW


def receipt_of(moved: MovedMoney) -> Receipt:
    """Put into a receipt what the broker shows of a transfer."""
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
    transfer_id: UUID | None = None,
) -> Transfer:
    """
    Record a transfer and submit it once; unsure outcomes are left to the sweep.

    :param transfer_id: our id for it; one that exists with this id is only sent on and returned.
    :raises NotFound: there is no such account, or it has no such bank.
    :raises AccountNotActive: the account may not move money yet.
    :raises AccountClosing: money was to come in, and the account is being closed.
    :raises RelationshipNotApproved: the bank is not ready.
    :raises RelationshipUnusable: the bank has sent money back for good.
    :raises TransferLimitReached: it is more than the account may move, now or at all.
    :raises InsufficientCash: there is not so much free cash to withdraw.
    :raises TransferInProgress: another one in this direction is not decided.
    :raises TransferRefused: the broker said no.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    plan = dates.plan(at=at)
    asked = _Asked(relationship_id, Money(amount).amount, direction, plan, at, transfer_id)
    recorded_id = _record(principal, account.pk, asked, request)
    transfer = sending.send_once(recorded_id, through=TransferCourier(), at=at)
    if transfer.state == IntentState.REJECTED:
        raise TransferRefused(f"The broker refused the transfer: {transfer.reason}")
    return transfer


@dataclass(frozen=True)
class _Asked:
    """What is to be moved, which way, and when that is."""

    relationship_id: str | UUID
    amount: Decimal
    direction: str
    plan: dates.Plan
    at: datetime
    transfer_id: UUID | None = None


@dataclass(frozen=True)
class Room:
    """How much an account may withdraw now, and to which working day that would belong."""

    business_date: date | None
    most: Decimal
    # The cash that may be withdrawn as far as the ledger knows; nothing where it sets no limit.
    available: Decimal | None


def withdrawal_room(*, account_id: UUID, at: datetime) -> Room:
    """
    Say how much the limits, and the cash that the ledger knows, let an account withdraw now.

    May ask the broker for its calendar, so it has no place inside a transaction.
    """
    plan = dates.plan(at=at)
    with acting_as(SYSTEM):
        facts = limits.facts_for(
            account_id=account_id,
            direction=Direction.OUTGOING,
            business_date=plan.business_date,
            cash=ledger_selectors.cash_of(account_id=account_id),
            at=at,
        )
    return Room(plan.business_date, limits.left(facts), facts.available)


def _record(
    principal: Principal, account_id: UUID, asked: _Asked, request: idempotency.Request | None
) -> UUID:
    wanted = asked.transfer_id or new_id()
    with acting_as(principal):
        account = account_services.lock_account(account_id=account_id)
        if asked.transfer_id and Transfer.objects.filter(pk=wanted).exists():
            return wanted
        standing = bank_standing.named(asked.relationship_id, account_id=account.pk)
        bank = standing.bank
        if request:
            request.concerns(account.pk, bank.pk)
        claimed = idempotency.claim(request, resource_id=wanted, is_alone=True)
        if claimed != wanted:
            return claimed
        rules.demand_active(account)
        if account.is_closing and asked.direction == Direction.INCOMING:
            raise rules.AccountClosing
        _demand_usable(standing)
        undecided = Transfer.objects.undecided().filter(
            account_id=account.pk, relationship=bank, direction=asked.direction
        )
        if undecided.exists():
            raise TransferInProgress
        _write(claimed, bank, asked)
    return claimed


def _demand_usable(standing: bank_standing.Standing) -> None:
    if not standing.is_usable:
        raise RelationshipNotApproved
    code = standing.ended_by
    if code:
        meaning = return_codes.explain(code).meaning
        raise RelationshipUnusable(f"{meaning} Link a bank anew ({code}).")


def _write(pk: UUID, bank: AchRelationship, asked: _Asked) -> None:
    """Write the transfer down if the limits let it pass, and hold back what it takes."""
    is_withdrawal = asked.direction == Direction.OUTGOING
    cash = ledger_selectors.cash_of(account_id=bank.account_id) if is_withdrawal else None
    facts = limits.facts_for(
        account_id=bank.account_id,
        direction=asked.direction,
        business_date=asked.plan.business_date,
        cash=cash,
        at=asked.at,
    )
    refusal = limits.judge(asked.amount, facts)
    if refusal is not None:
        raise refusal.to_error()
    transfer = Transfer.ask(
        pk=pk,
        relationship=bank,
        direction=asked.direction,
        amount=asked.amount,
        business_date=asked.plan.business_date,
        expected_on=asked.plan.expected_on,
    )
    if facts.available is not None:
        ledger.hold(
            account_id=bank.account_id,
            user_id=bank.user_id,
            reference=pk,
            amount=asked.amount,
            at=asked.at,
        )
    outcomes.tell(transfer)


def alarm_if_unknown(status: str, *, broker_transfer_id: str) -> None:
    """Report a word we do not know; it is kept, ends nothing, and somebody must learn it."""
    if status not in states.TRANSFER_KNOWN:
        logger.error(
            "transfer.unknown_status", status=status[:64], broker_transfer_id=broker_transfer_id
        )
