"""Questions about closures: whether one may begin, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings

from accounts import selectors as accounts
from closure.models import ClosingRequest, Closure, ClosureStep
from closure.states import COUNTED, ClosureState, Step
from core.auth import Principal, acting_as
from core.errors import NotFound
from core.intents.states import UNDECIDED
from funding import selectors as funding
from funding.services import dates
from funding.states import Direction
from market import selectors as market
from trading import selectors as trading

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount
    from funding.models import AchRelationship, Transfer
    from trading.models import CashBalance, Order, Position

NO_CLOSURE: Final = "No closure of this account was ever asked for."
MOST_CLOSURES: Final = 100


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """Something that must be settled before an account may be closed."""

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether a closure may begin, and what the account holds."""

    account: "BrokerageAccount"
    blockers: Sequence[Blocker]
    orders: Sequence["Order"]
    positions: Sequence["Position"]
    cash: "CashBalance | None"
    banks: Sequence["AchRelationship"]

    @property
    def is_ready(self) -> bool:
        """Say whether nothing stands in the way."""
        return not self.blockers


def readiness(*, principal: Principal, account_id: str | UUID) -> Readiness:
    """
    Say whether an account may be closed now, and what stands in the way.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    banks = usable_banks(principal=principal, account_id=account.pk)
    return Readiness(
        account=account,
        blockers=[
            *blockers_of(principal=principal, account=account, banks=banks),
            *_running(account),
        ],
        orders=open_orders(principal=principal, account_id=account.pk),
        positions=trading.list_positions(principal=principal, account_id=account.pk),
        cash=trading.get_cash(principal=principal, account_id=account.pk),
        banks=banks,
    )


def usable_banks(*, principal: Principal, account_id: UUID) -> "list[AchRelationship]":
    """
    List the banks through which money may leave an account.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    banks = funding.list_relationships(principal=principal, account_id=account_id)
    return [bank for bank in banks if is_good(bank, principal=principal)]


def _running(account: "BrokerageAccount") -> list[Blocker]:
    if not account.is_closing:
        return []
    return [Blocker(code="account_closing", detail="The account is being closed already.")]


def blockers_of(
    *, principal: Principal, account: "BrokerageAccount", banks: Sequence["AchRelationship"]
) -> list[Blocker]:
    """List what stands in the way of closing an account, apart from a closure that is running."""
    found = _bars(account)
    if not banks:
        detail = "Link a bank and wait until it is approved: the money has to go somewhere."
        found.append(Blocker(code="no_approved_bank", detail=detail))
    moving = [
        transfer
        for transfer in transfers_of(principal=principal, account_id=account.pk)
        if is_unfinished(transfer)
    ]
    if any(transfer.direction == Direction.INCOMING for transfer in moving):
        detail = "A deposit is still on its way; wait until it has arrived."
        found.append(Blocker(code="deposit_under_way", detail=detail))
    if any(transfer.direction == Direction.OUTGOING for transfer in moving):
        detail = "A withdrawal is still on its way; wait until it has arrived."
        found.append(Blocker(code="withdrawal_under_way", detail=detail))
    return found


def _bars(account: "BrokerageAccount") -> list[Blocker]:
    bar = bar_of(account)
    if not bar:
        return []
    code = "account_frozen" if account.is_frozen else "account_not_active"
    return [Blocker(code=code, detail=bar)]


def bar_of(account: "BrokerageAccount") -> str:
    """Say why nothing may be done with an account, or nothing."""
    if account.is_frozen:
        return "The account's orders and transfers are stopped for now; ask support."
    if not account.is_tradable:
        return f"The account is {account.public_status}; only an ACTIVE one can be closed."
    return ""


def is_good(bank: "AchRelationship", *, principal: Principal) -> bool:
    """Say whether money may be sent to a bank."""
    with acting_as(principal):
        return bool(bank.is_usable) and not funding.why_unusable(bank)


def transfers_of(*, principal: Principal, account_id: UUID) -> "list[Transfer]":
    """List the latest transfers of an account."""
    page = funding.list_transfers(
        principal=principal, account_id=account_id, limit=funding.MOST_TRANSFERS
    )
    return page.transfers


def is_unfinished(transfer: "Transfer") -> bool:
    """Say whether a transfer may be about to move money."""
    return transfer.state in UNDECIDED or (transfer.is_accepted and not transfer.has_ended)


def open_orders(*, principal: Principal, account_id: UUID) -> "list[Order]":
    """List the orders by which something may yet be bought or sold."""
    wanted = trading.OrderFilter(status="open", limit=500)
    return trading.list_orders(principal=principal, account_id=account_id, wanted=wanted)


def get_closure(*, principal: Principal, account_id: str | UUID) -> Closure:
    """
    Return the latest closure of an account, named by the account or by the closure itself.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        named = _named(account_id)
        if named is not None:
            return named
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        found = Closure.objects.select_related("account", "relationship")
        closure = found.filter(account_id=account.pk).order_by("-id").first()
    if closure is None:
        raise NotFound(NO_CLOSURE)
    return closure


def _named(closure_id: str | UUID) -> Closure | None:
    try:
        pk = UUID(str(closure_id))
    except ValueError:
        return None
    return Closure.objects.select_related("account", "relationship").filter(pk=pk).first()


def list_live(*, principal: Principal) -> list[Closure]:
    """List the principal's closures that are not over, the newest first."""
    with acting_as(principal):
        found = Closure.objects.live().select_related("account", "relationship")
        return list(found.order_by("-id")[:MOST_CLOSURES])


def list_steps(*, principal: Principal, closure_id: UUID) -> list[ClosureStep]:
    """List what was done for a closure, the oldest first."""
    with acting_as(principal):
        return list(ClosureStep.objects.filter(closure_id=closure_id).order_by("id"))


def get_request(*, principal: Principal, request_id: UUID) -> ClosingRequest | None:
    """Return a request to the broker to close an account, or nothing before it was made."""
    with acting_as(principal):
        return ClosingRequest.objects.filter(pk=request_id).first()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a closure has come, and what the account still holds."""

    closure: Closure
    account: "BrokerageAccount"
    open_orders: int
    open_positions: int
    cash: Decimal | None
    withdrawable: Decimal | None
    withdrawals: Sequence["Transfer"]
    estimated_on: date | None

    @property
    def is_ready_for_next_step(self) -> bool:
        """Say whether nothing keeps the closure where it is."""
        return self.closure.state == ClosureState.RUNNING and not self.closure.problem


def progress(*, principal: Principal, account_id: str | UUID, at: datetime) -> Progress:
    """
    Say how far the latest closure of an account has come.

    :raises NotFound: there is none, or it is somebody else's.
    """
    closure = get_closure(principal=principal, account_id=account_id)
    account_pk = closure.account_id
    cash = trading.get_cash(principal=principal, account_id=account_pk)
    return Progress(
        closure=closure,
        account=closure.account,
        open_orders=len(open_orders(principal=principal, account_id=account_pk)),
        open_positions=len(trading.list_positions(principal=principal, account_id=account_pk)),
        cash=None if cash is None else cash.cash,
        withdrawable=None if cash is None else cash.withdrawable,
        withdrawals=withdrawals_of(closure, principal=principal),
        estimated_on=_estimate(closure, cash, at=at),
    )


def withdrawals_of(closure: Closure, *, principal: Principal) -> "list[Transfer]":
    """List what was withdrawn since a closure began, the newest first."""
    return [
        transfer
        for transfer in transfers_of(principal=principal, account_id=closure.account_id)
        if transfer.direction == Direction.OUTGOING and transfer.created_at >= closure.created_at
    ]


def _estimate(closure: Closure, cash: "CashBalance | None", *, at: datetime) -> date | None:
    """Say on which working day the account may be closed, or nothing when nobody can tell."""
    if not closure.is_live or closure.step == Step.CLOSE:
        return None if not closure.is_live else dates.today(at)
    daily = settings.TRANSFER_DAILY_AMOUNT
    rest = Decimal(0) if cash is None else max(cash.cash, Decimal(0))
    days: int = settings.ACH_BUSINESS_DAYS + max(0, ceil(rest / daily) - 1)
    begins = max(closure.settles_on or dates.today(at), dates.today(at))
    if COUNTED.index(Step.SETTLE) > _place(closure.step):
        days += 1
    return begins if days < 1 else market.add_business_days(begins, days)


def _place(step: str) -> int:
    return COUNTED.index(Step(step)) if step in COUNTED else -1
