"""Everything that happened to one customer, newest first: three records told as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from accounts.admin import telling
from accounts.admin.telling import Line
from accounts.models import AccountEvent
from core.audit.models import AuditEntry
from core.backoffice import people
from core.intents.histories import steps_of
from core.intents.models import IntentStep

PAGE_LINES: Final = 50
# A step is written right after the change it tells of, in the same transaction.
_TOGETHER: Final = timedelta(seconds=1)
EVERYTHING: Final = "all"
# What can be shown, by its name in the address. Calls of services for the customer are many and
# change nothing: they are among the looks only.
VIEWS: Final = {
    EVERYTHING: "Everything",
    "steps": "At vendors",
    "told": "Told the customer",
    "record": "On record",
    "looks": "Looks",
}
_CALLS: Final = "auth.acted_for"
_LOOKS: Final = ("pii.revealed", _CALLS)
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page:
    """Some lines, and the address of those before them."""

    lines: list[Line] = field(default_factory=list)
    older: datetime | None = None


def read(user_id: str, *, view: str = EVERYTHING, before: datetime | None = None) -> Page:
    """
    Read the lines before a moment, the newest first.

    A row change in the audit trail and the step of the same move become one line: the step says
    what the vendor said, the trail who was behind it.
    """
    steps = _newest(steps_of(user_id), before) if view in {EVERYTHING, "steps"} else []
    events = AccountEvent.objects.filter(user_id=user_id)
    told = _newest(events, before) if view in {EVERYTHING, "told"} else []
    entries = _newest(_entries(user_id, view), before) if view != "told" else []
    lines = _joined(steps, entries)
    if view == "steps":
        lines = [line for line in lines if line.is_step]
    lines += [telling.of_event(event) for event in told]
    lines.sort(key=lambda line: line.at, reverse=True)
    return _cut(lines)


def _entries(user_id: str, view: str) -> QuerySet[AuditEntry]:
    theirs = AuditEntry.objects.filter(user_id=user_id)
    if view == "looks":
        return theirs.filter(action__in=_LOOKS)
    return theirs.exclude(action=_CALLS)


def _newest(rows: QuerySet[Row], before: datetime | None) -> list[Row]:
    """Read one more than a page can show, so that the page knows whether more is to come."""
    known = rows if before is None else rows.filter(at__lt=before)
    return list(known.order_by("-at", "-pk")[: PAGE_LINES + 1])


def _joined(steps: Iterable[IntentStep], entries: Iterable[AuditEntry]) -> list[Line]:
    """Tell steps with the entries of the same moves, and the other entries by themselves."""
    changes: dict[tuple[str, str], list[AuditEntry]] = {}
    alone = {entry.pk: entry for entry in entries}
    for entry in alone.values():
        if entry.action == "row.changed":
            changes.setdefault((entry.subject_id, _state_in(entry)), []).append(entry)
    lines = []
    for step in steps:
        near = changes.get((str(step.intent_id), step.to_state), [])
        match = next((entry for entry in near if _is_of(entry, step)), None)
        if match is not None:
            near.remove(match)
            del alone[match.pk]
        lines.append(telling.of_step(step, match))
    return lines + [telling.of_entry(entry) for entry in alone.values()]


def _state_in(entry: AuditEntry) -> str:
    return str(_after(entry).get("state", ""))


def _is_of(entry: AuditEntry, step: IntentStep) -> bool:
    is_near = timedelta(0) <= step.at - entry.at < _TOGETHER
    return is_near and _after(entry).get("vendor_status", step.vendor_status) == step.vendor_status


def _after(entry: AuditEntry) -> dict[str, Any]:
    found: dict[str, Any] = entry.details.get("to", {})
    return found


def _cut(lines: Sequence[Line]) -> Page:
    """Keep a page of lines, with all that share the moment of its last: the next begins before."""
    if len(lines) <= PAGE_LINES:
        return Page(_named(lines))
    last = lines[PAGE_LINES - 1].at
    shown = [line for line in lines if line.at >= last]
    older = last if len(shown) < len(lines) else None
    return Page(_named(shown), older)


def _named(lines: Sequence[Line]) -> list[Line]:
    names: dict[str, SafeString | str] = people.names_of(line.principal for line in lines)
    return [replace(line, who=names[line.principal] if line.principal else "") for line in lines]


def moment_of(text: str) -> datetime | None:
    """Read a moment from an address; what is none means now."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
