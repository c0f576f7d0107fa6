"""The machinery for operators to look at: what came in, who leads, what was asked twice."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import AgeFilter, InboxFilter, ReceivedFilter
from core.backoffice.pages import page_of
from core.inbox import MAX_ATTEMPTS
from core.models import IdempotencyRow, InboxEvent, IntentStep, LeaseRow, StreamCursor

# What of a vendor's event helps to find the row it is about; the rest may hold personal data.
_SHOWN: Final = frozenset(
    {
        "account_id",
        "at",
        "client_order_id",
        "entity_id",
        "event",
        "event_id",
        "event_ulid",
        "execution_id",
        "filled_qty",
        "id",
        "order",
        "price",
        "qty",
        "status",
        "status_from",
        "status_to",
        "symbol",
        "timestamp",
        "transfer_id",
        "type",
    }
)


@admin.register(InboxEvent)
class InboxEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "source", "external_id", "progress", "attempts", "error", "received")
    list_filter = (InboxFilter, "source", ReceivedFilter)
    search_fields = ("external_id__exact", "error__exact")
    search_help_text = "The vendor's id of the event, or the error"
    fields = (
        "source",
        "external_id",
        "progress",
        "attempts",
        "error",
        "received_at",
        "due_at",
        "waits_since",
        "applied_at",
        "facts",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxEvent]:
        return super().get_queryset(request).only(*_INBOX_COLUMNS)  # type: ignore[no-any-return]

    @admin.display(description="state")
    def progress(self, event: InboxEvent) -> SafeString:
        if event.applied_at is not None:
            return columns.label("APPLIED")
        return columns.label("PARKED" if event.attempts >= MAX_ATTEMPTS else "WAITING")

    @admin.display(description="age", ordering="received_at")
    def received(self, event: InboxEvent) -> SafeString | str:
        return columns.age(event.received_at, at=timezone.now())

    @admin.display(description="what it says", empty_value=columns.NOTHING)
    def facts(self, event: InboxEvent) -> SafeString:
        """Show the ids, states and amounts in it, and nothing personal."""
        lines = "\n".join(_facts_in(event.payload))
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', lines)


_INBOX_COLUMNS: Final = (
    "id",
    "source",
    "external_id",
    "received_at",
    "due_at",
    "waits_since",
    "applied_at",
    "attempts",
    "error",
)


def _facts_in(payload: Any, prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in payload.items() if isinstance(payload, Mapping) else ():
        if name not in _SHOWN:
            continue
        if isinstance(value, Mapping):
            found += _facts_in(value, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}: {value}")
    return found


@admin.register(StreamCursor)
class StreamCursorAdmin(ReadOnlyAdmin):
    ordering = ("source",)
    list_display = ("source", "position", "moved")
    readonly_fields = ("source", "position", "updated_at")

    @admin.display(description="moved", ordering="updated_at")
    def moved(self, cursor: StreamCursor) -> SafeString | str:
        return columns.age(cursor.updated_at, at=timezone.now())


@admin.register(LeaseRow)
class LeaseRowAdmin(ReadOnlyAdmin):
    ordering = ("name",)
    list_display = ("name", "leader", "fence", "held", "until")
    readonly_fields = ("name", "holder", "fence", "held", "until")

    @admin.display(description="holder")
    def leader(self, lease: LeaseRow) -> SafeString | str:
        return columns.short(lease.holder)

    @admin.display(description="held")
    def held(self, lease: LeaseRow) -> SafeString:
        is_held = lease.until > timezone.now()
        return columns.label("held", colour="success") if is_held else columns.label("FREE")


@admin.register(IdempotencyRow)
class IdempotencyRowAdmin(ReadOnlyAdmin):
    """Which keys were used for what; the answers kept for replays are not shown."""

    list_display = (
        "short_id",
        "operation",
        "key",
        "principal",
        "resource",
        "response_status",
        "age",
    )
    list_filter = ("operation", "response_status", AgeFilter)
    search_fields = ("key__exact", "resource_id__exact", "principal__exact")
    search_help_text = "The client's key, or the id of what it led to"
    fields = (
        "id",
        "principal",
        "operation",
        "key",
        "resource_id",
        "response_status",
        "created_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdempotencyRow]:
        return super().get_queryset(request).defer("response_body")  # type: ignore[no-any-return]

    @admin.display(description="led to")
    def resource(self, row: IdempotencyRow) -> SafeString | str:
        return columns.short(row.resource_id)


@admin.register(IntentStep)
class IntentStepAdmin(ReadOnlyAdmin):
    list_display = ("id", "what", "move", "vendor_label", "reason", "happened")
    list_filter = ("intent_kind", "to_state")
    search_fields = ("intent_id__exact",)
    search_help_text = "Our id of the account, bank, transfer or order"
    readonly_fields: ClassVar[Any] = (
        "what",
        "intent_id",
        "from_state",
        "to_state",
        "vendor_status",
        "reason",
        "at",
    )
    fields = readonly_fields

    @admin.display(description="what", ordering="intent_id")
    def what(self, step: IntentStep) -> SafeString | str:
        kind = step.intent_kind.rpartition(".")[2]
        url = page_of(step.intent_kind, step.intent_id)
        if url is None:
            return kind
        return format_html('<a href="{}">{} {}</a>', url, kind, columns.short(step.intent_id))

    @admin.display(description="move")
    def move(self, step: IntentStep) -> SafeString:
        is_same = step.from_state == step.to_state
        if is_same:
            return columns.label("told by the vendor", colour="")
        words = f"{step.from_state} → {step.to_state}"
        return columns.label(words, colour=columns.COLOURS.get(step.to_state, ""))

    @admin.display(description="age", ordering="id")
    def happened(self, step: IntentStep) -> SafeString | str:
        return columns.age(step.at, at=timezone.now())
