"""The pages on which staff does something with accounts: one, or several chosen in the list."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.admin import deeds
from accounts.admin.deeds import APPROVE, OPERATE, REVEAL
from accounts.admin.revealed import sections_of
from accounts.models import BrokerageAccount, email_index
from accounts.services import oversight
from core.backoffice.deeds import Deed, Deeds, explain, who
from core.errors import CleraError

# What says that the form of a deed for several accounts was filled in, and not just asked for.
_ANSWERED: Final = "answered"


class Desk(Deeds):
    """Everything that is done with accounts; who may do it says the role."""

    offers = {
        "reveal": deeds.REVEAL_PERSON,
        "sync": deeds.SYNC,
        "request_document": deeds.REQUEST_DOCUMENT,
        "freeze": deeds.FREEZE,
        "unfreeze": deeds.UNFREEZE,
        "dismiss": deeds.DISMISS,
    }
    actions_list = ("find",)
    actions_detail = (
        "reveal",
        "sync",
        {
            "title": "More",
            "items": ["request_document", "freeze", "unfreeze", "dismiss"],
        },
    )
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

    def facts_of(self, row: BrokerageAccount) -> Mapping[Any, Any]:
        """Say whose it is."""
        return {row: row.email_masked}

    # One account

    @action(
        description=deeds.REVEAL_PERSON.title,
        icon="visibility",
        permissions=["reveal"],
        url_path="reveal",
    )
    def reveal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, put the look on record, and show the person in the answer itself."""
        account = self.demand_row(request, object_id)
        back = self.page_of(account)
        form = self.form_of(request, deeds.REVEAL_PERSON)
        if form.is_valid():
            try:
                person = oversight.reveal_person(
                    staff=who(request), account_id=account.pk, **form.cleaned_data
                )
            except CleraError as error:
                explain(form, error)
            else:
                return self.show(
                    request,
                    "accounts/revealed.html",
                    title="Personal data",
                    back=back,
                    account=account,
                    sections=sections_of(person),
                )
        facts = self.facts_of(account)
        return self.page(request, deeds.REVEAL_PERSON, form, back=back, facts=facts)

    @action(description=deeds.SYNC.title, icon="sync", permissions=["operate"], url_path="sync")
    def sync(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.SYNC)

    @action(
        description=deeds.REQUEST_DOCUMENT.title,
        icon="pending_actions",
        permissions=["operate"],
        url_path="request-document",
    )
    def request_document(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.REQUEST_DOCUMENT)

    @action(
        description=deeds.FREEZE.title,
        icon="ac_unit",
        permissions=["operate"],
        url_path="freeze",
        variant=ActionVariant.DANGER,
    )
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.FREEZE)

    @action(
        description=deeds.UNFREEZE.title,
        icon="sunny",
        permissions=["approve"],
        url_path="unfreeze",
        variant=ActionVariant.PRIMARY,
    )
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.UNFREEZE)

    @action(
        description=deeds.DISMISS.title,
        icon="delete_sweep",
        permissions=["approve"],
        url_path="dismiss",
        variant=ActionVariant.DANGER,
    )
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.ask(request, object_id, deeds.DISMISS)

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

    @action(description=deeds.FIND.title, icon="search", permissions=["view"], url_path="find")
    def find(self, request: HttpRequest) -> HttpResponse:
        """Lead to the account that has an e-mail address, the newest when there are several."""
        form = self.form_of(request, deeds.FIND)
        if form.is_valid():
            index = email_index(form.cleaned_data["email"].strip().casefold())
            found = BrokerageAccount.objects.filter(email_index=index).order_by("-pk").first()
            if found is not None:
                return HttpResponseRedirect(self.page_of(found))
            form.add_error("email", "No account has this address.")
        back = reverse("admin:accounts_brokerageaccount_changelist")
        return self.page(request, deeds.FIND, form, back=back)

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
            facts = {account: account.email_masked for account in accounts}
            return self.page(request, deed, form, back=back, facts=facts, hidden=hidden)
        done = 0
        for account in accounts:
            try:
                deed.do(who(request), account, form.cleaned_data)
                done += 1
            except CleraError as error:
                messages.error(request, f"{account}: {error.detail}")
        if done:
            messages.success(request, f"{deed.done} ({done} of {len(accounts)})")
        return HttpResponseRedirect(back)
