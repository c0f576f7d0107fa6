"""What the lines of a customer's timeline say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import AccountEvent
from core.audit.models import AuditEntry
from core.backoffice import columns, pages, trail
from core.intents.models import IntentStep

_OF_MOVE: Final = frozenset({"state", "vendor_status"})
_NOTICES: Final = {
    "account.status": "Status",
    "account.document_wanted": "Document",
    "account.profile_changed": "Contact data changed",
}
_ICONS: Final = {
    "account.frozen": "ac_unit",
    "account.unfrozen": "sunny",
    "auth.acted_for": "key",
    "pii.revealed": "visibility",
}


@dataclass(frozen=True)
class Line:
    """One line: when, what, and who was behind it in which request."""

    at: datetime
    icon: str
    title: SafeString | str
    labels: tuple[SafeString, ...] = ()
    notes: tuple[str, ...] = ()
    principal: str = ""
    request_id: str = ""
    who: SafeString | str = ""
    is_step: bool = False

    @property
    def request(self) -> SafeString | str:
        """Write the id of the request so that it fits."""
        return columns.short(self.request_id)


def of_step(step: IntentStep, entry: AuditEntry | None) -> Line:
    """Tell a move of an intent; the entry of the same move says who was behind it."""
    labels = [columns.label(step.vendor_status)] if step.vendor_status else []
    if step.from_state != step.to_state:
        colour = columns.COLOURS.get(step.to_state, "")
        labels.insert(0, columns.label(f"{step.from_state} → {step.to_state}", colour=colour))
    notes = [step.reason] if step.reason else []
    if step.vendor_at is not None:
        notes.append(f"It happened at the vendor on {step.vendor_at:%Y-%m-%d %H:%M:%S} UTC.")
    if entry is not None:
        notes += trail.notes(entry, without=_OF_MOVE)
    return Line(
        # The earlier of the two: a page that begins before it must not show the other again.
        at=min(step.at, entry.at) if entry else step.at,
        icon="swap_horiz" if step.from_state != step.to_state else "rss_feed",
        title=_thing(step.intent_kind, step.intent_id),
        labels=tuple(labels),
        notes=tuple(notes),
        principal=entry.principal if entry else "",
        request_id=entry.request_id if entry else "",
        is_step=True,
    )


def of_event(event: AccountEvent) -> Line:
    """Tell what the customer was told."""
    return Line(
        at=event.at,
        icon="notifications",
        title=f"Told the customer (#{event.seq}): {_NOTICES.get(event.kind, event.kind)}",
        notes=tuple(said(event.payload)),
    )


def of_entry(entry: AuditEntry) -> Line:
    """Tell what somebody did."""
    title = trail.deed(entry.action)
    if entry.action.startswith("row."):
        title = format_html("{} {}", trail.subject(entry), title.lower())
    return Line(
        at=entry.at,
        icon=_ICONS.get(entry.action, "edit_note"),
        title=title,
        notes=tuple(trail.notes(entry)),
        principal=entry.principal,
        request_id=entry.request_id,
    )


def said(payload: Mapping[str, Any]) -> list[str]:
    """List what a message says; by its nature nothing personal."""
    return [f"{name.replace('_', ' ')}: {_text(value)}" for name, value in payload.items()]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _thing(kind: str, pk: object) -> SafeString:
    words = format_html("{} {}", pages.word_for(kind), columns.short(pk))
    url = pages.page_of(kind, pk)
    return words if url is None else columns.link(url, words)
