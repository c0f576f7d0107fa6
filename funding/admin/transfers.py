"""Transfers, and the work list of those of which nobody knows what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import Turn
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.admin import IntentAdmin
from core.intents.states import IntentState
from funding.admin import deeds, evidence
from funding.admin.reviewing import Reviews
from funding.admin.shared import (
    OF_ACCOUNT,
    OPEN_VERDICT,
    SEARCH,
    WORDS,
    DecisionFilter,
    ReturnedFilter,
    ShowsMoney,
)
from funding.models import Cancellation, Transfer

_LIST: Final = "admin:funding_transfer_changelist"
_WHOM: Final = {
    "operator": "an operator has to find out",
    "approver": "an approver has to confirm",
}


@admin.register(Transfer)
class TransferAdmin(ShowsMoney, ExportsCsv, Reviews, IntentAdmin):
    list_display = (
        "short_id",
        "way",
        "dollars",
        "account",
        "customer",
        "state_label",
        "vendor_label",
        "decision",
        "age",
    )
    list_filter: ClassVar[Any] = (
        DecisionFilter,
        StuckFilter,
        "state",
        "vendor_status",
        "direction",
        ReturnedFilter,
        AgeFilter,
    )
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "broker_transfer_id__exact",
        "user_id__exact",
        "relationship__broker_relationship_id__exact",
        *OF_ACCOUNT,
    )
    search_help_text = "Our id, the broker's id, the account's number or id, the customer's id"
    about = (
        "id",
        "user_id",
        "account",
        "relationship",
        "broker_transfer_id",
        "way",
        "dollars",
        "costs",
        "business_date",
        "expected_on",
        "expires_at",
    )
    told = ("vendor_status_at",)
    csv_columns = (
        "id",
        "user_id",
        "account_id",
        "account__account_number",
        "relationship_id",
        "broker_transfer_id",
        "direction",
        "amount",
        "fee",
        "state",
        "vendor_status",
        "vendor_status_at",
        "business_date",
        "expected_on",
        "created_at",
        "sent_at",
        "settled_at",
    )
    change_form_outer_after_template = "funding/evidence.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request).defer("sealed_payload")
        return found.annotate(has_verdict=OPEN_VERDICT)  # type: ignore[no-any-return]

    def turns(self) -> Sequence[Turn]:
        waiting = _count_waiting()
        return [
            Turn(
                words,
                waiting[f"{whom}_count"],
                waiting[f"{whom}_since"],
                f"{reverse(_LIST)}?{urlencode({'decide': whom})}",
            )
            for whom, words in _WHOM.items()
            if waiting[f"{whom}_count"]
        ]

    def own_facts(self, subject: Transfer) -> Mapping[str, Any]:
        return evidence.facts_of(subject)

    def surroundings(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Show beside our own facts what the broker has shown."""
        shown = super().surroundings(request, row)
        if row.state not in deeds.LOST and not row.evidence:
            return shown
        attach = reverse("admin:funding_transfer_attach", args=[row.pk])
        may_attach = deeds.may_propose(row) and self.has_propose_permission(request)
        table = evidence.table(row, at=timezone.now(), attach=attach if may_attach else "")
        return {**shown, "ours": evidence.facts_of(row), "evidence": table}

    @admin.display(description="fee")
    def costs(self, transfer: Transfer) -> SafeString | str:
        return columns.dollars(transfer.fee)


def _count_waiting() -> dict[str, Any]:
    """Count in one query what waits for whom, and since when."""
    conditions = {whom: DecisionFilter.conditions[whom][1] for whom in _WHOM}
    counts: dict[str, Any] = {
        f"{whom}_count": Count("pk", filter=condition) for whom, condition in conditions.items()
    }
    since: dict[str, Any] = {
        f"{whom}_since": Min("created_at", filter=condition)
        for whom, condition in conditions.items()
    }
    under_review = Transfer.objects.filter(state=IntentState.NEEDS_REVIEW)
    return under_review.aggregate(**counts, **since)


@admin.register(Cancellation)
class CancellationAdmin(IntentAdmin):
    """Transfers that customers wanted to stop."""

    list_display = ("short_id", "transfer", "account", "customer", "state_label", "age")
    list_select_related = ("account", "transfer")
    search_fields = (*SEARCH, "transfer__broker_transfer_id__exact")
    search_help_text = WORDS
    about = ("id", "user_id", "account", "transfer")
