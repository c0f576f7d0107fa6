"""Whether money may move through a bank: its state, its removal and its past in one statement."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from core.errors import NotFound
from funding import return_codes, selectors, states
from funding.models import AchRelationship, BankRemoval, TransferReturn


@dataclass(frozen=True)
class Standing:
    """
    A bank as it stood at one moment.

    `is_usable` says whether the broker has approved it and nobody is removing it; `ended_by` is
    the code with which it has sent money back for good, or nothing.
    """

    bank: AchRelationship
    is_usable: bool
    ended_by: str


def named(relationship_id: str | UUID, *, account_id: UUID) -> Standing:
    """
    Read a bank of an account by our id or by the broker's; the caller is acting as somebody.

    :raises NotFound: there is none, or it is another account's or another customer's.
    """
    found = AchRelationship.objects.named(relationship_id, broker_column="broker_relationship_id")
    read = _with_bars(found.filter(account_id=account_id)).first()
    if read is None:
        raise NotFound(selectors.NO_RELATIONSHIP)
    return _standing_of(read)


def with_account(relationship_id: UUID) -> Standing:
    """Read a bank and the account that it belongs to; the caller is acting as somebody."""
    found = AchRelationship.objects.filter(pk=relationship_id).select_related("account")
    return _standing_of(_with_bars(found).get())


def _standing_of(read: Any) -> Standing:
    is_approved = read.is_accepted and read.vendor_status == states.APPROVED
    return Standing(
        bank=read, is_usable=is_approved and not read.is_going, ended_by=read.ended_by or ""
    )


def _with_bars(banks: QuerySet[AchRelationship]) -> QuerySet[Any]:
    removals = BankRemoval.objects.undecided().filter(relationship=OuterRef("pk"))
    ends = TransferReturn.objects.filter(
        transfer__relationship=OuterRef("pk"), code__in=sorted(return_codes.ENDS_BANK)
    )
    return banks.annotate(
        is_going=Exists(removals), ended_by=Subquery(ends.order_by("-id").values("code")[:1])
    )
