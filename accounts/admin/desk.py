"""The pages on which staff does something with accounts: one, or several chosen in the list."""

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.admin import deeds
from accounts.admin.deeds import APPROVE, OPERATE, REVEAL, Deed
from accounts.admin.forms import AddressForm, ReasonForm
from accounts.admin.revealed import sections_of
from accounts.models import BrokerageAccount, email_index
from accounts.services import oversight
from core.auth import Principal
from core.backoffice.admin import ReadOnlyAdmin
from core.errors import CleraError

_PAGES: Final = "admin:accounts_brokerageaccount"
# What says that the form of a deed for several accounts was filled in, and not just asked for.
_ANSWERED: Final = "answered"
_OFFERS: Final = {
    "reveal": lambda account: bool(account.sealed_profile),
    "sync": deeds.SYNC.fits,
    "request_document": deeds.REQUEST_DOCUMENT.fits,
    "freeze": deeds.FREEZE.fits,
    "unfreeze": deeds.UNFREEZE.fits,
    "dismiss": deeds.DISMISS.fits,
}


class Desk(ReadOnlyAdmin):
    """Everything that is done with accounts; who may do it says the role."""

    actions_list = ("find",)
    actions_detail = (
        "reveal",
        "sync",
        {
            "title": "More",
            "items": ["request_document", "freeze", "unfreeze", "dismiss"],
        },
    )
    actions_detail_hide_default = True  # the timeline is the history
    actions = (
        "sync_chosen",
        "request_document_of_chosen",
        "freeze_chosen",
        "unfreeze_chosen",
        "dismiss_chosen",
    )
    list_disable_select_all = True

    def has_operate_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(OPERATE)

    def has_approve_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(APPROVE)

    def has_reveal_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm(REVEAL)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what the member may do, if it makes sense for this account."""
        allowed: list[Any] = super().get_actions_detail(request, object_id)
        account = self.get_object(request, object_id)
        if account is None:
            return []
        fitting = {name for name, fits in _OFFERS.items() if fits(account)}
        return [each for each in allowed if each.method.original_function_name in fitting]

    # One account

    @action(
        description="Show personal data",
        icon="visibility",
        permissions=["reveal"],
        url_path="reveal",
    )
    def reveal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, put the look on record, and show the person in the answer itself."""
        account = self._account(request, object_id)
        form = ReasonForm(_sent(request))
        if form.is_valid():
            try:
                person = oversight.reveal_person(
                    staff=_who(request), account_id=account.pk, **form.cleaned_data
                )
            except CleraError as error:
                _explain(form, error)
            else:
                return self._page(
                    request,
                    "revealed",
                    title="Personal data",
                    back=_page_of(account),
                    account=account,
                    sections=sections_of(person),
                )
        return self._page(
            request,
            "deed",
            title="Show personal data",
            question="You see name, contact data and date of birth as the broker has them. Who"
            " looked, when and why stays on record, in the customer's timeline.",
            button="Show it",
            form=form,
            accounts=[account],
            back=_page_of(account),
        )

    @action(description=deeds.SYNC.title, icon="sync", permissions=["operate"], url_path="sync")
    def sync(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deeds.SYNC)

    @action(
        description=deeds.REQUEST_DOCUMENT.title,
        icon="pending_actions",
        permissions=["operate"],
        url_path="request-document",
    )
    def request_document(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deeds.REQUEST_DOCUMENT)

    @action(
        description=deeds.FREEZE.title,
        icon="ac_unit",
        permissions=["operate"],
        url_path="freeze",
        variant=ActionVariant.DANGER,
    )
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deeds.FREEZE)

    @action(
        description=deeds.UNFREEZE.title,
        icon="sunny",
        permissions=["approve"],
        url_path="unfreeze",
        variant=ActionVariant.PRIMARY,
    )
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deeds.UNFREEZE)

    @action(
        description=deeds.DISMISS.title,
        icon="delete_sweep",
        permissions=["approve"],
        url_path="dismiss",
        variant=ActionVariant.DANGER,
    )
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, deeds.DISMISS)

    # Several accounts

    @admin.action(description=deeds.SYNC.title, permissions=["operate"])
    def sync_chosen(self, request: HttpRequest, chosen: QuerySet[BrokerageAccount]) -> Any:
        return self._do_all(request, chosen, deeds.SYNC)

    @admin.action(description=deeds.REQUEST_DOCUMENT.title, permissions=["operate"])
    def request_document_of_chosen(
        self, request: HttpRequest, chosen: QuerySet[BrokerageAccount]
    ) -> Any:
        return self._do_all(request, chosen, deeds.REQUEST_DOCUMENT)

    @admin.action(description=deeds.FREEZE.title, permissions=["operate"])
    def freeze_chosen(self, request: HttpRequest, chosen: QuerySet[BrokerageAccount]) -> Any:
        return self._do_all(request, chosen, deeds.FREEZE)

    @admin.action(description=deeds.UNFREEZE.title, permissions=["approve"])
    def unfreeze_chosen(self, request: HttpRequest, chosen: QuerySet[BrokerageAccount]) -> Any:
        return self._do_all(request, chosen, deeds.UNFREEZE)

    @admin.action(description=deeds.DISMISS.title, permissions=["approve"])
    def dismiss_chosen(self, request: HttpRequest, chosen: QuerySet[BrokerageAccount]) -> Any:
        return self._do_all(request, chosen, deeds.DISMISS)

    # No account yet

    @action(description="Find by e-mail", icon="search", permissions=["view"], url_path="find")
    def find(self, request: HttpRequest) -> HttpResponse:
        """Lead to the account that has an e-mail address, the newest when there are several."""
        form = AddressForm(_sent(request))
        if form.is_valid():
            index = email_index(form.cleaned_data["email"].strip().casefold())
            found = BrokerageAccount.objects.filter(email_index=index).order_by("-pk").first()
            if found is not None:
                return HttpResponseRedirect(_page_of(found))
            form.add_error("email", "No account has this address.")
        return self._page(
            request,
            "deed",
            title="Find by e-mail",
            question="Leads to the account of whoever has applied with this address.",
            button="Find",
            form=form,
            back=reverse(f"{_PAGES}_changelist"),
        )

    def _do(self, request: HttpRequest, object_id: str, deed: Deed) -> HttpResponse:
        account = self._account(request, object_id)
        form = deed.form(_sent(request))
        if form.is_valid():
            try:
                deed.do(_who(request), account, form.cleaned_data)
            except CleraError as error:
                _explain(form, error)
            else:
                messages.success(request, deed.done)
                return HttpResponseRedirect(_page_of(account))
        return self._asked(request, [account], deed, form, back=_page_of(account))

    def _do_all(
        self, request: HttpRequest, chosen: QuerySet[BrokerageAccount], deed: Deed
    ) -> HttpResponse:
        accounts = list(chosen.order_by("pk"))  # whoever locks several does so in this order
        is_answered = _ANSWERED in request.POST
        form = deed.form(request.POST if is_answered else None)
        back = request.get_full_path()
        if not (is_answered and form.is_valid()):
            hidden = {
                ACTION_CHECKBOX_NAME: [account.pk for account in accounts],
                "action": [request.POST["action"]],
                _ANSWERED: ["yes"],
            }
            return self._asked(request, accounts, deed, form, back=back, hidden=hidden)
        done = 0
        for account in accounts:
            try:
                deed.do(_who(request), account, form.cleaned_data)
                done += 1
            except CleraError as error:
                messages.error(request, f"{account}: {error.detail}")
        if done:
            messages.success(request, f"{deed.done} ({done} of {len(accounts)})")
        return HttpResponseRedirect(back)

    def _asked(
        self,
        request: HttpRequest,
        accounts: Sequence[BrokerageAccount],
        deed: Deed,
        form: forms.Form,
        **shown: Any,
    ) -> HttpResponse:
        return self._page(
            request,
            "deed",
            title=deed.title,
            question=deed.question,
            button=deed.button,
            variant="danger" if deed.is_grave else "primary",
            form=form,
            accounts=accounts,
            **shown,
        )

    def _page(self, request: HttpRequest, name: str, **shown: Any) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **shown}
        response = TemplateResponse(request, f"accounts/{name}.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _account(self, request: HttpRequest, object_id: str) -> BrokerageAccount:
        if not self.has_view_permission(request):
            raise PermissionDenied
        account: BrokerageAccount | None = self.get_object(request, object_id)
        if account is None:
            raise Http404
        return account


def _who(request: HttpRequest) -> Principal:
    return Principal.staff(request.user.pk)


def _sent(request: HttpRequest) -> QueryDict | None:
    """Return what was sent: only a POST does anything, even one with nothing in it."""
    return request.POST if request.method == "POST" else None


def _page_of(account: BrokerageAccount) -> str:
    return reverse(f"{_PAGES}_change", args=[account.pk])


def _explain(form: forms.Form, error: CleraError) -> None:
    """Put an error where it belongs, or above the form."""
    fields = {name: told for name, told in error.field_errors.items() if name in form.fields}
    for name, told in fields.items():
        form.add_error(name, list(told))
    if not fields:
        form.add_error(None, error.detail)
