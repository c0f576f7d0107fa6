"""Tax lots and what was sold of them, for the staff: to look at, since the fold makes them."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Q
from django.utils import timezone
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.filters import AgeFilter, ChosenFilter
from trading.admin.base import OfShares
from trading.models import Lot, LotClosing, LotPreference, ShareMovement

OF_ACCOUNT: Final = (
    "user_id__exact",
    "account__account_number__exact",
    "account__broker_account_id__exact",
)


class OpenFilter(ChosenFilter):
    """Lots of which there is something left, or nothing."""

    title = "what is left"
    parameter_name = "left"
    conditions = {
        "open": ("Open", ~Q(remaining=0)),
        "sold": ("Sold", Q(remaining=0)),
        "owed": ("More sold than there was", Q(remaining__lt=0)),
        "washed": ("With the loss of a wash sale", ~Q(wash_added=0)),
    }


class AcquiredFilter(AgeFilter):
    """Lots by when they were acquired."""

    column = "acquired_at"


class SoldFilter(AgeFilter):
    """Sales by when they were made."""

    column = "closed_at"


class OfSales(OfShares):
    """The columns of what was sold of a lot."""

    @admin.display(description="proceeds", ordering="proceeds")
    def brought(self, sale: LotClosing) -> str:
        return columns.dollars(sale.proceeds)

    @admin.display(description="cost", ordering="basis")
    def had_cost(self, sale: LotClosing) -> str:
        return columns.dollars(sale.basis)

    @admin.display(description="gain", ordering="gain")
    def gained(self, sale: LotClosing) -> str:
        return columns.dollars(sale.gain)

    @admin.display(description="disallowed", ordering="disallowed")
    def washed(self, sale: LotClosing) -> str:
        return columns.dollars(sale.disallowed) if sale.disallowed else columns.NOTHING


class Sales(OfSales, ReadOnlyInline):
    model = LotClosing
    verbose_name_plural = "what was sold of it"
    fields = ("closed_at", "shares", "brought", "had_cost", "gained", "washed", "term")
    readonly_fields = fields


@admin.register(Lot)
class LotAdmin(OfShares, ExportsCsv, ReadOnlyAdmin):
    ordering = ("-acquired_at",)
    list_display = (
        "short_id",
        "symbol",
        "there",
        "shares",
        "a_share",
        "dollars",
        "basis_source",
        "account",
        "customer",
        "acquired",
    )
    list_filter: ClassVar[Any] = (OpenFilter, "basis_source", AcquiredFilter)
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "root_id__exact",
        "order__id__exact",
        "symbol__exact",
        *OF_ACCOUNT,
    )
    search_help_text = "The lot's or the order's id, a symbol, the account, or the customer's id"
    fields = (
        ("symbol", "basis_source"),
        ("there", "shares"),
        ("a_share", "dollars", "washed"),
        ("acquired_at", "held_since"),
        ("account", "user_id"),
        ("order", "root_id", "id"),
    )
    readonly_fields = (
        "id",
        "root_id",
        "account",
        "user_id",
        "order",
        "symbol",
        "there",
        "shares",
        "a_share",
        "dollars",
        "washed",
        "basis_source",
        "acquired_at",
        "held_since",
    )
    inlines: ClassVar[Any] = [Sales]
    csv_columns = (
        "id",
        "account__account_number",
        "user_id",
        "symbol",
        "acquired_at",
        "held_since",
        "quantity",
        "remaining",
        "cost",
        "cost_left",
        "wash_added",
        "basis_source",
    )

    @admin.display(description="left", ordering="remaining")
    def there(self, lot: Lot) -> str:
        return columns.shares(lot.remaining)

    @admin.display(description="cost of a share")
    def a_share(self, lot: Lot) -> str:
        return columns.price(lot.cost_per_share)

    @admin.display(description="cost of what is left", ordering="cost_left")
    def dollars(self, lot: Lot) -> str:
        return columns.dollars(lot.cost_left)

    @admin.display(description="of which losses of wash sales")
    def washed(self, lot: Lot) -> str:
        return columns.dollars(lot.wash_added)

    @admin.display(description="acquired", ordering="-acquired_at")
    def acquired(self, lot: Lot) -> SafeString | str:
        if lot.acquired_at is None:
            return columns.NOTHING
        return columns.age(lot.acquired_at, at=timezone.now())


@admin.register(LotClosing)
class LotClosingAdmin(OfSales, ExportsCsv, ReadOnlyAdmin):
    ordering = ("-closed_at",)
    list_display = (
        "short_id",
        "symbol",
        "shares",
        "brought",
        "had_cost",
        "gained",
        "washed",
        "term",
        "account",
        "customer",
        "closed_on",
    )
    list_filter: ClassVar[Any] = ("term", SoldFilter)
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "lot__id__exact",
        "order_id__exact",
        "symbol__exact",
        *OF_ACCOUNT,
    )
    search_help_text = "The sale's, the lot's or the order's id, a symbol, the account or customer"
    fields = (
        ("symbol", "shares", "term"),
        ("brought", "had_cost", "gained", "washed"),
        ("acquired_at", "held_since", "closed_at", "closed_on"),
        ("account", "user_id"),
        ("lot", "order_id", "fill_id", "id"),
    )
    readonly_fields = tuple(name for each in fields for name in each)
    csv_columns = (
        "id",
        "account__account_number",
        "user_id",
        "symbol",
        "quantity",
        "acquired_at",
        "closed_at",
        "proceeds",
        "basis",
        "gain",
        "disallowed",
        "term",
    )


@admin.register(ShareMovement)
class ShareMovementAdmin(OfShares, ReadOnlyAdmin):
    """What moved shares without a trade."""

    ordering = ("-at",)
    list_display = ("short_id", "kind", "symbol", "shares", "dollars", "account", "void", "at")
    list_filter = ("kind", "is_void", AgeFilter)
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "external_id__exact",
        "group__exact",
        "symbol__exact",
        *OF_ACCOUNT,
    )
    search_help_text = "Our id or the broker's, a symbol, the account, or the customer's id"
    fields = (
        ("kind", "broker_kind", "void"),
        ("symbol", "shares", "dollars", "basis_source"),
        ("account", "user_id"),
        ("external_id", "group", "id"),
        ("at", "created_at"),
    )
    readonly_fields = tuple(name for each in fields for name in each)

    @admin.display(description="cost", ordering="cost")
    def dollars(self, movement: ShareMovement) -> str:
        return columns.dollars(movement.cost)

    @admin.display(description="taken back", ordering="is_void")
    def void(self, movement: ShareMovement) -> SafeString | str:
        if not movement.is_void:
            return columns.NOTHING
        return columns.label("taken back", colour="danger")


@admin.register(LotPreference)
class LotPreferenceAdmin(ReadOnlyAdmin):
    list_display = ("account", "customer", "method", "set_at")
    list_filter = ("method",)
    list_select_related = ("account",)
    search_fields = OF_ACCOUNT
    search_help_text = "The account, or the customer's id"
    fields = ("account", "user_id", "method", "set_by", "set_at")
    readonly_fields = fields
