"""Questions about linked banks and transfers; each says whose it is asking for."""

from dataclasses import dataclass
from uuid import UUID

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import NotFound
from funding.models import AchRelationship, Transfer

NO_RELATIONSHIP = "This account has no such bank relationship."
MOST_TRANSFERS = 500


def list_relationships(*, principal: Principal, account_id: str | UUID) -> list[AchRelationship]:
    """
    List the banks of an account, the newest first.

    :raises NotFound: there is no such account.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        found = AchRelationship.objects.shown().filter(account_id=account.pk)
        return list(found.select_related("account").order_by("-id"))


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
        newest = found.select_related("relationship").order_by("-id")
        return TransferPage(list(newest[: min(limit, MOST_TRANSFERS)]), found.count())


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
