"""The pages on which staff does something with money: each deed is asked about, then done once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse

from core.auth import Principal
from core.backoffice.admin import ReadOnlyAdmin
from core.errors import CleraError
from funding.admin.forms import ReasonForm

PROPOSE: Final = "funding.propose_verdict"
CONFIRM: Final = "funding.confirm_verdict"
RESOLVE: Final = "funding.resolve_transferreturn"
SET_LIMIT: Final = "funding.change_transferlimit"
# Does it for a member of staff with a row and what the form says, and tells how it went.
Do = Callable[[Principal, Any, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Deed:
    """
    One thing that may be done with a row.

    What asks the broker is done after the page's transaction has committed, since no vendor is
    called while one is open; the next page tells how it went.
    """

    title: str
    question: str
    button: str
    do: Do
    form: type[forms.Form] = ReasonForm
    is_grave: bool = False
    asks_broker: bool = False


class Desk(ReadOnlyAdmin):
    """A table with deeds; `offers` says which of them makes sense for a row."""

    offers: ClassVar[Mapping[str, Callable[[Any], bool]]] = {}
    actions_detail_hide_default = True  # the audit trail is the history

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what the member may do, if it makes sense for this row."""
        allowed: list[Any] = super().get_actions_detail(request, object_id)
        row = self.get_object(request, str(object_id))
        if row is None:
            return []
        fitting = {name for name, fits in self.offers.items() if fits(row)}
        return [each for each in allowed if each.method.original_function_name in fitting]

    def ask(self, request: HttpRequest, object_id: str, deed: Deed) -> HttpResponse:
        """Ask on a page whether it is meant, and do it when the answer comes."""
        row = self._row(request, object_id)
        back = self._page_of(row)
        form = deed.form(sent(request), initial=request.GET.dict())
        if form.is_valid():
            do = partial(deed.do, who(request), row, form.cleaned_data)
            if deed.asks_broker:
                transaction.on_commit(partial(_do_and_tell, request, do))
                return HttpResponseRedirect(back)
            try:
                messages.success(request, do())
            except CleraError as error:
                explain(form, error)
            else:
                return HttpResponseRedirect(back)
        return self.page(request, deed, form, back=back, facts=self.facts_of(row))

    def page(
        self, request: HttpRequest, deed: Deed, form: forms.Form, **shown: Any
    ) -> HttpResponse:
        """Show a question."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": deed.title,
            "question": deed.question,
            "button": deed.button,
            "variant": "danger" if deed.is_grave else "primary",
            "form": form,
            **shown,
        }
        response = TemplateResponse(request, "funding/deed.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def facts_of(self, row: Any) -> Mapping[str, Any]:
        """List what to see of a row before one decides about it."""
        return {str(self.opts.verbose_name).capitalize(): row}

    def _row(self, request: HttpRequest, object_id: str) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def _page_of(self, row: Any) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[row.pk])


def _do_and_tell(request: HttpRequest, do: Callable[[], str]) -> None:
    try:
        messages.success(request, do())
    except CleraError as error:
        messages.error(request, error.detail)


def who(request: HttpRequest) -> Principal:
    return Principal.staff(request.user.pk)


def sent(request: HttpRequest) -> QueryDict | None:
    """Return what was sent: only a POST does anything, even one with nothing in it."""
    return request.POST if request.method == "POST" else None


def explain(form: forms.Form, error: CleraError) -> None:
    """Put an error where it belongs, or above the form."""
    fields = {name: told for name, told in error.field_errors.items() if name in form.fields}
    for name, told in fields.items():
        form.add_error(name, list(told))
    if not fields:
        form.add_error(None, error.detail)
