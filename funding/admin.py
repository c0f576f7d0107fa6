"""What operations staff see of linked banks and transfers."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.admin import IntentAdmin
from core.intents.states import IntentState
from funding.models import AchRelationship, Transfer
from funding.services import transfers


@admin.register(AchRelationship)
class AchRelationshipAdmin(IntentAdmin):
    list_display = (
        "short_id",
        "bank",
        "nickname",
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
        "account_type",
        AgeFilter,
    )
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "broker_relationship_id__exact",
        "user_id__exact",
        "account__account_number__exact",
        "account__broker_account_id__exact",
    )
    search_help_text = "Our id, the broker's id, the account's number or id, the customer's id"
    about = (
        "id",
        "user_id",
        "account",
        "broker_relationship_id",
        "account_type",
        "number_last4",
        "nickname",
    )
    told = ("vendor_status_at",)

    @admin.display(description="bank")
    def bank(self, bank: AchRelationship) -> str:
        return str(bank)


@admin.register(Transfer)
class TransferAdmin(IntentAdmin):
    list_display = (
        "short_id",
        "way",
        "dollars",
        "account",
        "customer",
        "state_label",
        "vendor_label",
        "age",
    )
    list_filter: ClassVar[Any] = (StuckFilter, "state", "vendor_status", "direction", AgeFilter)
    list_select_related = ("account",)
    search_fields = (
        "id__exact",
        "broker_transfer_id__exact",
        "user_id__exact",
        "account__account_number__exact",
        "account__broker_account_id__exact",
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
        "expires_at",
    )
    told = ("vendor_status_at",)
    actions = ("dismiss",)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("funding.change_transfer")

    @admin.action(description="The broker never got it (under review)", permissions=["review"])
    def dismiss(self, request: HttpRequest, chosen: QuerySet[Transfer]) -> None:
        """Settle transfers under review that staff has not found at the broker."""
        under_review = list(chosen.filter(state=IntentState.NEEDS_REVIEW))
        for transfer in under_review:
            transfers.dismiss(transfer_id=transfer.pk, at=timezone.now())
            self.log_change(request, transfer, "Settled: the broker never got it.")
        messages.success(request, f"Settled {len(under_review)} transfers under review.")

    @admin.display(description="direction", ordering="direction")
    def way(self, transfer: Transfer) -> SafeString:
        return columns.label(transfer.direction)

    @admin.display(description="amount", ordering="amount")
    def dollars(self, transfer: Transfer) -> SafeString | str:
        return columns.dollars(transfer.amount)

    @admin.display(description="fee")
    def costs(self, transfer: Transfer) -> SafeString | str:
        return columns.dollars(transfer.fee)
