"""What operations staff see of trading; nothing here can be edited."""

import json
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.admin import IntentAdmin
from trading.models import Approval, CashBalance, Execution, Order, Position, Proposal


def _size(quantity: Decimal | None, notional: Decimal | None) -> str:
    return columns.dollars(notional) if notional is not None else columns.shares(quantity)


class _OfShares:
    """The columns of whatever has a side, a quantity and perhaps dollars."""

    @admin.display(description="side", ordering="side")
    def side_label(self, row: Any) -> SafeString:
        return columns.label(row.side)

    @admin.display(description="size")
    def size(self, row: Order | Proposal) -> str:
        """Show dollars or shares, whichever was asked for."""
        return _size(row.quantity, row.notional)

    @admin.display(description="taken back", ordering="is_busted")
    def busted(self, execution: Execution) -> SafeString | str:
        if not execution.is_busted:
            return columns.NOTHING
        return columns.label("taken back", colour="danger")

    @admin.display(description="quantity", ordering="quantity")
    def shares(self, row: Execution | Position) -> str:
        return columns.shares(row.quantity)


class Executions(_OfShares, ReadOnlyInline):
    model = Execution
    fields = ("execution_id", "shares", "at_price", "at", "busted")
    readonly_fields = fields

    @admin.display(description="price")
    def at_price(self, execution: Execution) -> str:
        return columns.price(execution.price)


class Approvals(ReadOnlyInline):
    model = Approval
    fields = ("approved_by", "at", "text", "at_price", "is_what_was_shown")
    readonly_fields = fields

    @admin.display(description="price")
    def at_price(self, approval: Approval) -> str:
        return columns.price(approval.price)

    @admin.display(description="is what was shown", boolean=True)
    def is_what_was_shown(self, approval: Approval) -> bool:
        """Compare what was approved with what the proposal says today."""
        return approval.hash == approval.proposal.fingerprint()


@admin.register(Order)
class OrderAdmin(_OfShares, IntentAdmin):
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


@admin.register(Position)
class PositionAdmin(_OfShares, ReadOnlyAdmin):
    list_display = ("symbol", "shares", "average", "cost", "account", "customer", "updated")
    list_filter = ("asset_class",)
    list_select_related = ("account",)
    search_fields = (
        "symbol__exact",
        "user_id__exact",
        "account__broker_account_id__exact",
        "account__account_number__exact",
    )
    search_help_text = (
        "Symbol, account number, the broker's id of the account, or the customer's id"
    )
    fields = (
        "id",
        "user_id",
        "account",
        "symbol",
        "asset_class",
        "exchange",
        "shares",
        "available",
        "average",
        "cost",
        "close",
        "updated_at",
    )
    readonly_fields = fields

    @admin.display(description="of which free to sell")
    def available(self, position: Position) -> str:
        return columns.shares(position.available_quantity)

    @admin.display(description="average price")
    def average(self, position: Position) -> str:
        return columns.price(position.average_entry_price)

    @admin.display(description="cost")
    def cost(self, position: Position) -> str:
        return columns.dollars(position.cost_basis)

    @admin.display(description="previous close")
    def close(self, position: Position) -> str:
        return columns.price(position.previous_close)

    @admin.display(description="changed", ordering="-updated_at")
    def updated(self, position: Position) -> SafeString | str:
        return columns.age(position.updated_at, at=timezone.now())


@admin.register(CashBalance)
class CashBalanceAdmin(ReadOnlyAdmin):
    list_display = ("account", "in_cash", "power", "read", "changed", "customer")
    list_select_related = ("account",)
    search_fields = (
        "user_id__exact",
        "account__broker_account_id__exact",
        "account__account_number__exact",
    )
    search_help_text = "Account number, the broker's id of the account, or the customer's id"
    fields = (
        "account",
        "user_id",
        "in_cash",
        "power",
        "free",
        "currency",
        "version",
        "fetched_at",
        "changed_at",
    )
    readonly_fields = fields

    @admin.display(description="cash", ordering="cash")
    def in_cash(self, balance: CashBalance) -> str:
        return columns.dollars(balance.cash)

    @admin.display(description="buying power", ordering="buying_power")
    def power(self, balance: CashBalance) -> str:
        return columns.dollars(balance.buying_power)

    @admin.display(description="free to withdraw")
    def free(self, balance: CashBalance) -> str:
        return columns.dollars(balance.withdrawable)

    @admin.display(description="read", ordering="-fetched_at")
    def read(self, balance: CashBalance) -> SafeString | str:
        return columns.age(balance.fetched_at, at=timezone.now())

    @admin.display(description="changed", ordering="-changed_at")
    def changed(self, balance: CashBalance) -> SafeString | str:
        return columns.age(balance.changed_at, at=timezone.now())


@admin.register(Execution)
class ExecutionAdmin(_OfShares, ReadOnlyAdmin):
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


@admin.register(Proposal)
class ProposalAdmin(_OfShares, ReadOnlyAdmin):
    waiting_states = ("PENDING",)
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "symbol",
        "side_label",
        "size",
        "band",
        "customer",
        "state_label",
        "order_id_short",
        "age",
    )
    list_filter = ("state", "side", AgeFilter)
    search_fields = (
        "id__exact",
        "symbol__exact",
        "user_id__exact",
        "run_id__exact",
        "order__id__exact",
    )
    search_help_text = "The id of the proposal, its run or its order, a symbol, the customer's id"
    fields = (
        "id",
        "text",
        "user_id",
        "account",
        "run_id",
        "tool_call_id",
        "state_label",
        "size",
        "quote",
        "band",
        "quote_as_of",
        "order",
        "created_at",
        "expires_at",
        "settled_at",
    )
    readonly_fields = fields
    inlines: ClassVar[Any] = [Approvals]

    @admin.display(description="price shown")
    def quote(self, proposal: Proposal) -> str:
        return columns.price(proposal.quote_price)

    @admin.display(description="good between")
    def band(self, proposal: Proposal) -> str:
        return f"{columns.price(proposal.price_low)} and {columns.price(proposal.price_high)}"

    @admin.display(description="order", ordering="order_id")
    def order_id_short(self, proposal: Proposal) -> SafeString | str:
        return columns.short(proposal.order_id)
