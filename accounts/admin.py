"""What operations staff see of brokerage accounts."""

from typing import Any, ClassVar

from django.contrib import admin

from accounts.models import BrokerageAccount
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.admin import IntentAdmin


@admin.register(BrokerageAccount)
class BrokerageAccountAdmin(IntentAdmin):
    """Who has applied, and how far the broker is with it; the person stays sealed."""

    list_display = (
        "short_id",
        "account_number",
        "customer",
        "email_masked",
        "state_label",
        "vendor_label",
        "age",
    )
    list_filter: ClassVar[Any] = (StuckFilter, "state", "vendor_status", AgeFilter)
    search_fields = (
        "id__exact",
        "broker_account_id__exact",
        "account_number__exact",
        "user_id__exact",
    )
    search_help_text = "Our id, the broker's id, the account number, or the customer's id"
    about = (
        "id",
        "user_id",
        "broker_account_id",
        "account_number",
        "email_masked",
        "tax_id_last4",
    )
    told = ("vendor_status_at",)
