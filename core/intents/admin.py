"""The admin's view of intents: everything to read, nothing to edit, no secret in sight."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from core.intents.models import Intent, IntentStep


class IntentAdmin(ModelAdmin):
    """The base of an intent's admin; `history` shows every move the row has made."""

    list_per_page: ClassVar[int] = 50
    ordering: ClassVar[Any] = ("-id",)
    date_hierarchy = "created_at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False

    @admin.display(description="History")
    def history(self, intent: Intent) -> SafeString:
        """List the moves, the oldest first."""
        steps = IntentStep.objects.filter(intent_id=intent.pk).order_by("id")
        rows = format_html_join(
            "",
            "<li>{} {} → {} <b>{}</b> {}</li>",
            (
                (f"{s.at:%Y-%m-%d %H:%M:%S}", s.from_state, s.to_state, s.vendor_status, s.reason)
                for s in steps
            ),
        )
        return format_html("<ol>{}</ol>", rows)
