"""Sign-ins at banks through Plaid: how far each has come, and none of its tokens."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import AgeFilter
from funding.admin.shared import OF_ACCOUNT, SEARCH, WORDS
from funding.models import LinkSession, PlaidItem
from funding.states import ItemState


@admin.register(LinkSession)
class LinkSessionAdmin(ReadOnlyAdmin):
    """Pages on which customers sign in to their bank."""

    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "purpose",
        "state_label",
        "item",
        "relationship",
        "account",
        "customer",
        "reason",
        "age",
    )
    list_filter: ClassVar[Any] = ("state", "purpose", AgeFilter)
    list_select_related = ("account", "item", "relationship")
    search_fields = SEARCH
    search_help_text = WORDS
    fields = (
        ("purpose", "state_label"),
        ("reason", "reason_code"),
        "user_id",
        "account",
        "item",
        "relationship",
        "plaid_account_id",
        "looks",
        ("created_at", "expires_at"),
        ("due_at", "settled_at"),
    )
    readonly_fields = (
        "purpose",
        "state_label",
        "reason",
        "reason_code",
        "user_id",
        "account",
        "item",
        "relationship",
        "plaid_account_id",
        "looks",
        "created_at",
        "expires_at",
        "due_at",
        "settled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[LinkSession]:
        """Leave the token where it is."""
        found: QuerySet[LinkSession] = super().get_queryset(request)
        return found.defer(
            "sealed_link_token", "sealed_public_token", "link_token_index", "public_token_index"
        )


@admin.register(PlaidItem)
class PlaidItemAdmin(ReadOnlyAdmin):
    """Sign-ins that are kept, and whether they still work."""

    waiting_states = (ItemState.BROKEN, ItemState.LOGIN_REQUIRED, ItemState.REMOVING)
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "institution_name",
        "state_label",
        "error_code",
        "account",
        "customer",
        "checked",
        "age",
    )
    list_filter: ClassVar[Any] = ("state", "error_code", AgeFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "item_id__exact", "user_id__exact", *OF_ACCOUNT)
    search_help_text = "Our id, Plaid's id, the account's number or id, the customer's id"
    readonly_fields = (
        "state_label",
        "error_code",
        "institution_name",
        "institution_id",
        "item_id",
        "user_id",
        "account",
        "behind_it",
        "consent_expires_at",
        "created_at",
        "checked_at",
        "removed_at",
        "due_at",
    )
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlaidItem]:
        """Leave the token where it is."""
        found: QuerySet[PlaidItem] = super().get_queryset(request)
        return found.defer("sealed_access_token")

    @admin.display(description="checked", ordering="checked_at")
    def checked(self, item: PlaidItem) -> SafeString | str:
        return columns.day(item.checked_at) if item.checked_at else columns.NOTHING

    @admin.display(description="accounts behind it")
    def behind_it(self, item: PlaidItem) -> SafeString | str:
        """List the kind of each and its last digits."""
        known = [each for each in item.bank_accounts if isinstance(each, dict)]
        return columns.lines([f"{a.get('kind', '')} …{a.get('mask', '')}" for a in known])
