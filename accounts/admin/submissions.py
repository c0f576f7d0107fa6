"""What customers were asked for, have handed in, changed, chosen and been told."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from accounts.admin import telling
from accounts.admin.deeds import OPERATE
from accounts.models import (
    AccountEvent,
    ContactChange,
    DocumentRequest,
    DocumentUpload,
    Preferences,
)
from accounts.services import oversight
from accounts.states import RequestState
from core.auth import Principal
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import AgeFilter, MomentFilter, StuckFilter
from core.intents.admin import IntentAdmin

_OF_ACCOUNT: Final = ("account__account_number__exact", "account__broker_account_id__exact")
_WORDS: Final = "Our id, the account's number, the broker's id of the account, the customer's id"


@admin.register(DocumentRequest)
class DocumentRequestAdmin(ReadOnlyAdmin):
    """What our staff has asked customers for."""

    waiting_states = (RequestState.OPEN,)
    principal_column = "requested_by"
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "document_type",
        "note",
        "account",
        "customer",
        "principal_name",
        "state_label",
        "age",
    )
    list_filter = ("state", AgeFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "user_id__exact", *_OF_ACCOUNT)
    search_help_text = _WORDS
    fields = (
        "document_type",
        "note",
        "state_label",
        "account",
        "user_id",
        "principal_name",
        "created_at",
        "settled_at",
    )
    readonly_fields = fields
    actions = ("withdraw_chosen",)
    actions_detail = ("withdraw",)

    def has_operate_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(OPERATE)

    def has_withdraw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Offer it while the request is open."""
        wanted = self.get_object(request, str(object_id))
        return self.has_operate_permission(request) and _is_open(wanted)

    @action(description="Withdraw", icon="undo", permissions=["withdraw"], url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether it is meant, and take the request back."""
        wanted: DocumentRequest | None = self.get_object(request, object_id)
        if wanted is None:
            raise Http404
        back = reverse("admin:accounts_documentrequest_change", args=[wanted.pk])
        if request.method == "POST":
            _withdraw(request, wanted.pk)
            messages.success(request, "Withdrawn.")
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Withdraw the request for {wanted.document_type}?",
            "question": "The customer sees at once that the document is not wanted any more.",
            "facts": {"Account": wanted.account, "What they read": wanted.note},
            "deed": "Withdraw",
            "back": back,
        }
        return TemplateResponse(request, "backoffice/confirm.html", context)

    @admin.action(description="Withdraw", permissions=["operate"])
    def withdraw_chosen(self, request: HttpRequest, chosen: QuerySet[DocumentRequest]) -> None:
        """Take requests back; those that have ended stay as they are."""
        wanted = list(chosen.filter(state=RequestState.OPEN).order_by("pk"))
        for each in wanted:
            _withdraw(request, each.pk)
        messages.success(request, f"Withdrew {len(wanted)} requests.")


def _is_open(wanted: DocumentRequest | None) -> bool:
    return wanted is not None and wanted.state == RequestState.OPEN


def _withdraw(request: HttpRequest, request_id: UUID) -> None:
    staff = Principal.staff(request.user.pk)
    oversight.withdraw_request(staff=staff, request_id=request_id, at=timezone.now())


@admin.register(DocumentUpload)
class DocumentUploadAdmin(IntentAdmin):
    """What customers have handed in; the files went to the broker and are not kept."""

    list_display = (
        "short_id",
        "document_type",
        "mime_type",
        "size_bytes",
        "account",
        "customer",
        "state_label",
        "age",
    )
    list_filter: ClassVar[Any] = (StuckFilter, "state", AgeFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "user_id__exact", "broker_document_id__exact", *_OF_ACCOUNT)
    search_help_text = _WORDS
    about = (
        "id",
        "user_id",
        "account",
        "request",
        "document_type",
        "document_sub_type",
        "mime_type",
        "size_bytes",
        "broker_document_id",
    )


@admin.register(ContactChange)
class ContactChangeAdmin(IntentAdmin):
    """Which contact data customers have changed, not to what."""

    list_display = (
        "short_id",
        "parts",
        "account",
        "customer",
        "state_label",
        "vendor_label",
        "age",
    )
    list_filter: ClassVar[Any] = (StuckFilter, "state", AgeFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "user_id__exact", *_OF_ACCOUNT)
    search_help_text = _WORDS
    about = ("id", "user_id", "account", "parts")

    @admin.display(description="what changes")
    def parts(self, change: ContactChange) -> SafeString | str:
        return columns.lines(change.fields)


@admin.register(AccountEvent)
class AccountEventAdmin(ReadOnlyAdmin):
    """What customers were told, word for word."""

    list_display = ("id", "account", "seq", "kind", "said", "customer", "happened")
    list_filter = ("kind", MomentFilter)
    list_select_related = ("account",)
    search_fields = ("user_id__exact", *_OF_ACCOUNT)
    search_help_text = "The account's number, the broker's id of the account, the customer's id"
    fields = ("account", "user_id", "seq", "kind", "said", "at")
    readonly_fields = fields

    @admin.display(description="what it says")
    def said(self, event: AccountEvent) -> SafeString | str:
        return columns.lines(telling.said(event.payload))

    @admin.display(description="age", ordering="-id")
    def happened(self, event: AccountEvent) -> SafeString | str:
        return columns.age(event.at, at=timezone.now())


@admin.register(Preferences)
class PreferencesAdmin(ReadOnlyAdmin):
    """How customers like things shown."""

    list_display = ("customer", "buying_power", "changed")
    list_filter = ("buying_power",)
    search_fields = ("user_id__exact",)
    search_help_text = "The customer's id"
    fields = ("user_id", "buying_power", "updated_at")
    readonly_fields = fields

    @admin.display(description="changed", ordering="-updated_at")
    def changed(self, chosen: Preferences) -> SafeString | str:
        return columns.age(chosen.updated_at, at=timezone.now())
