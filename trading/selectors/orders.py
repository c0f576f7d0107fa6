"""Questions about orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import NotFound
from trading.models import Order

if TYPE_CHECKING:
    pass


MOST_ORDERS = 500


@dataclass(frozen=True, kw_only=True)
class OrderFilter:
    """Which orders are meant, as the reference's query says it."""

    status: str = "open"
    limit: int = 50
    after: datetime | None = None
    until: datetime | None = None
    is_ascending: bool = False
    symbols: Sequence[str] = ()


def list_orders(
    *, principal: Principal, account_id: str | UUID, wanted: OrderFilter
) -> list[Order]:
    """
    List an account's orders, the newest first unless asked otherwise.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    conditions = Q(account_id=account.pk)
    if wanted.after:
        conditions &= Q(created_at__gt=wanted.after)
    if wanted.until:
        conditions &= Q(created_at__lt=wanted.until)
    if wanted.symbols:
        conditions &= Q(symbol__in=wanted.symbols)
    with acting_as(principal):
        orders = Order.objects.filter(conditions)
        if wanted.status == "open":
            orders = orders.working()
        elif wanted.status == "closed":
            orders = orders.exclude(pk__in=orders.working().values("pk"))
        order = "created_at" if wanted.is_ascending else "-created_at"
        return list(orders.order_by(order, "-id")[: min(wanted.limit, MOST_ORDERS)])


def get_order(
    *, principal: Principal, order_id: str | UUID, account_id: str | UUID | None = None
) -> Order:
    """
    Return one order of the principal, named by our id or by the broker's.

    :raises NotFound: there is none, or it is somebody else's or another account's.
    """
    account = (
        accounts.get_account(principal=principal, account_id=account_id) if account_id else None
    )
    with acting_as(principal):
        order = Order.objects.named(order_id).first()
    if order is None or (account is not None and order.account_id != account.pk):
        raise NotFound("There is no such order.")
    return order
