"""Linked banks and their removals; nothing of a bank's number but its last four digits."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.admin import IntentAdmin
from funding.admin.reviewing import Reviews
from funding.admin.shared import (
    OF_ACCOUNT,
    OPEN_BANK_VERDICT,
    SEARCH,
    SEEN_ELSEWHERE,
    WORDS,
    SeenElsewhereFilter,
)
from funding.models import AchRelationship, BankRemoval


@admin.register(AchRelationship)
class AchRelationshipAdmin(ExportsCsv, Reviews, IntentAdmin):
    list_display = (
        "short_id",
        "bank",
        "linked_by",
        "account",
        "customer",
        "state_label",
        "vendor_label",
        "decision",
        "elsewhere",
        "age",
    )
    list_filter: ClassVar[Any] = (
        StuckFilter,
        "state",
        "vendor_status",
        "linked_by",
        "account_type",
        SeenElsewhereFilter,
        AgeFilter,
    )
    list_select_related = ("account",)
    search_fields = ("id__exact", "broker_relationship_id__exact", "user_id__exact", *OF_ACCOUNT)
    search_help_text = "Our id, the broker's id, the account's number or id, the customer's id"
    about = (
        "id",
        "user_id",
        "account",
        "broker_relationship_id",
        "account_type",
        "linked_by",
        "item",
        "number_last4",
        "elsewhere",
        "bank_name",
        "nickname",
    )
    told = ("vendor_status_at",)
    csv_columns = (
        "id",
        "user_id",
        "account_id",
        "broker_relationship_id",
        "account_type",
        "linked_by",
        "state",
        "vendor_status",
        "vendor_status_at",
        "created_at",
        "settled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AchRelationship]:
        """Say in the same query whether another customer has the bank too."""
        banks: QuerySet[AchRelationship] = super().get_queryset(request)
        elsewhere = ExpressionWrapper(SEEN_ELSEWHERE, output_field=BooleanField())
        return banks.defer("sealed_payload").annotate(
            is_elsewhere=elsewhere, has_verdict=OPEN_BANK_VERDICT
        )

    def own_facts(self, subject: AchRelationship) -> Mapping[str, Any]:
        return {
            "Bank": subject,
            "Account": subject.account,
            "Linked by": subject.get_linked_by_display(),
            "State": columns.label(subject.state),
        }

    @admin.display(description="bank")
    def bank(self, bank: AchRelationship) -> SafeString:
        return format_html(
            '<span class="whitespace-nowrap" title="{}">{}</span>', bank.nickname, bank
        )

    @admin.display(description="seen elsewhere")
    def elsewhere(self, bank: Any) -> SafeString | str:
        """Warn of a number that another customer has linked as well."""
        if not bank.is_elsewhere:
            return columns.NOTHING
        return columns.label("another customer", colour="warning")


@admin.register(BankRemoval)
class BankRemovalAdmin(IntentAdmin):
    """Banks that customers did not want any more."""

    list_display = ("short_id", "relationship", "account", "customer", "state_label", "age")
    list_select_related = ("account", "relationship")
    search_fields = (*SEARCH, "relationship__broker_relationship_id__exact")
    search_help_text = WORDS
    about = ("id", "user_id", "account", "relationship")
