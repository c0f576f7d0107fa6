"""Transfers that banks have sent back: cases for an operator to close."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from core.auth import Principal
from core.backoffice import columns, people
from core.backoffice.csv_export import ExportsCsv
from core.backoffice.deeds import Deed
from core.backoffice.filters import AgeFilter
from funding import return_codes
from funding.admin.forms import NoteForm
from funding.admin.shared import RESOLVE, SEARCH, WORDS, Desk
from funding.models import TransferReturn
from funding.services import returns
from funding.states import ReturnState


def _resolve(staff: Principal, case: TransferReturn, given: Mapping[str, Any]) -> None:
    returns.resolve(staff=staff, return_id=case.pk, note=given["note"], at=timezone.now())


_RESOLVE: Final = Deed(
    title="Resolve",
    question="Say how it was settled. A restriction of the account stays until an approver lifts"
    " it on the account's page.",
    button="Close the case",
    done="The case is closed.",
    fits=lambda case: case.state == ReturnState.OPEN,
    do=_resolve,
    form=NoteForm,
)


@admin.register(TransferReturn)
class TransferReturnAdmin(ExportsCsv, Desk):
    waiting_states = (ReturnState.OPEN,)
    ordering = ("-created_at",)
    list_display = (
        "short_id",
        "code_label",
        "meaning",
        "way",
        "dollars",
        "account",
        "customer",
        "had_arrived",
        "restricted",
        "state_label",
        "age",
    )
    list_filter: ClassVar[Any] = ("state", "code", "was_complete", "has_restricted", AgeFilter)
    list_select_related = ("account", "transfer")
    search_fields = (*SEARCH, "transfer__id__exact", "transfer__broker_transfer_id__exact")
    search_help_text = WORDS
    fields = (
        ("code_label", "state_label"),
        "meaning",
        "advice",
        "words",
        "transfer",
        ("way", "dollars"),
        ("had_arrived", "restricted"),
        "account",
        "user_id",
        "note",
        "resolver",
        ("created_at", "told_at", "settled_at"),
    )
    readonly_fields = (
        "code_label",
        "state_label",
        "meaning",
        "advice",
        "words",
        "transfer",
        "way",
        "dollars",
        "had_arrived",
        "restricted",
        "account",
        "user_id",
        "note",
        "resolver",
        "created_at",
        "told_at",
        "settled_at",
    )
    csv_columns = (
        "id",
        "user_id",
        "account_id",
        "account__account_number",
        "transfer_id",
        "transfer__broker_transfer_id",
        "transfer__direction",
        "transfer__amount",
        "code",
        "was_complete",
        "has_restricted",
        "state",
        "created_at",
        "settled_at",
    )
    actions_detail = ("resolve",)
    offers = {"resolve": _RESOLVE}

    def has_resolve_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(RESOLVE)

    @action(
        description=_RESOLVE.title, icon="task_alt", permissions=["resolve"], url_path="resolve"
    )
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _RESOLVE)

    def facts_of(self, row: TransferReturn) -> Mapping[str, Any]:
        """List what came back, and why."""
        return {
            "Transfer": row.transfer,
            "Direction": self.way(row),
            "Amount": self.dollars(row),
            "Code": self.code_label(row),
            "Meaning": self.meaning(row),
        }

    @admin.display(description="code", ordering="code")
    def code_label(self, case: TransferReturn) -> SafeString | str:
        return columns.label(case.code, colour="danger") if case.code else columns.NOTHING

    @admin.display(description="what it means")
    def meaning(self, case: TransferReturn) -> str:
        return return_codes.explain(case.code).meaning

    @admin.display(description="what to do")
    def advice(self, case: TransferReturn) -> str:
        return return_codes.explain(case.code).advice

    @admin.display(description="direction", ordering="transfer__direction")
    def way(self, case: TransferReturn) -> SafeString:
        return columns.label(case.transfer.direction)

    @admin.display(description="amount", ordering="transfer__amount")
    def dollars(self, case: TransferReturn) -> str:
        return columns.dollars(case.transfer.amount)

    @admin.display(description="had arrived", boolean=True, ordering="was_complete")
    def had_arrived(self, case: TransferReturn) -> bool:
        return case.was_complete

    @admin.display(description="stopped the account", boolean=True, ordering="has_restricted")
    def restricted(self, case: TransferReturn) -> bool:
        return case.has_restricted

    @admin.display(description="closed by")
    def resolver(self, case: TransferReturn) -> SafeString | str:
        if not case.resolved_by:
            return columns.NOTHING
        return people.names_of([case.resolved_by])[case.resolved_by]
