"""The blotter: orders, and what was bought and sold with them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from core.auth import Principal
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.deeds import Deed, Deeds, NothingForm
from core.backoffice.filters import STUCK, AgeFilter, ChosenFilter
from core.intents.admin import IntentAdmin
from core.intents.states import IntentState
from trading import services
from trading.admin import timeline
from trading.admin.base import OfShares
from trading.models import Execution, Order
from trading.services import review
from trading.states import TERMINAL, HeldFor, OrderClass


class Executions(OfShares, ReadOnlyInline):
    model = Execution
    fields = ("execution_id", "shares", "at_price", "at", "busted")
    readonly_fields = fields

    @admin.display(description="price")
    def at_price(self, execution: Execution) -> str:
        return columns.price(execution.price)


def _cancel(staff: Principal, order: Order, _given: Mapping[str, Any]) -> str:
    canceled = services.cancel_order(
        principal=staff, account_id=order.account_id, order_id=order.pk, at=timezone.now()
    )
    if not canceled.is_working:
        return "The order is canceled."
    return "The broker is asked to cancel the order; it may yet be filled."


_CANCEL: Final = Deed(
    title="Cancel the order",
    question="The broker is asked to cancel what is still open of it. A fill may come first.",
    button="Cancel it",
    form=NothingForm,
    do=_cancel,
    fits=lambda order: order.is_working,
    is_grave=True,
    asks_broker=True,
)


def _settle(staff: Principal, order: Order, given: Mapping[str, Any]) -> str:
    settled = review.settle_lost(
        staff=staff, order_id=order.pk, reason=given["reason"], at=timezone.now()
    )
    if settled.state == IntentState.REJECTED:
        return "The broker has no trace of the order; it is recorded as never placed."
    return "The broker has the order after all."


_SETTLE: Final = Deed(
    title="Settle the lost order",
    question="The broker is asked once more. What it has is taken over; if it has no trace of the"
    " order, it is recorded as never placed, and what it held back is free again.",
    button="Ask and settle",
    do=_settle,
    fits=lambda order: order.state == IntentState.NEEDS_REVIEW,
    is_grave=True,
    asks_broker=True,
)


class StuckOrderFilter(ChosenFilter):
    """Orders that do not move on by themselves, or that wait for something."""

    title = "who is stuck"
    parameter_name = "stuck"
    conditions: ClassVar[Mapping[str, tuple[str, Q]]] = {
        **STUCK,
        "held": ("Held back", Q(state=IntentState.HELD)),
        "canceling": (
            "Asked to be canceled, still open",
            Q(cancel_asked_at__isnull=False)
            & Q(state=IntentState.ACCEPTED)
            & ~Q(vendor_status__in=sorted(TERMINAL)),
        ),
        "untold": ("Filled, the ledger knows nothing", Q(posted_quantity__lt=F("filled_quantity"))),
    }


@admin.register(Order)
class OrderAdmin(OfShares, ExportsCsv, Deeds, IntentAdmin):
    """The blotter: every order, the newest first; it refreshes by itself."""

    list_display = (
        "short_id",
        "symbol",
        "side_label",
        "size",
        "kind_of_order",
        "filled",
        "account",
        "customer",
        "state_label",
        "vendor_label",
        "age",
    )
    list_filter: ClassVar[Any] = (
        StuckOrderFilter,
        "state",
        "held_for",
        "vendor_status",
        "side",
        "order_type",
        "order_class",
        "source",
        AgeFilter,
    )
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "broker_order_id__exact",
        "symbol__exact",
        "user_id__exact",
        "broker_account_id__exact",
    )
    search_help_text = "Our id, the broker's id, a symbol, the account's or the customer's id"
    about = (
        "id",
        "broker_order_id",
        "user_id",
        "account",
        "symbol",
        "side_label",
        "size",
        "kind_of_order",
        "prices",
        "filled",
        "source",
        "placed_by",
        "waits_for",
        "parent",
        "replaces",
        "reserved",
    )
    csv_columns = (
        "id",
        "broker_order_id",
        "user_id",
        "account_id",
        "symbol",
        "side",
        "quantity",
        "notional",
        "order_type",
        "order_class",
        "time_in_force",
        "limit_price",
        "stop_price",
        "filled_quantity",
        "average_price",
        "state",
        "vendor_status",
        "reason_code",
        "source",
        "placed_by",
        "created_at",
        "sent_at",
        "settled_at",
    )
    actions_detail = ("cancel_now", "settle_lost")
    offers = {"cancel_now": _CANCEL, "settle_lost": _SETTLE}
    inlines: ClassVar[Any] = [Executions]

    class Media:
        js = ("trading/blotter.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.defer("sealed_payload", "broker_record")

    def has_cancel_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("trading.cancel_order")

    @action(description=_CANCEL.title, icon="cancel", permissions=["cancel"], url_path="cancel")
    def cancel_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _CANCEL)

    def has_settle_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("trading.settle_order")

    @action(description=_SETTLE.title, icon="gavel", permissions=["settle"], url_path="settle")
    def settle_lost(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _SETTLE)

    @admin.display(description="order", ordering="order_type")
    def kind_of_order(self, order: Order) -> str:
        """Say in a few words what kind it is: `limit $10.00, gtc, bracket`."""
        words = [order.order_type.lower().replace("_", " ")]
        named = (order.stop_price, order.limit_price)
        words[0] += "".join(f" {columns.price(each)}" for each in named if each is not None)
        words.append(order.time_in_force.lower())
        if order.order_class != OrderClass.SIMPLE:
            words.append(order.order_class.lower())
        if order.extended_hours:
            words.append("extended hours")
        return ", ".join(words)

    @admin.display(description="prices")
    def prices(self, order: Order) -> SafeString | str:
        """List the prices that it names."""
        named = [
            (name, getattr(order, column))
            for name, column in _PRICES.items()
            if getattr(order, column) is not None
        ]
        texts = [f"{name}: {columns.price(value)}" for name, value in named]
        if order.trail_percent is not None:
            texts.append(f"trails by {order.trail_percent.normalize():f} %")
        return columns.lines(texts)

    @admin.display(description="filled", ordering="filled_quantity")
    def filled(self, order: Order) -> str:
        if not order.filled_quantity:
            return columns.NOTHING
        return f"{columns.shares(order.filled_quantity)} at {columns.price(order.average_price)}"

    @admin.display(description="waits for")
    def waits_for(self, order: Order) -> str:
        """Say what holds it back."""
        if order.held_for == HeldFor.OPEN and order.opens_at is not None:
            return f"the opening at {order.opens_at:%Y-%m-%d %H:%M} UTC"
        if order.held_for:
            return "somebody to lift the kill switch"
        return columns.NOTHING

    @admin.display(description="reserved")
    def reserved(self, order: Order) -> str:
        if order.reserved_cash:
            return columns.dollars(order.reserved_cash)
        return columns.shares(order.reserved_quantity) if order.reserved_quantity else "-"

    def history(self, intent: Any) -> SafeString:
        """Show every move, verdict, fill and word of the broker in one line of time."""
        return timeline.render(intent)

    history.short_description = "what happened"  # type: ignore[attr-defined]


_PRICES: Final = {
    "limit": "limit_price",
    "stop": "stop_price",
    "trails by": "trail_price",
    "take profit": "take_profit_price",
    "stop loss": "stop_loss_price",
    "stop loss limit": "stop_loss_limit_price",
}


@admin.register(Execution)
class ExecutionAdmin(OfShares, ReadOnlyAdmin):
    ordering = ("-at",)
    list_display = (
        "short_id",
        "symbol",
        "side_label",
        "shares",
        "at_price",
        "account",
        "customer",
        "busted",
        "filled_at",
    )
    list_filter = ("side", "is_busted", AgeFilter)
    list_select_related = ("account",)
    search_fields = (
        "execution_id__exact",
        "order__id__exact",
        "order__broker_order_id__exact",
        "symbol__exact",
        "user_id__exact",
    )
    search_help_text = "The broker's id of the fill, an order's id, a symbol, the customer's id"
    fields = (
        "id",
        "execution_id",
        "order",
        "account",
        "user_id",
        "symbol",
        "side_label",
        "shares",
        "at_price",
        "at",
        "busted",
        "created_at",
    )
    readonly_fields = fields

    @admin.display(description="price", ordering="price")
    def at_price(self, execution: Execution) -> str:
        return columns.price(execution.price)

    @admin.display(description="age", ordering="-at")
    def filled_at(self, execution: Execution) -> SafeString | str:
        return columns.age(execution.at, at=timezone.now())
