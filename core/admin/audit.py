"""The audit trail for staff to read: who did what to whose thing, in which request."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from core.audit import chain
from core.audit.models import AuditEntry, AuditLink, AuditPending
from core.backoffice import columns, trail
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import MomentFilter
from core.backoffice.trail_filters import CredentialFilter, DeedFilter, SubjectFilter

_MOST_NOTES: Final = 3


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Nothing here can be changed, by the database's own rules."""

    principal_column = "principal"
    list_display = (
        "id",
        "deed",
        "principal_name",
        "subject",
        "customer",
        "gist",
        "in_request",
        "age",
    )
    list_filter = (DeedFilter, CredentialFilter, SubjectFilter, MomentFilter)
    search_fields = ("subject_id__exact", "user_id__exact")
    search_help_text = "The id of a thing, of a customer, or of a request"
    list_before_template = "backoffice/chain.html"
    fields = (
        "id",
        "at",
        "deed",
        "principal_name",
        "principal",
        "subject",
        "customer",
        "noted",
        "in_request",
        "fingerprint",
        "link",
    )
    readonly_fields = fields

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "chain": _chain()}
        )
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Look for things and customers by index; only what is neither may be a request."""
        found, has_twins = super().get_search_results(request, queryset, search_term)
        if not search_term or found.exists():
            return found, has_twins
        return queryset.filter(request_id=search_term), False

    @admin.display(description="what was done", ordering="action")
    def deed(self, entry: AuditEntry) -> SafeString:
        colour = trail.COLOURS.get(entry.action, "")
        return columns.label(trail.deed(entry.action), colour=colour)

    @admin.display(description="to what")
    def subject(self, entry: AuditEntry) -> SafeString | str:
        return trail.subject(entry)

    @admin.display(description="customer", empty_value=columns.NOTHING)
    def customer(self, entry: AuditEntry) -> SafeString | None:
        """Show whose data it was; a click lists everything on record about them."""
        return _search(entry.user_id) if entry.user_id else None

    @admin.display(description="request", empty_value=columns.NOTHING)
    def in_request(self, entry: AuditEntry) -> SafeString | None:
        """Show in which request it was done; a click lists what else was."""
        return _search(entry.request_id) if entry.request_id else None

    @admin.display(description="details")
    def gist(self, entry: AuditEntry) -> SafeString | str:
        lines = trail.notes(entry)
        more = [f"and {len(lines) - _MOST_NOTES} more"] if len(lines) > _MOST_NOTES else []
        return columns.lines([*lines[:_MOST_NOTES], *more])

    @admin.display(description="details")
    def noted(self, entry: AuditEntry) -> SafeString | str:
        return columns.lines(trail.notes(entry))

    @admin.display(description="age", ordering="-id")
    def age(self, entry: AuditEntry) -> SafeString | str:
        return columns.age(entry.at, at=timezone.now())

    @admin.display(description="SHA-256")
    def fingerprint(self, entry: AuditEntry) -> str:
        return bytes(entry.digest).hex()

    @admin.display(description="in the chain")
    def link(self, entry: AuditEntry) -> str:
        found = AuditLink.objects.filter(entry_id=entry.pk).first()
        return f"link {found.seq}" if found else "not linked yet"


def _search(text: str) -> SafeString:
    url = f"{reverse('admin:core_auditentry_changelist')}?{urlencode({'q': text})}"
    return format_html('<a class="whitespace-nowrap" href="{}">{}</a>', url, columns.short(text))


def _chain() -> dict[str, Any]:
    """Say how the chain over the entries stands, and when somebody checked it last."""
    checks = AuditEntry.objects.filter(subject_id=chain.SUBJECT)
    return {
        "last": AuditLink.objects.order_by("-seq").first(),
        "waiting": AuditPending.objects.count(),
        "checked": checks.order_by("-pk").first(),
    }
