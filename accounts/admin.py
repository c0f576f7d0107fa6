"""What operations staff see of brokerage accounts."""

from django.contrib import admin

from accounts.models import BrokerageAccount
from core.intents.admin import IntentAdmin


@admin.register(BrokerageAccount)
class BrokerageAccountAdmin(IntentAdmin):
    list_display = (
        "account_number",
        "email_masked",
        "state",
        "vendor_status",
        "user_id",
        "created_at",
    )
    list_filter = ("state", "vendor_status", "created_at")
    search_fields = ("id__exact", "broker_account_id", "account_number", "user_id")
    fields = (
        "id",
        "user_id",
        "state",
        "reason",
        "reason_code",
        "vendor_status",
        "vendor_status_at",
        "broker_account_id",
        "account_number",
        "email_masked",
        "tax_id_last4",
        "attempts",
        "looks",
        "created_at",
        "sent_at",
        "settled_at",
        "history",
    )
    readonly_fields = fields
