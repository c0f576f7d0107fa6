"""Questions about linked banks and transfers; each says whose it is asking for."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Count, Max, Q, Sum
from django.db.models.expressions import RawSQL

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import NotFound
from core.intents.states import IntentState
from funding import return_codes, states
from funding.models import UNDECIDED, AchRelationship, Transfer, TransferReturn
from funding.states import Direction

NO_RELATIONSHIP = "This account has no such bank relationship."
NO_TRANSFER = "This account has no such transfer."
MOST_TRANSFERS = 500
LATEST = 5
ZERO = Decimal("0.00")
_INTO, _OUT_OF = Q(direction=Direction.INCOMING), Q(direction=Direction.OUTGOING)
_MOVING = UNDECIDED | (
    Q(state=IntentState.ACCEPTED) & ~Q(vendor_status__in=sorted(states.TRANSFER_ENDED))
)


def list_relationships(*, principal: Principal, account_id: str | UUID) -> list[AchRelationship]:
    """
    List the banks of an account, the newest first.

    :raises NotFound: there is no such account.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        found = AchRelationship.objects.shown().filter(account_id=account.pk)
        found = found.select_related("account").prefetch_related("removals")
        return list(found.order_by("-id"))


@dataclass(frozen=True)
class TransferPage:
    """Some of an account's transfers, and how many there are in all."""

    transfers: list[Transfer]
    total_count: int


def list_transfers(
    *,
    principal: Principal,
    account_id: str | UUID,
    direction: str | None = None,
    limit: int = 50,
) -> TransferPage:
    """
    List the transfers of an account, the newest first.

    :raises NotFound: there is no such account.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        found = Transfer.objects.filter(account_id=account.pk)
        if direction is not None:
            found = found.filter(direction=direction)
        newest = found.select_related("relationship", "returned").order_by("-id")
        return TransferPage(list(newest[: min(limit, MOST_TRANSFERS)]), found.count())


def get_transfer(
    *, principal: Principal, account_id: str | UUID, transfer_id: str | UUID
) -> Transfer:
    """
    Return one transfer of an account, named by our id or by the broker's.

    :raises NotFound: there is none, or it is another account's or another customer's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        named = Transfer.objects.named(transfer_id, broker_column="broker_transfer_id")
        found = named.select_related("relationship", "returned").filter(account_id=account.pk)
        transfer = found.first()
    if transfer is None:
        raise NotFound(NO_TRANSFER)
    return transfer


@dataclass(frozen=True)
class Source:
    """What has come into an account from one of its banks."""

    relationship: AchRelationship
    total: Decimal
    count: int
    last_at: datetime | None


@dataclass(frozen=True)
class FundingSummary:
    """
    How an account is funded, in dollars.

    `deposited` and the sources count what has arrived and was not sent back; the pending amounts
    are on their way, or may be.
    """

    deposited: Decimal
    completed_count: int
    sources: list[Source]
    pending_in: Decimal
    pending_out: Decimal
    latest: list[Transfer]


@dataclass(frozen=True)
class Pending:
    """Dollars on their way into an account and out of it, or that may be."""

    into: Decimal
    out_of: Decimal


def pending_of(*, account_ids: Collection[UUID]) -> dict[UUID, Pending]:
    """
    Sum up what is on its way, of many accounts at once; those without such transfers lack.

    The caller is acting as somebody who may see it.
    """
    # Of a list with a parameter for each account, writing the statement would cost the most.
    wanted = RawSQL("account_id = ANY(%s)", [list(account_ids)], output_field=BooleanField())
    rows = (
        Transfer.objects.filter(_MOVING, wanted)
        .order_by()
        .values_list("account_id", "direction", "amount")
    )
    sums: dict[UUID, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(Direction, ZERO))
    for account_id, direction, amount in rows:
        sums[account_id][direction] += amount
    return {
        account_id: Pending(told[Direction.INCOMING], told[Direction.OUTGOING])
        for account_id, told in sums.items()
    }


def funding_summary(*, principal: Principal, account_id: str | UUID) -> FundingSummary:
    """
    Sum up how an account is funded.

    :raises NotFound: there is no such account.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    arrived = Q(state=IntentState.ACCEPTED, vendor_status__in=sorted(states.TRANSFER_ARRIVED))
    with acting_as(principal):
        found = Transfer.objects.filter(account_id=account.pk)
        sums = found.aggregate(
            deposited=_sum(arrived & _INTO),
            completed=Count("pk", filter=arrived),
            pending_in=_sum(_MOVING & _INTO),
            pending_out=_sum(_MOVING & _OUT_OF),
        )
        by_bank = found.filter(arrived & _INTO).values("relationship_id")
        told = by_bank.annotate(
            total=Sum("amount"), count=Count("pk"), last_at=Max("vendor_status_at")
        )
        figures = {each["relationship_id"]: each for each in told}
        banks = AchRelationship.objects.shown().filter(account_id=account.pk).order_by("-id")
        newest = found.select_related("relationship", "returned").order_by("-id")
        return FundingSummary(
            deposited=sums["deposited"],
            completed_count=sums["completed"],
            sources=[_source(bank, figures.get(bank.pk)) for bank in banks],
            pending_in=sums["pending_in"],
            pending_out=sums["pending_out"],
            latest=list(newest[:LATEST]),
        )


def _sum(condition: Q) -> Sum:
    return Sum("amount", filter=condition, default=ZERO)


def _source(bank: AchRelationship, figures: Mapping[str, Any] | None) -> Source:
    if figures is None:
        return Source(bank, ZERO, 0, None)
    return Source(bank, figures["total"], figures["count"], figures["last_at"])


def why_unusable(relationship: AchRelationship) -> str:
    """
    Return the code with which a bank has sent money back for good, or nothing.

    The caller is acting as somebody who may see the bank. Linking it anew makes another row,
    which has no such past.
    """
    ended = TransferReturn.objects.filter(
        transfer__relationship=relationship, code__in=sorted(return_codes.ENDS_BANK)
    )
    return ended.order_by("-id").values_list("code", flat=True).first() or ""


def get_relationship(
    *, principal: Principal, account_id: UUID, relationship_id: str | UUID
) -> AchRelationship:
    """
    Return one bank of an account, named by our id or by the broker's.

    :raises NotFound: there is none, or it is another account's or another customer's.
    """
    with acting_as(principal):
        found = AchRelationship.objects.named(
            relationship_id, broker_column="broker_relationship_id"
        )
        relationship = found.filter(account_id=account_id).first()
    if relationship is None:
        raise NotFound(NO_RELATIONSHIP)
    return relationship
