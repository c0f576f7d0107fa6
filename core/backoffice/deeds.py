"""Pages on which staff does something with a row: each deed is asked about, then done once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from core.auth import Principal
from core.backoffice.admin import ReadOnlyAdmin
from core.errors import CleraError

_LONGEST: Final = 300
_ON_RECORD: Final = "It stays on record for good. Name a ticket; write nothing personal."
# Does it for a member of staff with a row and what the form says; may tell how it went.
Do = Callable[[Principal, Any, Mapping[str, Any]], str | None]


def text_field(
    label: str = "Why", help_text: str = _ON_RECORD, *, is_first: bool = False
) -> forms.CharField:
    """Make a field for a few sentences; the first of a form is where one starts to type."""
    focus = {"autofocus": ""} if is_first else {}
    return forms.CharField(
        max_length=_LONGEST,
        label=label,
        help_text=help_text,
        widget=UnfoldAdminTextareaWidget({"rows": 3, "maxlength": _LONGEST, **focus}),
    )


class NothingForm(forms.Form):
    """Asks only whether it is meant."""


class ReasonForm(forms.Form):
    """Why it is done; it stays on record."""

    reason = text_field(is_first=True)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a page asks; `fits` says of which rows it makes sense to ask it."""

    title: str
    question: str
    button: str
    form: type[forms.Form] = ReasonForm
    fits: Callable[[Any], bool] = lambda _: True
    is_grave: bool = False


@dataclass(frozen=True, kw_only=True)
class Deed(Question):
    """
    One thing that may be done with a row; `done` says that it was, unless `do` tells how it went.

    What asks the broker is done after the page's transaction has committed, since no vendor is
    called while one is open; the next page tells how it went.
    """

    do: Do
    done: str = ""
    asks_broker: bool = False


class Deeds(ReadOnlyAdmin):
    """
    A table with deeds; `offers` names the action of each question.

    A link may fill the form in only where `links_fill_in` says so.
    """

    offers: ClassVar[Mapping[str, Question]] = {}
    links_fill_in: ClassVar[bool] = False
    actions_detail_hide_default = True  # the timeline or the audit trail is the history

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what the member may do, if it makes sense for this row."""
        allowed: list[Any] = super().get_actions_detail(request, object_id)
        row = self.get_object(request, str(object_id))
        if row is None:
            return []
        fitting = {name for name, question in self.offers.items() if question.fits(row)}
        return [each for each in allowed if each.method.original_function_name in fitting]

    def ask(self, request: HttpRequest, object_id: str, deed: Deed) -> HttpResponse:
        """Ask on a page whether it is meant, and do it when the answer comes."""
        row = self.demand_row(request, object_id)
        back = self.page_of(row)
        form = self.form_of(request, deed, self.filled_in(row))
        if form.is_valid():
            do = partial(deed.do, who(request), row, form.cleaned_data)
            if deed.asks_broker:
                transaction.on_commit(partial(_do_and_tell, request, deed, do))
                return HttpResponseRedirect(back)
            try:
                messages.success(request, do() or deed.done)
            except CleraError as error:
                explain(form, error)
            else:
                return HttpResponseRedirect(back)
        return self.page(request, deed, form, back=back, facts=self.facts_of(row))

    def form_of(
        self, request: HttpRequest, question: Question, known: Mapping[str, Any] | None = None
    ) -> forms.Form:
        """Fill the form with what was sent: only a POST does anything, even an empty one."""
        sent = request.POST if request.method == "POST" else None
        linked = request.GET.dict() if self.links_fill_in else {}
        return question.form(sent, initial={**(known or {}), **linked})

    def filled_in(self, _row: Any) -> Mapping[str, Any]:
        """Say what a form about a row begins with, so that nobody loses it by leaving it out."""
        return {}

    def page(
        self, request: HttpRequest, question: Question, form: forms.Form, **shown: Any
    ) -> HttpResponse:
        """Show a question."""
        return self.show(
            request,
            "backoffice/deed.html",
            title=question.title,
            question=question.question,
            button=question.button,
            variant="danger" if question.is_grave else "primary",
            form=form,
            **shown,
        )

    def show(self, request: HttpRequest, template: str, **shown: Any) -> HttpResponse:
        """Show a page that nobody keeps."""
        context = {**self.admin_site.each_context(request), "opts": self.opts, **shown}
        response = TemplateResponse(request, template, context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def facts_of(self, row: Any) -> Mapping[Any, Any]:
        """List what to see of a row before one decides about it."""
        return {str(self.opts.verbose_name).capitalize(): row}

    def demand_row(self, request: HttpRequest, object_id: str) -> Any:
        """Find the row, for whoever may see it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def page_of(self, row: Any) -> str:
        """Say where the row has its page."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[row.pk])


def _do_and_tell(request: HttpRequest, deed: Deed, do: Callable[[], str | None]) -> None:
    try:
        messages.success(request, do() or deed.done)
    except CleraError as error:
        messages.error(request, error.detail)


def who(request: HttpRequest) -> Principal:
    """Say as whom a member of staff acts."""
    return Principal.staff(request.user.pk)


def explain(form: forms.Form, error: CleraError) -> None:
    """Put an error where it belongs, or above the form."""
    fields = {name: told for name, told in error.field_errors.items() if name in form.fields}
    for name, told in fields.items():
        form.add_error(name, list(told))
    if not fields:
        form.add_error(None, error.detail)
