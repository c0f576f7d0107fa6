"""What operations staff see of linked banks and transfers."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from core.intents.admin import IntentAdmin
from core.intents.states import IntentState
from funding.models import AchRelationship, Transfer
from funding.services import transfers

_LIFE = (
    "state",
    "reason",
    "reason_code",
    "vendor_status",
    "vendor_status_at",
    "attempts",
    "looks",
    "created_at",
    "sent_at",
    "settled_at",
    "history",
)


@admin.register(AchRelationship)
class AchRelationshipAdmin(IntentAdmin):
    list_display = (
        "__str__",
        "nickname",
        "state",
        "vendor_status",
        "account",
        "user_id",
        "created_at",
    )
    list_filter = ("state", "vendor_status", "account_type", "created_at")
    list_select_related = ("account",)
    search_fields = ("id__exact", "broker_relationship_id", "user_id", "account__account_number")
    fields = (
        "id",
        "user_id",
        "account",
        "broker_relationship_id",
        "account_type",
        "number_last4",
        "nickname",
        *_LIFE,
    )
    readonly_fields = fields


@admin.register(Transfer)
class TransferAdmin(IntentAdmin):
    list_display = (
        "__str__",
        "direction",
        "amount",
        "state",
        "vendor_status",
        "account",
        "user_id",
        "created_at",
    )
    list_filter = ("state", "vendor_status", "direction", "created_at")
    list_select_related = ("account",)
    search_fields = ("id__exact", "broker_transfer_id", "user_id", "account__account_number")
    fields = (
        "id",
        "user_id",
        "account",
        "relationship",
        "broker_transfer_id",
        "direction",
        "amount",
        "fee",
        "expires_at",
        *_LIFE,
    )
    readonly_fields = fields
    actions = ("dismiss",)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("funding.change_transfer")

    @admin.action(description="The broker never got it (under review)", permissions=["review"])
    def dismiss(self, request: HttpRequest, chosen: QuerySet[Transfer]) -> None:
        """Settle transfers under review that staff has not found at the broker."""
        under_review = chosen.filter(state=IntentState.NEEDS_REVIEW)
        ids = list(under_review.values_list("pk", flat=True))
        for transfer_id in ids:
            transfers.dismiss(transfer_id=transfer_id, at=timezone.now())
        messages.success(request, f"Settled {len(ids)} transfers under review.")
