"""What was proposed for lost transfers and banks, by whom, and who agreed."""

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.backoffice import columns, people
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import AgeFilter
from funding.models import ReviewVerdict


@admin.register(ReviewVerdict)
class ReviewVerdictAdmin(ReadOnlyAdmin):
    """What is lost has a page of its own, where proposals are made and confirmed."""

    principal_column = "proposed_by"
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "transfer",
        "relationship",
        "verdict",
        "customer",
        "principal_name",
        "state_label",
        "age",
    )
    list_filter: ClassVar[Any] = ("state", "verdict", AgeFilter)
    list_select_related = ("transfer", "relationship")
    search_fields = (
        "id__exact",
        "transfer__id__exact",
        "relationship__id__exact",
        "broker_id__exact",
        "user_id__exact",
    )
    search_help_text = "Our id, the id of the transfer or bank, the broker's, the customer's"
    fields = (
        "transfer",
        "relationship",
        "verdict",
        "broker_id",
        "reason",
        "state_label",
        "principal_name",
        "agreed",
        "user_id",
        "created_at",
        "settled_at",
    )
    readonly_fields = fields

    @admin.display(description="confirmed by")
    def agreed(self, verdict: ReviewVerdict) -> SafeString | str:
        if not verdict.confirmed_by:
            return columns.NOTHING
        return format_html("{}", people.names_of([verdict.confirmed_by])[verdict.confirmed_by])
