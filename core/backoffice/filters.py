"""Filters that answer "who is stuck?"."""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.clock import Now
from core.inbox import MAX_ATTEMPTS
from core.intents.states import IntentState

LATE: Final = timedelta(minutes=1)
_LATE: Final = Q(
    state__in=[IntentState.PENDING, IntentState.SENDING, IntentState.UNKNOWN],
    due_at__lt=Now() - LATE,
)
_STUCK: Final[dict[str, tuple[str, Q]]] = {
    "any": (
        "Stuck in any way",
        _LATE | Q(state__in=[IntentState.UNKNOWN, IntentState.NEEDS_REVIEW]),
    ),
    "review": ("A person must decide", Q(state=IntentState.NEEDS_REVIEW)),
    "unknown": ("Unknown at the vendor", Q(state=IntentState.UNKNOWN)),
    "late": ("Nobody came for a minute", _LATE),
}
_AGES: Final[dict[str, tuple[str, timedelta]]] = {
    "1m": ("a minute", timedelta(minutes=1)),
    "10m": ("ten minutes", timedelta(minutes=10)),
    "1h": ("an hour", timedelta(hours=1)),
    "1d": ("a day", timedelta(days=1)),
}


class StuckFilter(SimpleListFilter):
    """Intents that do not move on by themselves, or should have."""

    title = "who is stuck"
    parameter_name = "stuck"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(name, words) for name, (words, _) in _STUCK.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        chosen = _STUCK.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class AgeFilter(SimpleListFilter):
    """Rows that are at least, or at most, so old."""

    title = "age"
    parameter_name = "age"
    column: ClassVar[str] = "created_at"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        older = [(f"over-{name}", f"Older than {words}") for name, (words, _) in _AGES.items()]
        return [*older, ("under-1h", "From the last hour"), ("under-1d", "From the last day")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        side, _, name = (self.value() or "").partition("-")
        if name not in _AGES or side not in {"over", "under"}:
            return queryset
        lookup = f"{self.column}__{'lt' if side == 'over' else 'gte'}"
        return queryset.filter(**{lookup: Now() - _AGES[name][1]})


class ReceivedFilter(AgeFilter):
    """The same for what vendors tell."""

    column = "received_at"


class InboxFilter(SimpleListFilter):
    """How far an event has come."""

    title = "state"
    parameter_name = "state"
    _choices: ClassVar[dict[str, Q]] = {
        "WAITING": Q(applied_at__isnull=True, attempts__lt=MAX_ATTEMPTS),
        "PARKED": Q(applied_at__isnull=True, attempts__gte=MAX_ATTEMPTS),
        "APPLIED": Q(applied_at__isnull=False),
    }

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in self._choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        chosen = self._choices.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)
