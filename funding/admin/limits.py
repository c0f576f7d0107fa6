"""What staff lets single accounts move, in place of the limits for everybody."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action

from accounts import selectors as accounts
from core.auth import Principal
from core.backoffice import columns
from core.backoffice.deeds import Deed, Question, explain, who
from core.errors import CleraError, NotFound
from funding.admin.forms import LimitForm, NewLimitForm
from funding.admin.shared import SET_LIMIT, Desk
from funding.models import TransferLimit
from funding.services import limit_setting

_DONE: Final = "The limits of the account are set."


def _set(staff: Principal, account_id: UUID, given: Mapping[str, Any]) -> None:
    limit_setting.set_limit(
        staff=staff,
        account_id=account_id,
        largest=given["largest"],
        daily_amount=given["daily_amount"],
        daily_count=given["daily_count"],
        note=given["note"],
        at=timezone.now(),
    )


def _change(staff: Principal, limit: TransferLimit, given: Mapping[str, Any]) -> None:
    _set(staff, limit.account_id, given)


_QUESTION: Final = (
    "These hold for this account at once, in place of the limits for everybody. What is left empty"
    " is as for everybody."
)
_CHANGE: Final = Deed(
    title="Change the limits",
    question=_QUESTION,
    button="Set them",
    done=_DONE,
    do=_change,
    form=LimitForm,
)
_ADD: Final = Question(
    title="Set limits of an account",
    question=_QUESTION,
    button="Set them",
    form=NewLimitForm,
)


@admin.register(TransferLimit)
class TransferLimitAdmin(Desk):
    principal_column = "set_by"
    ordering = ("-set_at",)
    list_display = (
        "account",
        "customer",
        "at_once",
        "in_a_day",
        "daily_count",
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
        "account",
        "user_id",
        "at_once",
        "in_a_day",
        "daily_count",
        "note",
        "principal_name",
        "set_at",
    )
    readonly_fields = fields
    actions_list = ("add_limit",)
    actions_detail = ("change_limit",)
    offers = {"change_limit": _CHANGE}

    def has_set_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(SET_LIMIT)

    @action(description=_CHANGE.title, icon="edit", permissions=["set"], url_path="set")
    def change_limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, _CHANGE)

    @action(description=_ADD.title, icon="add", permissions=["set"], url_path="new")
    def add_limit(self, request: HttpRequest) -> HttpResponse:
        """Ask which account is meant, too."""
        form = self.form_of(request, _ADD)
        back = reverse("admin:funding_transferlimit_changelist")
        if form.is_valid():
            try:
                account = _account(who(request), form.cleaned_data["account_id"])
                _set(who(request), account, form.cleaned_data)
            except NotFound as error:
                form.add_error("account_id", error.detail)
            except CleraError as error:
                explain(form, error)
            else:
                messages.success(request, _DONE)
                return HttpResponseRedirect(back)
        return self.page(request, _ADD, form, back=back, facts={})

    def filled_in(self, row: TransferLimit) -> Mapping[str, Any]:
        """Begin with the limits as they are: what is left empty is no limit of its own."""
        return {name: getattr(row, name) for name in ("largest", "daily_amount", "daily_count")}

    @admin.display(description="largest transfer", ordering="largest")
    def at_once(self, limit: TransferLimit) -> str:
        return columns.dollars(limit.largest)

    @admin.display(description="most in a day", ordering="daily_amount")
    def in_a_day(self, limit: TransferLimit) -> str:
        return columns.dollars(limit.daily_amount)

    @admin.display(description="age", ordering="-set_at")
    def since(self, limit: TransferLimit) -> SafeString | str:
        return columns.age(limit.set_at, at=timezone.now())


def _account(staff: Principal, named: str) -> UUID:
    pk: UUID = accounts.get_account(principal=staff, account_id=named.strip()).pk
    return pk
