"""A table of rules to which the staff adds, each after a question."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString

from core.auth import Principal
from core.backoffice import columns
from core.backoffice.deeds import Deeds, Question, explain, who
from core.backoffice.filters import ChosenFilter
from core.errors import CleraError


class StandingFilter(ChosenFilter):
    """What stands now, and what was lifted."""

    title = "standing"
    parameter_name = "standing"
    conditions: ClassVar[Mapping[str, tuple[str, Q]]] = {
        "yes": ("Standing", Q(lifted_at__isnull=True)),
        "no": ("Lifted", Q(lifted_at__isnull=False)),
    }


class Board(Deeds):
    """A table of rules to which the staff adds, each after a question."""

    links_fill_in = True
    principal_column = "set_by"

    def add(
        self,
        request: HttpRequest,
        question: Question,
        do: Callable[[Principal, Mapping[str, Any]], str],
    ) -> HttpResponse:
        """Ask the question on a page, and do it once."""
        form = self.form_of(request, question)
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        if form.is_valid():
            try:
                messages.success(request, do(who(request), form.cleaned_data))
            except CleraError as error:
                explain(form, error)
            else:
                return HttpResponseRedirect(back)
        return self.page(request, question, form, back=back, facts={})

    @admin.display(description="stands")
    def stands(self, row: Any) -> SafeString:
        if row.lifted_at is None:
            return columns.label("STANDING", colour="danger")
        return columns.label("LIFTED", colour="")
