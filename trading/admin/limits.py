"""How much may be traded: the limits for everybody and for single accounts."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from accounts import selectors as accounts
from core.auth import Principal
from core.backoffice import columns
from core.backoffice.deeds import Deed, Question
from core.errors import Invalid, NotFound
from trading.admin.board import Board
from trading.admin.forms import AccountLimitForm, LimitForm
from trading.models import RiskLimit
from trading.services import limit_setting

_LIMITS: Final = (
    "max_notional",
    "max_quantity",
    "daily_notional",
    "daily_orders",
    "open_orders",
    "collar",
    "concentration",
    "step_up_notional",
)
_LIMITS_HOLD: Final = (
    "These hold from the next order on. What is left empty is as for everybody, and for everybody"
    " as the settings say."
)


def _set_limits(staff: Principal, account_id: UUID | None, given: Mapping[str, Any]) -> None:
    limit_setting.set_limits(
        staff=staff,
        account_id=account_id,
        **{name: given[name] for name in _LIMITS},
        note=given["note"],
        at=timezone.now(),
    )


def _set_named(staff: Principal, given: Mapping[str, Any]) -> str:
    named = given["account_id"].strip()
    _set_limits(staff, _account(staff, named) if named else None, given)
    return "The limits of the account are set." if named else "The limits for everybody are set."


def _account(staff: Principal, named: str) -> UUID:
    try:
        pk: UUID = accounts.get_account(principal=staff, account_id=named).pk
    except NotFound as error:
        raise Invalid(error.detail, field_errors={"account_id": [error.detail]}) from error
    return pk


def _change(staff: Principal, limit: RiskLimit, given: Mapping[str, Any]) -> None:
    _set_limits(staff, limit.account_id, given)


_ADD_LIMIT: Final = Question(
    title="Set limits", question=_LIMITS_HOLD, button="Set them", form=AccountLimitForm
)
_CHANGE_LIMIT: Final = Deed(
    title="Change the limits",
    question=_LIMITS_HOLD,
    button="Set them",
    done="The limits are set.",
    form=LimitForm,
    do=_change,
)


@admin.register(RiskLimit)
class RiskLimitAdmin(Board):
    ordering = ("-set_at",)
    list_display = (
        "whose",
        "largest",
        "shares",
        "in_a_day",
        "daily_orders",
        "open_orders",
        "collar",
        "concentration",
        "step_up",
        "note",
        "principal_name",
        "since",
    )
    list_select_related = ("account",)
    search_fields = (
        "account__id__exact",
        "account__account_number__exact",
        "account__broker_account_id__exact",
        "user_id__exact",
    )
    search_help_text = "Our id of the account, its number, the broker's id, the customer's id"
    fields = (
        "whose",
        "user_id",
        "largest",
        "shares",
        "in_a_day",
        "daily_orders",
        "open_orders",
        "collar",
        "concentration",
        "step_up",
        "note",
        "principal_name",
        "set_at",
    )
    readonly_fields = fields
    actions_list = ("add_limit",)
    actions_detail = ("change_limit",)
    offers = {"change_limit": _CHANGE_LIMIT}

    def has_set_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("trading.change_risklimit")

    @action(description=_ADD_LIMIT.title, icon="add", permissions=["set"], url_path="new")
    def add_limit(self, request: HttpRequest) -> HttpResponse:
        return self.add(request, _ADD_LIMIT, _set_named)

    @action(description=_CHANGE_LIMIT.title, icon="edit", permissions=["set"], url_path="set")
    def change_limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _CHANGE_LIMIT)

    def filled_in(self, row: RiskLimit) -> Mapping[str, Any]:
        """Begin with the limits as they are: what is left empty is no limit of its own."""
        return {name: getattr(row, name) for name in _LIMITS}

    @admin.display(description="whose", ordering="account")
    def whose(self, limit: RiskLimit) -> str:
        return str(limit.account) if limit.account_id else "Everybody"

    @admin.display(description="largest order", ordering="max_notional")
    def largest(self, limit: RiskLimit) -> str:
        return columns.dollars(limit.max_notional)

    @admin.display(description="most shares", ordering="max_quantity")
    def shares(self, limit: RiskLimit) -> str:
        return columns.shares(limit.max_quantity)

    @admin.display(description="most in a day", ordering="daily_notional")
    def in_a_day(self, limit: RiskLimit) -> str:
        return columns.dollars(limit.daily_notional)

    @admin.display(description="second factor above", ordering="step_up_notional")
    def step_up(self, limit: RiskLimit) -> str:
        return columns.dollars(limit.step_up_notional)

    @admin.display(description="age", ordering="-set_at")
    def since(self, limit: RiskLimit) -> SafeString | str:
        return columns.age(limit.set_at, at=timezone.now())
