"""The blotter: orders, and what was bought and sold with them."""

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.admin import IntentAdmin
from trading.admin.base import OfShares
from trading.models import Execution, Order


class Executions(OfShares, ReadOnlyInline):
    model = Execution
    fields = ("execution_id", "shares", "at_price", "at", "busted")
    readonly_fields = fields

    @admin.display(description="price")
    def at_price(self, execution: Execution) -> str:
        return columns.price(execution.price)


@admin.register(Order)
class OrderAdmin(OfShares, IntentAdmin):
    """The blotter."""

    list_display = (
        "short_id",
        "symbol",
        "side_label",
        "size",
        "filled",
        "account",
        "customer",
        "state_label",
        "vendor_label",
        "age",
    )
    list_filter: ClassVar[Any] = (
        StuckFilter,
        "state",
        "vendor_status",
        "side",
        "order_type",
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
        "order_type",
        "limit",
        "time_in_force",
        "filled",
        "placed_by",
        "rules",
    )
    inlines: ClassVar[Any] = [Executions]

    @admin.display(description="limit price")
    def limit(self, order: Order) -> str:
        return columns.price(order.limit_price)

    @admin.display(description="filled", ordering="filled_quantity")
    def filled(self, order: Order) -> str:
        if not order.filled_quantity:
            return columns.NOTHING
        return f"{columns.shares(order.filled_quantity)} at {columns.price(order.average_price)}"

    @admin.display(description="risk rules")
    def rules(self, order: Order) -> SafeString:
        text = json.dumps(order.verdict, indent=2, ensure_ascii=False)
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text)


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
