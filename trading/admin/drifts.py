"""Where our lots and the broker's positions differ: a work list that two people settle."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.db.models import Q
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
from trading.admin.lots import OF_ACCOUNT
from trading.models import PositionDrift
from trading.services import drifts, holdings
from trading.states import UNSETTLED_DRIFT, DriftRemedy, DriftState

PROPOSE: Final = "trading.propose_positiondrift"
CONFIRM: Final = "trading.confirm_positiondrift"
_REMEDIES: Final = {
    DriftRemedy.ADOPT: "Our lots follow the broker",
    DriftRemedy.KEEP: "Our lots stay: it is known why they differ",
}


class NoteForm(forms.Form):
    """Why it is done; it stays on record."""

    note = text_field()


class RemedyForm(NoteForm):
    """How the difference is settled, and why so."""

    remedy = forms.ChoiceField(
        choices=[(remedy.value, words) for remedy, words in _REMEDIES.items()],
        label="How",
        widget=UnfoldAdminSelectWidget(),
    )
    field_order = ("remedy", "note")


def _propose(staff: Principal, drift: PositionDrift, given: Mapping[str, Any]) -> None:
    drifts.propose(staff=staff, drift_id=drift.pk, at=timezone.now(), **given)


def _withdraw(staff: Principal, drift: PositionDrift, given: Mapping[str, Any]) -> None:
    drifts.withdraw(staff=staff, drift_id=drift.pk, at=timezone.now(), **given)


def _confirm(staff: Principal, drift: PositionDrift, _: Mapping[str, Any]) -> None:
    drifts.confirm(staff=staff, drift_id=drift.pk, at=timezone.now())


def _read_again(_staff: Principal, drift: PositionDrift, _: Mapping[str, Any]) -> None:
    """Have a worker do it: the broker is not called while the page's transaction is open."""
    holdings.request_sync(account_id=drift.account_id)


PROPOSAL: Final = Deed(
    title="Propose",
    question="Somebody else, an approver, has to agree before any lot is changed.",
    button="Propose it",
    done="Proposed; an approver has to agree.",
    fits=lambda drift: drift.state == DriftState.OPEN,
    do=_propose,
    form=RemedyForm,
)
APPROVAL: Final = Deed(
    title="Confirm",
    question="What was proposed is done now and stays in the books for good.",
    button="Confirm it",
    done="Settled.",
    fits=lambda drift: drift.state == DriftState.PROPOSED,
    do=_confirm,
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
READING: Final = Deed(
    title="Read again",
    question="The broker is read in the background. What differs no more heals by itself.",
    button="Read now",
    done="Asked. Reload in a moment.",
    fits=lambda drift: drift.state in UNSETTLED_DRIFT,
    do=_read_again,
    form=NothingForm,
)


class TurnFilter(ChosenFilter):
    """Differences by who has to act."""

    title = "whose turn"
    parameter_name = "turn"
    conditions = {
        "operator": ("An operator proposes", Q(state=DriftState.OPEN)),
        "approver": ("An approver decides", Q(state=DriftState.PROPOSED)),
        "nobody": ("Only suspected yet", Q(state=DriftState.SUSPECTED)),
    }


@admin.register(PositionDrift)
class PositionDriftAdmin(ExportsCsv, Deeds):
    """Where our lots and the broker's positions differ."""

    waiting_states = (DriftState.OPEN, DriftState.PROPOSED)
    ordering = ("-created_at",)
    list_display = ("short_id", "state_label", "symbol", "of_ours", "of_theirs", "account", "age")
    list_filter: ClassVar[Any] = (TurnFilter, "state", AgeFilter)
    list_select_related = ("account",)
    search_fields = ("id__exact", "symbol__exact", *OF_ACCOUNT)
    search_help_text = "Our id, a symbol, the account, or the customer's id"
    offers = {
        "propose": PROPOSAL,
        "confirm": APPROVAL,
        "withdraw": WITHDRAWAL,
        "read": READING,
    }
    actions_detail = tuple(offers)
    fieldsets = (
        (None, {"fields": (("state_label", "symbol"), ("of_theirs", "of_ours"))}),
        ("About", {"fields": (("account", "user_id"),)}),
        ("Proposal", {"fields": (("remedy", "note"), ("proposer", "proposed_at"))}),
        ("Settled", {"fields": (("confirmer", "settled_at"),)}),
        ("Life", {"fields": ("id", ("created_at", "seen_at"))}),
    )
    readonly_fields = (
        "id",
        "state_label",
        "symbol",
        "of_theirs",
        "of_ours",
        "account",
        "user_id",
        "remedy",
        "note",
        "proposer",
        "proposed_at",
        "confirmer",
        "settled_at",
        "created_at",
        "seen_at",
    )
    csv_columns = (
        "id",
        "account__account_number",
        "user_id",
        "symbol",
        "ours",
        "theirs",
        "state",
        "remedy",
        "note",
        "created_at",
        "seen_at",
        "settled_at",
    )

    def has_propose_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(PROPOSE)

    def has_confirm_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(CONFIRM)

    @action(description=PROPOSAL.title, icon="gavel", permissions=["propose"], url_path="propose")
    def propose(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, PROPOSAL)

    @action(
        description=APPROVAL.title,
        icon="done_all",
        permissions=["confirm"],
        url_path="confirm",
        variant=ActionVariant.PRIMARY,
    )
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, APPROVAL)

    @action(description=WITHDRAWAL.title, icon="undo", permissions=["propose"], url_path="withdraw")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, WITHDRAWAL)

    @action(description=READING.title, icon="sync", permissions=["propose"], url_path="read")
    def read(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, READING)

    def facts_of(self, row: PositionDrift) -> Mapping[str, Any]:
        """List what to know before one decides."""
        return {
            "Symbol": row.symbol,
            "The broker": self.of_theirs(row),
            "Our lots": self.of_ours(row),
            "Proposed": _REMEDIES.get(DriftRemedy(row.remedy)) if row.remedy else "",
            "Why": row.note,
        }

    # Columns

    @admin.display(description="our lots", ordering="ours")
    def of_ours(self, drift: PositionDrift) -> str:
        return columns.shares(drift.ours)

    @admin.display(description="the broker", ordering="theirs")
    def of_theirs(self, drift: PositionDrift) -> str:
        return columns.shares(drift.theirs)

    @admin.display(description="proposed by", empty_value=columns.NOTHING)
    def proposer(self, drift: PositionDrift) -> SafeString | str | None:
        return _name(drift.proposed_by)

    @admin.display(description="confirmed by", empty_value=columns.NOTHING)
    def confirmer(self, drift: PositionDrift) -> SafeString | str | None:
        return _name(drift.confirmed_by)


def _name(principal: str) -> SafeString | str | None:
    return people.names_of([principal]).get(principal) if principal else None
