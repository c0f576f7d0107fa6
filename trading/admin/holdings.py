"""What accounts hold, for the staff."""

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from trading.admin.base import OfShares
from trading.models import CashBalance, Position


@admin.register(Position)
class PositionAdmin(OfShares, ReadOnlyAdmin):
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
