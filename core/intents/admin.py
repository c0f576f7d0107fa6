"""The admin's view of intents: everything to read, nothing to edit, no secret in sight."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin
from core.backoffice.filters import AgeFilter, StuckFilter
from core.intents.models import Intent, IntentStep
from core.intents.states import IntentState

# The order in which the first page counts them.
_WAITING: Final = (
    IntentState.NEEDS_REVIEW,
    IntentState.UNKNOWN,
    IntentState.SENDING,
    IntentState.PENDING,
    IntentState.HELD,
)
_STATE: Final = ("state_label", "vendor_label", "reason", "reason_code")
_LIFE: Final = (
    ("attempts", "looks"),
    ("created_at", "sent_at"),
    ("due_at", "settled_at"),
)


class IntentAdmin(ReadOnlyAdmin):
    """The base of an intent's admin; `about` names the columns that are the app's own."""

    waiting_states = _WAITING
    about: ClassVar[tuple[Any, ...]] = ()
    told: ClassVar[tuple[str, ...]] = ()
    list_filter: ClassVar[Any] = (StuckFilter, "state", AgeFilter)

    def get_fieldsets(self, *_: Any) -> list[tuple[str | None, dict[str, Any]]]:
        return [
            (None, {"fields": (*_STATE, *self.told)}),
            ("About", {"fields": self.about}),
            ("History", {"fields": ("history",)}),
            ("Life", {"fields": _LIFE}),
        ]

    def get_readonly_fields(self, *_: Any) -> tuple[str, ...]:
        life = (name for pair in _LIFE for name in pair)
        return (*self.about, *_STATE, *self.told, *life, "history")

    @admin.display(description="what happened")
    def history(self, intent: Intent) -> SafeString:
        """List the moves, the oldest first, with the time between them."""
        steps = list(IntentStep.objects.filter(intent_id=intent.pk).order_by("id"))
        before = [intent.created_at, *(step.at for step in steps)]
        rows = [
            {"step": step, "after": columns.span(step.at - earlier)}
            for step, earlier in zip(steps, before, strict=False)
        ]
        context = {"rows": rows, "created_at": intent.created_at, "colours": columns.COLOURS}
        return SafeString(render_to_string("backoffice/history.html", context))
