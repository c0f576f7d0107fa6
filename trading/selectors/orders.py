"""Questions about orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import NotFound
from core.intents.models import IntentStep
from trading.models import Execution, Order, OrderReport

MOST_ORDERS = 500


@dataclass(frozen=True, kw_only=True)
class OrderFilter:
    """
    Which orders are meant, as the reference's query says it.

    `is_nested` shows the exits of a listed order inside it only. `after_order` is the last order of
    the page before.
    """

    status: str = "open"
    limit: int = 50
    after: datetime | None = None
    until: datetime | None = None
    is_ascending: bool = False
    side: str = ""
    is_nested: bool = False
    symbols: Sequence[str] = ()
    after_order: UUID | None = None


def list_orders(
    *, principal: Principal, account_id: str | UUID, wanted: OrderFilter
) -> list[Order]:
    """
    List an account's orders, the newest first unless asked otherwise.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        orders = Order.objects.filter(_conditions(wanted), account_id=account.pk)
        if wanted.status == "open":
            orders = orders.working()
        elif wanted.status == "closed":
            orders = orders.exclude(pk__in=orders.working().values("pk"))
        if wanted.is_nested:
            # An exit whose order is not in the list, since it is over, stands for itself.
            orders = orders.exclude(parent__in=orders.values("pk")).prefetch_related("legs")
        if wanted.after_order:
            orders = orders.filter(_beyond(wanted.after_order, is_ascending=wanted.is_ascending))
        sign = "" if wanted.is_ascending else "-"
        ordered = orders.order_by(f"{sign}created_at", f"{sign}id")
        return list(ordered[: min(wanted.limit, MOST_ORDERS)])


def _conditions(wanted: OrderFilter) -> Q:
    conditions = Q()
    if wanted.after:
        conditions &= Q(created_at__gt=wanted.after)
    if wanted.until:
        conditions &= Q(created_at__lt=wanted.until)
    if wanted.symbols:
        conditions &= Q(symbol__in=wanted.symbols)
    if wanted.side:
        conditions &= Q(side=wanted.side)
    return conditions


def _beyond(order_id: UUID, *, is_ascending: bool) -> Q:
    """Keep what comes after one order; nothing does when there is no such order to be seen."""
    last = Order.objects.filter(pk=order_id).values_list("created_at", flat=True).first()
    if last is None:
        return Q(pk__in=[])
    if is_ascending:
        return Q(created_at__gt=last) | Q(created_at=last, pk__gt=order_id)
    return Q(created_at__lt=last) | Q(created_at=last, pk__lt=order_id)


def list_pending(*, principal: Principal) -> list[Order]:
    """List what is still under way in all of a customer's accounts, the newest first."""
    with acting_as(principal):
        orders = Order.objects.filter(user_id=principal.user_id).working()
        return list(orders.order_by("-created_at", "-id")[:MOST_ORDERS])


@dataclass(frozen=True, kw_only=True)
class OrderHistory:
    """What has become of an order: each move, each word of the broker, and each fill."""

    order: Order
    steps: Sequence[IntentStep]
    reports: Sequence[OrderReport]
    fills: Sequence[Execution]


def get_history(
    *, principal: Principal, account_id: str | UUID, order_id: str | UUID
) -> OrderHistory:
    """
    Tell what has become of an order, the oldest first.

    :raises NotFound: there is none, or it is somebody else's or another account's.
    """
    order = get_order(principal=principal, account_id=account_id, order_id=order_id)
    with acting_as(principal):
        return OrderHistory(
            order=order,
            steps=list(IntentStep.objects.filter(intent_id=order.pk).order_by("id")),
            reports=list(order.reports.defer("body").order_by("id")),
            fills=list(order.executions.order_by("at", "id")),
        )


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
        order = Order.objects.named(order_id).prefetch_related("legs").first()
    if order is None or (account is not None and order.account_id != account.pk):
        raise NotFound("There is no such order.")
    return order
