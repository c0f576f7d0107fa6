"""Entries with their witnesses, and each account's book: to look at, never to change."""

from datetime import timedelta
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from core.backoffice import columns
from core.backoffice.admin import ReadOnlyAdmin, ReadOnlyInline
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.filters import AgeFilter, ChosenFilter
from core.clock import Now
from ledger.models import Entry, LedgerBook, Witness
from ledger.states import CASH, EntryKind

OF_ACCOUNT: Final = (
    "user_id__exact",
    "account__account_number__exact",
    "account__broker_account_id__exact",
)


class OccurredFilter(AgeFilter):
    """Entries by when the cash moved."""

    column = "occurred_at"


class BookFilter(ChosenFilter):
    """Where the other side of an entry stands."""

    title = "other side"
    parameter_name = "side"
    conditions = {
        name: (words, Q(debit=name) | Q(credit=name))
        for name, words in (
            ("BANK", "The bank"),
            ("SECURITIES", "Securities"),
            ("INCOME", "Income"),
            ("FEES", "Fees and taxes"),
            ("BROKER", "The broker"),
            ("HELD", "Held back or freed"),
        )
    }


class Witnesses(ReadOnlyInline):
    model = Witness
    fields = ("kind", "external_id", "at")
    readonly_fields = fields


@admin.register(Entry)
class EntryAdmin(ExportsCsv):
    """Every movement of cash, and who has told of it."""

    list_display = (
        "short_id",
        "kind_label",
        "effect",
        "symbol",
        "told_by",
        "account",
        "customer",
        "occurred_at",
    )
    list_filter: ClassVar[Any] = ("kind", BookFilter, OccurredFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "reference__exact", "symbol__exact", *OF_ACCOUNT)
    search_help_text = "Our id, of the entry, transfer or order; a symbol; the account or customer"
    fields: ClassVar[Any] = (
        "id",
        ("kind_label", "effect"),
        ("debit", "credit", "amount"),
        ("account", "user_id"),
        ("symbol", "quantity", "reference"),
        ("reverses", "natural_key"),
        ("occurred_at", "recorded_at"),
    )
    inlines: ClassVar[Any] = [Witnesses]
    csv_columns = (
        "id",
        "account__account_number",
        "user_id",
        "kind",
        "debit",
        "credit",
        "amount",
        "symbol",
        "reference",
        "reverses_id",
        "occurred_at",
        "recorded_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        entries: QuerySet[Entry] = super().get_queryset(request)
        return entries.prefetch_related("witnesses")

    def get_readonly_fields(self, *_: Any) -> tuple[str, ...]:
        return tuple(
            name for each in self.fields for name in (each if isinstance(each, tuple) else (each,))
        )

    @admin.display(description="what", ordering="kind")
    def kind_label(self, entry: Entry) -> SafeString:
        return columns.label(entry.kind, colour=_colour(entry))

    @admin.display(description="cash")
    def effect(self, entry: Entry) -> str:
        """Show what it does to the account's cash, or how much it holds back or frees."""
        moved = entry.cash_effect
        return columns.dollars(moved) if moved else f"({columns.dollars(entry.amount)})"

    @admin.display(description="told by")
    def told_by(self, entry: Entry) -> str:
        return ", ".join(sorted(each.kind.lower() for each in entry.witnesses.all()))


def _colour(entry: Entry) -> str:
    if entry.reverses_id is not None or entry.kind == EntryKind.ADJUSTMENT:
        return "warning"
    if entry.kind in {EntryKind.HOLD, EntryKind.RELEASE}:
        return ""
    return "success" if entry.debit in CASH else "info"


class AgreementFilter(ChosenFilter):
    """Books by whether they are known to be right."""

    title = "agreement"
    parameter_name = "agrees"
    conditions = {
        "never": ("Not complete yet", Q(opened_at=None)),
        "late": ("Nobody came for ten minutes", Q(due_at__lt=Now() - timedelta(minutes=10))),
        "explained": ("With an explained difference", ~Q(explained=0)),
    }


@admin.register(LedgerBook)
class LedgerBookAdmin(ReadOnlyAdmin):
    """When each account's ledger was compared with the broker's books."""

    list_display = (
        "account",
        "customer",
        "theirs",
        "known_difference",
        "agreed",
        "compared",
        "due_at",
    )
    list_filter: ClassVar[Any] = (AgreementFilter,)
    list_select_related = ("account",)
    search_fields = OF_ACCOUNT
    search_help_text = "The account's number, the broker's id of it, or the customer's id"
    ordering = ("due_at",)
    fields: ClassVar[Any] = (
        ("account", "user_id"),
        ("theirs", "known_difference"),
        ("opened_at", "agreed_at"),
        ("compared_at", "due_at"),
        ("closed_until", "closed_available", "closed_held"),
    )

    def get_readonly_fields(self, *_: Any) -> tuple[str, ...]:
        return tuple(name for pair in self.fields for name in pair)

    @admin.display(description="the broker's cash", ordering="broker_cash")
    def theirs(self, book: LedgerBook) -> str:
        return columns.dollars(book.broker_cash)

    @admin.display(description="explained difference", ordering="explained")
    def known_difference(self, book: LedgerBook) -> str:
        return columns.dollars(book.explained) if book.explained else columns.NOTHING

    @admin.display(description="agreed", ordering="agreed_at")
    def agreed(self, book: LedgerBook) -> SafeString | str:
        return columns.age(book.agreed_at, at=timezone.now())

    @admin.display(description="compared", ordering="compared_at")
    def compared(self, book: LedgerBook) -> SafeString | str:
        return columns.age(book.compared_at, at=timezone.now())
