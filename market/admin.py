"""Instruments and wanted prices for staff, to look at."""

from typing import Any, ClassVar

from django.contrib import admin

from core.backoffice.admin import ReadOnlyAdmin
from market.models import Instrument, WantedSymbol


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    ordering = ("symbol",)
    list_display = ("symbol", "name", "exchange", "status", "tradable", "fractionable", "number")
    list_filter = ("asset_class", "exchange", "status", "tradable")
    search_fields = ("symbol", "name", "broker_asset_id__exact")
    search_help_text = "Symbol, name, or the broker's id"
    fields: ClassVar[Any] = (
        "id",
        "number",
        "symbol",
        "name",
        "exchange",
        "asset_class",
        "status",
        "tradable",
        "fractionable",
        "broker_asset_id",
        "updated_at",
    )
    readonly_fields = fields


@admin.register(WantedSymbol)
class WantedSymbolAdmin(ReadOnlyAdmin):
    ordering = ("-until",)
    list_display = ("symbol", "reason", "until")
    search_fields = ("symbol__exact", "reason__exact")
    search_help_text = "Symbol, or who wants it"
    fields = ("symbol", "reason", "until")
    readonly_fields = fields
