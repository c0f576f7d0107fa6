"""What accounts were worth at the end of a day, for the staff."""

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from portfolio.models import BookValuation, Valuation


@admin.register(Valuation)
class ValuationAdmin(ReadOnlyAdmin):
    list_display = ("day", "account", "total", "change", "in_cash", "is_complete", "customer")
    list_filter = ("is_complete", "source")
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
        "day",
        "kind",
        "total",
        "change",
        "in_cash",
        "is_complete",
        "at",
        "as_of",
        "epoch",
        "seq",
        "source",
    )
    readonly_fields = fields

    @admin.display(description="value", ordering="total_value")
    def total(self, valuation: Valuation) -> str:
        return columns.dollars(valuation.total_value)

    @admin.display(description="return of the day", ordering="day_return")
    def change(self, valuation: Valuation) -> str:
        return columns.dollars(valuation.day_return)

    @admin.display(description="cash", ordering="cash")
    def in_cash(self, valuation: Valuation) -> str:
        return columns.dollars(valuation.cash)


@admin.register(BookValuation)
class BookValuationAdmin(ReadOnlyAdmin):
    list_display = ("day", "kind", "account_count", "incomplete_count", "finished")
    fields = ("day", "kind", "at", "finished_at", "account_count", "incomplete_count")
    readonly_fields = fields

    @admin.display(description="finished", ordering="-finished_at")
    def finished(self, valuation: BookValuation) -> SafeString | str:
        return columns.age(valuation.finished_at, at=timezone.now())
