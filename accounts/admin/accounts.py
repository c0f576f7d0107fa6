"""Accounts: who is stuck and whose turn it is; and one customer, with all that happened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from accounts.admin import papers, revealed, timeline, waits
from accounts.admin.desk import Desk
from accounts.admin.filters import StuckAccountFilter, TurnFilter
from accounts.admin.standing import TURN_COLOURS, Standing, status_label
from accounts.models import BrokerageAccount
from core.backoffice import columns, people
from core.backoffice.admin import ShowsMore, Turn
from core.backoffice.filters import AgeFilter
from core.intents.admin import IntentAdmin


@admin.register(BrokerageAccount)
class BrokerageAccountAdmin(Desk, ShowsMore, IntentAdmin):
    """Who has applied, and how far the broker is with it; the person stays sealed."""

    list_display = (
        "short_id",
        "account_number",
        "customer",
        "status_label",
        "missing",
        "turn",
        "waiting",
        "frozen",
    )
    list_filter: ClassVar[Any] = (
        StuckAccountFilter,
        TurnFilter,
        "state",
        "vendor_status",
        AgeFilter,
    )
    search_fields = (
        "id__exact",
        "broker_account_id__exact",
        "account_number__exact",
        "user_id__exact",
    )
    search_help_text = "Our id, the broker's id, the account number, or the customer's id"
    list_before_template = "accounts/standing.html"
    change_form_before_template = "accounts/turn.html"
    change_form_outer_after_template = "accounts/customer.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[BrokerageAccount]:
        known: QuerySet[BrokerageAccount] = super().get_queryset(request)
        return waits.with_waits(known.defer("sealed_payload", "sealed_profile"))

    def get_fieldsets(
        self, _: HttpRequest, obj: BrokerageAccount | None = None
    ) -> list[tuple[str | None, dict[str, Any]]]:
        frozen: list[Any] = [("Freeze", {"fields": (("frozen_at", "froze"), "freeze_reason")})]
        why = ("reason",) if obj is not None and obj.reason else ()
        return [
            (None, {"fields": (("status_label", "state_label"), "missing", *why)}),
            *(frozen if obj is not None and obj.is_frozen else []),
            (
                "Customer",
                {"fields": (("name", "email_masked"), ("tax_id", "tax_id_type"), "user_id")},
            ),
            (
                "At the broker",
                {
                    "fields": (
                        ("account_number", "broker_account_id"),
                        ("crypto_status", "mirrored_status"),
                        "vendor_status_at",
                    )
                },
            ),
            (
                "Machinery",
                {
                    "classes": ("collapse",),
                    "fields": (
                        ("id", "reason_code"),
                        ("attempts", "looks"),
                        ("created_at", "sent_at"),
                        ("due_at", "settled_at"),
                    ),
                },
            ),
        ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: BrokerageAccount | None = None
    ) -> tuple[str, ...]:
        sections = self.get_fieldsets(request, obj)
        named = (each for _, options in sections for each in options["fields"])
        return tuple(
            name for each in named for name in (each if isinstance(each, tuple) else (each,))
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show above the list how many accounts there are of each kind."""
        shown = {**(extra_context or {}), "standing": Standing(at=timezone.now())}
        response: HttpResponse = super().changelist_view(request, shown)
        return response

    def turns(self) -> Sequence[Turn]:
        return Standing(at=timezone.now()).turns_of(waits.US, waits.CUSTOMER, waits.BROKER)

    def surroundings(self, request: HttpRequest, row: BrokerageAccount) -> dict[str, Any]:
        """Show below the facts what was asked for and handed in, and the timeline."""
        view = request.GET.get("show", timeline.EVERYTHING)
        view = view if view in timeline.VIEWS else timeline.EVERYTHING
        before = timeline.moment_of(request.GET.get("before", ""))
        at = timezone.now()
        lines = timeline.read(row.user_id, view=view, before=before)
        older = lines.older.isoformat() if lines.older else ""
        return {
            "turn": _turn_of(row, at=at),
            "tables": [table for table in papers.tables(row, at=at) if table["rows"]],
            "timeline": lines,
            "newest": f"?show={view}#timeline",
            "older": f"?{urlencode({'show': view, 'before': older})}#timeline",
            "before": before,
            "views": [
                {"title": words, "link": f"?show={name}#timeline", "active": name == view}
                for name, words in timeline.VIEWS.items()
            ],
        }

    @admin.display(description="customer", ordering="email_masked")
    def customer(self, account: BrokerageAccount) -> SafeString:
        """Show whose it is; a click lists all of their accounts."""
        return format_html(
            '<a class="whitespace-nowrap" href="?{}" title="{}">{}</a>',
            urlencode({"q": account.user_id}),
            account.user_id,
            account.email_masked,
        )

    @admin.display(description="status", ordering="vendor_status")
    def status_label(self, account: BrokerageAccount) -> SafeString:
        """Show the broker's word once it has the account; until then, what became of it here."""
        return status_label(account.state, account.vendor_status)

    @admin.display(description="what is missing")
    def missing(self, account: BrokerageAccount) -> SafeString | str:
        return columns.lines(waits.missing(account))

    @admin.display(description="whose turn", ordering="wait")
    def turn(self, account: Any) -> SafeString | str:
        whom = waits.whose_turn(account.wait)
        if whom == waits.NOBODY:
            return columns.NOTHING
        label = columns.label(whom, colour=TURN_COLOURS[whom])
        return format_html('<span title="{}">{}</span>', waits.words(account.wait), label)

    @admin.display(description="waiting", ordering="waits_since")
    def waiting(self, account: Any) -> SafeString | str:
        return columns.age(account.waits_since, at=timezone.now())

    @admin.display(description="frozen", ordering="frozen_at")
    def frozen(self, account: BrokerageAccount) -> SafeString | str:
        if not account.is_frozen:
            return columns.NOTHING
        label = columns.label("frozen", colour="danger")
        return format_html('<span title="{}">{}</span>', account.freeze_reason, label)

    @admin.display(description="name", empty_value="erased")
    def name(self, account: BrokerageAccount) -> str | None:
        return revealed.masked_name(account) or None

    @admin.display(description="tax id", empty_value=columns.NOTHING)
    def tax_id(self, account: BrokerageAccount) -> str | None:
        return revealed.masked_tax_id(account) or None

    @admin.display(description="frozen by", empty_value=columns.NOTHING)
    def froze(self, account: BrokerageAccount) -> SafeString | str | None:
        names = people.names_of([account.frozen_by]) if account.frozen_by else {}
        return names.get(account.frozen_by)


def _turn_of(account: Any, *, at: datetime) -> dict[str, Any]:
    """Say in a banner who has to act, why, and for how long."""
    since: datetime | None = account.waits_since
    whom = waits.whose_turn(account.wait)
    return {
        "title": waits.WHOSE_TURN[whom],
        "words": waits.words(account.wait),
        "since": columns.span(at - since) if since else "",
        "variant": TURN_COLOURS.get(whom, ""),
        "missing": waits.missing(account),
    }
