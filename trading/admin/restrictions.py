"""Symbols that nobody may trade."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from core.auth import Principal
from core.backoffice import columns
from core.backoffice.deeds import Deed, NothingForm, Question
from market import selectors as market
from trading.admin.board import Board, StandingFilter
from trading.admin.forms import RestrictForm
from trading.models import RestrictedSymbol
from trading.services import restrictions


def _restrict(staff: Principal, given: Mapping[str, Any]) -> str:
    restricted = restrictions.restrict(
        staff=staff,
        symbol=given["symbol"],
        side=given["side"],
        reason=given["reason"],
        at=timezone.now(),
    )
    told = f"{restricted.symbol} is restricted from the next order on."
    if not market.list_instruments(symbols=[restricted.symbol]):
        told += " Nobody has ever asked for it here, so check how it is spelled."
    return told


def _unrestrict(staff: Principal, row: RestrictedSymbol, _given: Mapping[str, Any]) -> None:
    restrictions.lift_restriction(staff=staff, restriction_id=row.pk, at=timezone.now())


_RESTRICT: Final = Question(
    title="Restrict a symbol",
    question="Orders for it are refused from now on. Those that are open stay open.",
    button="Restrict it",
    form=RestrictForm,
)
_UNRESTRICT: Final = Deed(
    title="Lift the restriction",
    question="Orders for the symbol pass again, if no other rule is in the way.",
    button="Lift it",
    done="The restriction is lifted.",
    form=NothingForm,
    do=_unrestrict,
    fits=lambda row: row.lifted_at is None,
)


@admin.register(RestrictedSymbol)
class RestrictedSymbolAdmin(Board):
    ordering = ("-set_at",)
    list_display = ("symbol", "which_side", "stands", "reason", "principal_name", "set_at")
    list_filter: ClassVar[Any] = (StandingFilter,)
    search_fields = ("symbol__exact",)
    search_help_text = "A symbol"
    fields = (
        "symbol",
        "which_side",
        "stands",
        "reason",
        "principal_name",
        "set_at",
        "lifted_by",
        "lifted_at",
    )
    readonly_fields = fields
    actions_list = ("restrict_symbol",)
    actions_detail = ("lift_restriction",)
    offers = {"lift_restriction": _UNRESTRICT}

    def has_restrict_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("trading.change_restrictedsymbol")

    @action(description=_RESTRICT.title, icon="block", permissions=["restrict"], url_path="new")
    def restrict_symbol(self, request: HttpRequest) -> HttpResponse:
        return self.add(request, _RESTRICT, _restrict)

    @action(description=_UNRESTRICT.title, icon="undo", permissions=["restrict"], url_path="lift")
    def lift_restriction(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _UNRESTRICT)

    @admin.display(description="side", ordering="side")
    def which_side(self, row: RestrictedSymbol) -> SafeString | str:
        return columns.label(row.side) if row.side else "both"
