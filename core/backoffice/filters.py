"""Filters that answer "who is stuck?"."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.auth import roles
from core.auth.api_key_model import KeyState
from core.auth.roles import Role
from core.auth.staff_members import SUPERUSER
from core.clock import Now
from core.inbox import MAX_ATTEMPTS
from core.intents.states import IntentState

LATE: Final = timedelta(minutes=1)
UNUSED: Final = timedelta(days=30)
SOON: Final = timedelta(days=14)
_LATE: Final = Q(
    state__in=[IntentState.PENDING, IntentState.SENDING, IntentState.UNKNOWN],
    due_at__lt=Now() - LATE,
)
STUCK: Final[dict[str, tuple[str, Q]]] = {
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


class ChosenFilter(SimpleListFilter):
    """One of several conditions, each with a name for the address and with words."""

    conditions: ClassVar[Mapping[str, tuple[str, Q]]]

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(name, words) for name, (words, _) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        chosen = self.conditions.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class StuckFilter(ChosenFilter):
    """Intents that do not move on by themselves, or should have."""

    title = "who is stuck"
    parameter_name = "stuck"
    conditions = STUCK


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


class MomentFilter(AgeFilter):
    """The same for rows that say when they happened."""

    column = "at"


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


_ENDED: Final = Q(expires_at__lte=Now())
_LIVE: Final = Q(revoked_at=None) & ~_ENDED


class KeyStateFilter(SimpleListFilter):
    """Keys that open something, and those that do not any more."""

    title = "state"
    parameter_name = "state"
    _choices: ClassVar[dict[str, Q]] = {
        KeyState.LIVE: _LIVE,
        KeyState.EXPIRED: Q(revoked_at=None) & _ENDED,
        KeyState.REVOKED: Q(revoked_at__isnull=False),
    }

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in self._choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        chosen = self._choices.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(chosen)


class KeyUseFilter(SimpleListFilter):
    """Live keys that nobody seems to need."""

    title = "use"
    parameter_name = "use"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("idle", f"Live, unused for {UNUSED.days} days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.value() != "idle":
            return queryset
        never = Q(last_used_at=None, created_at__lt=Now() - UNUSED)
        return queryset.filter(_LIVE & (never | Q(last_used_at__lt=Now() - UNUSED)))


class KeyEndFilter(SimpleListFilter):
    """Live keys whose users need a new one soon."""

    title = "end"
    parameter_name = "end"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("soon", f"Live, ends within {SOON.days} days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.value() != "soon":
            return queryset
        return queryset.filter(_LIVE, expires_at__lt=Now() + SOON)


class RoleFilter(SimpleListFilter):
    """Members of the staff by what they may do."""

    title = "role"
    parameter_name = "role"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in (*Role, SUPERUSER)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.value() == SUPERUSER:
            return queryset.filter(is_superuser=True)
        if self.value() in roles.NAMES:
            return queryset.filter(groups__name=self.value(), is_superuser=False)
        return queryset
