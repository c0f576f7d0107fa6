"""The admin's first page: who waits, since when, and whether the machinery runs."""

from datetime import datetime
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Max, Min, Q, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from core import health
from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, Turn
from core.inbox import MAX_ATTEMPTS, InboxEvent, StreamCursor
from core.intents.states import IntentState
from core.models import LeaseRow

Row = list[Any]
_Found = dict[str, tuple[int, datetime]]
_PARKED: Final = Q(applied_at__isnull=True, attempts__gte=MAX_ATTEMPTS)
_WAITING: Final = Q(applied_at__isnull=True, attempts__lt=MAX_ATTEMPTS)
_ENVIRONMENT_COLOURS: Final = {"production": "danger", "local": "info"}


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures that this member of staff may see to the first page."""
    at = timezone.now()
    pages = _pages(request)
    found = _count_waiting(pages)
    tables = [_Table(page, found.get(page.opts.label, {}), at=at) for page in pages]
    inbox = _inbox() if request.user.has_perm("core.view_inboxevent") else None
    checks = health.check_all(at=at)
    context["cards"] = _cards(tables, inbox, checks)
    context["waiting"] = {
        "headers": ["What", "Waiting", "Oldest"],
        "rows": [table.row() for table in tables],
    }
    context["turns"] = _turns(pages, at=at)
    context["inbox"] = None if inbox is None else _inbox_table(inbox, at=at)
    context["streams"] = _streams(at=at) if request.user.has_perm("core.view_leaserow") else None
    context["checks"] = {
        "headers": ["Check", "State", "Age"],
        "rows": [_check_row(check) for check in checks],
    }
    return context


def environment(request: HttpRequest) -> tuple[str, str]:  # noqa: ARG001 - the theme's signature
    """Name the environment, so that nobody takes one for the other."""
    name = str(settings.ENVIRONMENT)
    return name.capitalize(), _ENVIRONMENT_COLOURS.get(name, "warning")


def _pages(request: HttpRequest) -> list[ReadOnlyAdmin]:
    """List the pages of tables in which something may wait."""
    models = [model for model in apps.get_models() if admin.site.is_registered(model)]
    pages = [admin.site.get_model_admin(model) for model in models]
    return [
        page
        for page in pages
        if isinstance(page, ReadOnlyAdmin)
        and page.waiting_states
        and page.has_view_permission(request)
    ]


def _count_waiting(pages: list[ReadOnlyAdmin]) -> dict[str, _Found]:
    """Count what waits in all tables, by table and state, in one query."""
    counts = [
        page.model.objects.filter(state__in=page.waiting_states)
        .order_by()
        .values("state")
        .annotate(table=Value(page.opts.label), count=Count("pk"), oldest=Min("created_at"))
        .values_list("table", "state", "count", "oldest")
        for page in pages
    ]
    if not counts:
        return {}
    first, *others = counts
    found: dict[str, _Found] = {}
    for table, state, count, oldest in first.union(*others, all=True):
        found.setdefault(table, {})[state] = (count, oldest)
    return found


class _Table:
    """How many rows of one table wait, by state, and since when."""

    def __init__(self, page: ReadOnlyAdmin, found: _Found, *, at: datetime) -> None:
        self._at = at
        self._states = page.waiting_states
        self._found = found
        options = page.opts
        self.name = str(options.verbose_name_plural)
        self.url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")

    def count(self, state: str) -> int:
        return int(self._found.get(state, (0, None))[0])

    def row(self) -> Row:
        labels = [
            columns.label(
                f"{self.count(state)} {state}",
                href=f"{self.url}?state__exact={state}",
                colour=columns.COLOURS.get(state, ""),
            )
            for state in self._states
            if self.count(state)
        ]
        oldest = min((moment for _, moment in self._found.values()), default=None)
        return [
            columns.link(self.url, self.name.capitalize()),
            format_html_join(" ", "{}", ((text,) for text in labels)) or columns.NOTHING,
            columns.age(oldest, at=self._at),
        ]


def _turns(pages: list[ReadOnlyAdmin], *, at: datetime) -> dict[str, Any]:
    """List whose turn it is, in the tables that know."""
    return {
        "headers": ["Whose turn", "Waiting", "Longest"],
        "rows": [
            [
                columns.link(
                    turn.url, f"{page.opts.verbose_name_plural}: {turn.whom}".capitalize()
                ),
                turn.count,
                columns.age(turn.since, at=at),
            ]
            for page in pages
            for turn in page.turns()
        ],
    }


def _turn_words(page: ReadOnlyAdmin, turn: Turn) -> str:
    return f"{page.opts.verbose_name_plural}: {turn.whom}".capitalize()


def _inbox() -> list[dict[str, Any]]:
    """Count what vendors have told and nobody has applied, by source."""
    return [
        {**found}
        for found in InboxEvent.objects.values("source")
        .order_by("source")
        .annotate(
            waiting=Count("id", filter=_WAITING),
            parked=Count("id", filter=_PARKED),
            latest=Max("received_at"),
        )
    ]


def _inbox_table(inbox: list[dict[str, Any]], *, at: datetime) -> dict[str, Any]:
    url = reverse("admin:core_inboxevent_changelist")
    read = dict(StreamCursor.objects.values_list("source", "updated_at"))
    return {
        "headers": ["Source", "Waiting", "Parked", "Latest event", "Cursor moved"],
        "rows": [
            [
                columns.link(f"{url}?source={found['source']}", found["source"]),
                found["waiting"],
                _parked(found["parked"], f"{url}?source={found['source']}&state=PARKED"),
                columns.age(found["latest"], at=at),
                columns.age(read.get(found["source"]), at=at),
            ]
            for found in inbox
        ],
    }


def _parked(count: int, url: str) -> SafeString | int:
    return columns.label(count, href=url, colour="danger") if count else count


def _streams(*, at: datetime) -> dict[str, Any]:
    return {
        "headers": ["Stream", "Leader", "Turn", "Lease"],
        "rows": [
            [lease.name, columns.short(lease.holder), lease.fence, _lease(lease, at=at)]
            for lease in LeaseRow.objects.order_by("name")
        ],
    }


def _lease(lease: LeaseRow, *, at: datetime) -> SafeString:
    if lease.until > at:
        return columns.label(f"{columns.span(lease.until - at)} left", colour="success")
    return columns.label(f"ran out {columns.span(at - lease.until)} ago", colour="danger")


def _cards(
    tables: list[_Table], inbox: list[dict[str, Any]] | None, checks: list[health.Check]
) -> list[dict[str, Any]]:
    review = sum(table.count(IntentState.NEEDS_REVIEW) for table in tables)
    unknown = sum(table.count(IntentState.UNKNOWN) for table in tables)
    cards = [
        _card("A person must decide", review, is_bad=review > 0),
        _card("Unknown at the vendor", unknown, is_bad=unknown > 0),
    ]
    if inbox is not None:
        parked = sum(found["parked"] for found in inbox)
        cards.append(_card("Events parked", parked, is_bad=parked > 0))
    prices = next((check for check in checks if check.name == "prices"), None)
    age = None if prices is None else prices.age_seconds
    is_late = prices is None or not prices.is_ok
    cards.append(_card("Price age", "unknown" if age is None else f"{age} s", is_bad=is_late))
    return cards


def _card(title: str, figure: int | str, *, is_bad: bool) -> dict[str, Any]:
    return {"title": title, "figure": figure, "is_bad": is_bad}


def _check_row(check: health.Check) -> Row:
    state = columns.label(
        "fine" if check.is_ok else check.reason or "failed",
        colour="success" if check.is_ok else "danger" if check.is_required else "warning",
    )
    age = columns.NOTHING if check.age_seconds is None else f"{check.age_seconds} s"
    return [check.name.replace("worker:", "worker for "), state, age]
