"""Differences with the broker's books: a work list, and the pages on which they are settled."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from core.auth import Principal
from core.backoffice import columns, people
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.deeds import Deed, Deeds, NothingForm, text_field
from core.backoffice.filters import AgeFilter, ChosenFilter
from ledger.admin.entries import OF_ACCOUNT
from ledger.models import Drift
from ledger.services import comparing, drifts
from ledger.states import FILLS, DriftKind, DriftState, Remedy, WitnessKind

PROPOSE: Final = "ledger.propose_drift"
RESOLVE: Final = "ledger.resolve_drift"
_UNSETTLED: Final = frozenset({DriftState.SUSPECTED, DriftState.OPEN, DriftState.PROPOSED})
_REMEDIES: Final = {
    Remedy.ADJUST: "Book it: our books follow the broker's",
    Remedy.EXPLAINED: "Leave the books: it is known why they differ",
}
_WORDS: Final = {
    DriftKind.BALANCE: "The cash differs.",
    DriftKind.NOT_AT_BROKER: "We have booked it, the broker has not.",
    DriftKind.NOT_OURS: "The broker has booked it, and no transfer or order of ours tells of it.",
}


class NoteForm(forms.Form):
    """Why it is done; it stays on record."""

    note = text_field()


class ProposalForm(NoteForm):
    """How a difference is settled, and why so."""

    remedy = forms.ChoiceField(
        choices=[(remedy.value, words) for remedy, words in _REMEDIES.items()],
        label="How",
        widget=UnfoldAdminSelectWidget(),
    )
    field_order = ("remedy", "note")


def _propose(staff: Principal, drift: Drift, given: Mapping[str, Any]) -> None:
    drifts.propose(staff=staff, drift_id=drift.pk, at=timezone.now(), **given)


def _withdraw(staff: Principal, drift: Drift, given: Mapping[str, Any]) -> None:
    drifts.withdraw_proposal(staff=staff, drift_id=drift.pk, at=timezone.now(), **given)


def _resolve(staff: Principal, drift: Drift, _: Mapping[str, Any]) -> None:
    drifts.resolve(staff=staff, drift_id=drift.pk, at=timezone.now())


def _compare(staff: Principal, drift: Drift, _: Mapping[str, Any]) -> None:
    """Have a worker do it: the broker is not called while the page's transaction is open."""
    drifts.ask_for_comparison(staff=staff, account_id=drift.account_id)
    comparing.request_comparison(account_id=drift.account_id)


PROPOSAL: Final = Deed(
    title="Propose",
    question="Somebody else, an approver, has to agree before anything is booked.",
    button="Propose it",
    done="Proposed; an approver has to agree.",
    fits=lambda drift: drift.state == DriftState.OPEN,
    do=_propose,
    form=ProposalForm,
)
APPROVAL: Final = Deed(
    title="Approve",
    question="What was proposed is done now, and stays in the books for good. Then they are"
    " compared again.",
    button="Approve it",
    done="Settled. The books are compared again.",
    fits=lambda drift: drift.state == DriftState.PROPOSED,
    do=_resolve,
    form=NothingForm,
)
WITHDRAWAL: Final = Deed(
    title="Withdraw the proposal",
    question="The difference is open again, and something else can be proposed.",
    button="Withdraw it",
    done="Withdrawn; the difference is open again.",
    fits=lambda drift: drift.state == DriftState.PROPOSED,
    do=_withdraw,
    form=NoteForm,
)
COMPARISON: Final = Deed(
    title="Compare again",
    question="The broker is read in the background. What differs no more heals by itself.",
    button="Compare now",
    done="Asked. Reload in a moment.",
    fits=lambda drift: drift.state in _UNSETTLED,
    do=_compare,
    form=NothingForm,
)


class WorkFilter(ChosenFilter):
    """Differences by who has to act."""

    title = "whose turn"
    parameter_name = "turn"
    conditions = {
        "operator": ("An operator proposes", Q(state=DriftState.OPEN)),
        "approver": ("An approver decides", Q(state=DriftState.PROPOSED)),
        "nobody": ("Only suspected yet", Q(state=DriftState.SUSPECTED)),
    }


@admin.register(Drift)
class DriftAdmin(ExportsCsv, Deeds):
    """Where our ledger and the broker's books differ."""

    waiting_states = (DriftState.OPEN, DriftState.PROPOSED)
    list_display = (
        "short_id",
        "state_label",
        "kind",
        "dollars",
        "theirs",
        "ours",
        "lacking",
        "account",
        "age",
    )
    list_filter: ClassVar[Any] = (WorkFilter, "state", "kind", AgeFilter)
    search_fields = ("id__exact", "subject__exact", *OF_ACCOUNT)
    search_help_text = "Our id, of the difference or the entry; the account, or the customer"
    offers = {
        "propose": PROPOSAL,
        "approve": APPROVAL,
        "withdraw": WITHDRAWAL,
        "compare": COMPARISON,
    }
    actions_detail = tuple(offers)
    csv_columns = (
        "id",
        "account__account_number",
        "user_id",
        "kind",
        "state",
        "difference",
        "subject",
        "remedy",
        "note",
        "created_at",
        "seen_at",
        "settled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Drift]:
        found: QuerySet[Drift] = super().get_queryset(request)
        return found.select_related("account", "entry")

    def get_fieldsets(self, *_: Any) -> list[tuple[str | None, dict[str, Any]]]:
        return [
            (None, {"fields": (("state_label", "kind"), "words", ("theirs", "ours", "dollars"))}),
            ("About", {"fields": ("entry", "lacking", ("account", "user_id"))}),
            ("Proposal", {"fields": (("remedy", "note"), ("proposer", "proposed_at"))}),
            ("Settled", {"fields": (("resolver", "settled_at"), "adjustment")}),
            ("Life", {"fields": ("id", ("created_at", "seen_at"))}),
        ]

    def get_readonly_fields(self, *_: Any) -> tuple[str, ...]:
        named = (each for _, options in self.get_fieldsets() for each in options["fields"])
        return tuple(
            name for each in named for name in (each if isinstance(each, tuple) else (each,))
        )

    def has_propose_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(PROPOSE)

    def has_resolve_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(RESOLVE)

    @action(description=PROPOSAL.title, icon="gavel", permissions=["propose"], url_path="propose")
    def propose(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, PROPOSAL)

    @action(
        description=APPROVAL.title,
        icon="done_all",
        permissions=["resolve"],
        url_path="approve",
        variant=ActionVariant.PRIMARY,
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, APPROVAL)

    @action(description=WITHDRAWAL.title, icon="undo", permissions=["propose"], url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, WITHDRAWAL)

    @action(description=COMPARISON.title, icon="sync", permissions=["propose"], url_path="compare")
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, COMPARISON)

    def facts_of(self, row: Drift) -> Mapping[str, Any]:
        """List what to know before one decides."""
        return {
            "What": _WORDS[DriftKind(row.kind)],
            "Difference": columns.dollars(row.difference),
            "The broker": self.theirs(row),
            "Ours": self.ours(row),
            "Proposed": _REMEDIES.get(Remedy(row.remedy)) if row.remedy else "",
            "Why": row.note,
        }

    # Columns

    @admin.display(description="what it means")
    def words(self, drift: Drift) -> str:
        return _WORDS[DriftKind(drift.kind)]

    @admin.display(description="difference", ordering="difference")
    def dollars(self, drift: Drift) -> str:
        return columns.dollars(drift.difference)

    @admin.display(description="the broker's figure")
    def theirs(self, drift: Drift) -> str:
        """Show the broker's cash, or what it has of the entry."""
        if drift.kind == DriftKind.NOT_AT_BROKER:
            return columns.NOTHING
        return _figure(drift, "broker" if drift.kind == DriftKind.BALANCE else "amount")

    @admin.display(description="our figure")
    def ours(self, drift: Drift) -> str:
        """Show our cash, or the amount of the entry."""
        return _figure(drift, "ours" if drift.kind == DriftKind.BALANCE else "amount")

    @admin.display(description="lacks")
    def lacking(self, drift: Drift) -> str:
        """Name the witnesses whose word is missing."""
        if drift.kind == DriftKind.BALANCE:
            return columns.NOTHING
        if drift.kind == DriftKind.NOT_AT_BROKER:
            return WitnessKind.ACTIVITY.label
        is_fill = drift.entry is not None and drift.entry.kind in FILLS
        return str((WitnessKind.EXECUTION if is_fill else WitnessKind.TRANSFER).label)

    @admin.display(description="proposed by", empty_value=columns.NOTHING)
    def proposer(self, drift: Drift) -> SafeString | str | None:
        return _name(drift.proposed_by)

    @admin.display(description="approved by", empty_value=columns.NOTHING)
    def resolver(self, drift: Drift) -> SafeString | str | None:
        return _name(drift.resolved_by)


def _figure(drift: Drift, name: str) -> str:
    figure = drift.evidence.get(name)
    return columns.dollars(Decimal(figure) if figure else None)


def _name(principal: str) -> SafeString | str | None:
    return people.names_of([principal]).get(principal) if principal else None
