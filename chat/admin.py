"""Conversations and runs for staff: ids and states; what was said is shown nowhere."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from chat.models import Conversation, Run
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.filters import AgeFilter


class Runs(ReadOnlyInline):
    model = Run
    show_change_link = True
    fields = ("id", "state", "attempts", "error_code", "created_at", "finished_at")
    readonly_fields = fields
    ordering = ("-pk",)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("short_id", "customer", "run_count", "age")
    list_filter = (AgeFilter,)
    search_fields = ("id__exact", "user_id__exact")
    search_help_text = "The conversation's id, or the customer's"
    fields = ("id", "user_id", "created_at")
    readonly_fields = fields
    inlines: ClassVar[Any] = [Runs]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).annotate(run_total=Count("runs"))  # type: ignore[no-any-return]

    @admin.display(description="runs", ordering="run_total")
    def run_count(self, conversation: Any) -> int:
        return int(conversation.run_total)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    waiting_states = ("QUEUED", "RUNNING")
    list_display = (
        "short_id",
        "thread",
        "customer",
        "state_label",
        "attempts",
        "error_code",
        "took",
        "age",
    )
    list_filter = ("state", "error_code", AgeFilter)
    search_fields = ("id__exact", "conversation__id__exact", "user_id__exact")
    search_help_text = "The run's id, the conversation's, or the customer's"
    fields = (
        "id",
        "conversation",
        "user_id",
        "account_id",
        "state_label",
        "attempts",
        "error_code",
        "proposal_ids",
        "lease_until",
        "due_at",
        "created_at",
        "started_at",
        "finished_at",
    )
    readonly_fields = fields

    @admin.display(description="conversation", ordering="conversation_id")
    def thread(self, run: Run) -> SafeString | str:
        return columns.short(run.conversation_id)

    @admin.display(description="took")
    def took(self, run: Run) -> SafeString | str:
        if run.started_at is None:
            return columns.NOTHING
        return columns.span((run.finished_at or timezone.now()) - run.started_at)
