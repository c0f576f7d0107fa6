"""The base of every page: rows to look at, columns that people can read, no form."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.views import ChangeList

from core.backoffice import columns, people


@dataclass(frozen=True)
class Turn:
    """How many rows wait for somebody, and since when; `url` lists them."""

    whom: str
    count: int
    since: datetime | None
    url: str


class ReadOnly:
    """Look, and change nothing."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:  # noqa: ARG002
        return False


class Changes(ChangeList):
    """A list that says how many rows there are without counting them twice."""

    full_result_count: int | None

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.full_result_count is None and not (self.has_active_filters or self.query):
            self.full_result_count = self.result_count
        if self.model_admin.principal_column:
            people.attach_names(self.result_list, self.model_admin.principal_column)


class ReadOnlyAdmin(ReadOnly, ModelAdmin):
    """
    A table to look at.

    `waiting_states` names the states that the first page counts, because somebody waits;
    `principal_column` the one that names a credential, which `principal_name` shows.
    """

    waiting_states: ClassVar[tuple[str, ...]] = ()
    principal_column: ClassVar[str] = ""
    list_per_page = 50
    ordering: ClassVar[Any] = ("-pk",)
    show_full_result_count = False
    list_filter_sheet = False
    list_fullwidth = True
    empty_value_display = columns.NOTHING

    def get_changelist(self, request: HttpRequest, **_: Any) -> type[ChangeList]:  # noqa: ARG002
        return Changes

    def turns(self) -> Sequence[Turn]:
        """Say whose turn it is, for the first page; most tables have nobody to wait for."""
        return ()

    @display(description="who")
    def principal_name(self, row: Any) -> SafeString | str:
        """Show who did it; a list has all of its names already, a single row has not."""
        if not hasattr(row, "who"):
            people.attach_names([row], self.principal_column)
        who: SafeString | str = row.who
        return who

    @display(description="id", ordering="pk")
    def short_id(self, row: Model) -> SafeString | str:
        return columns.short(row.pk)

    @display(description="customer", ordering="user_id")
    def customer(self, row: Any) -> SafeString:
        """Show whose it is; a click lists everything of theirs in this table."""
        shown = columns.short(row.user_id)
        return format_html('<a class="whitespace-nowrap" href="?q={}">{}</a>', row.user_id, shown)

    @display(description="state", ordering="state")
    def state_label(self, row: Any) -> SafeString:
        return columns.label(row.state)

    @display(description="vendor status", ordering="vendor_status")
    def vendor_label(self, row: Any) -> SafeString | str:
        return columns.label(row.vendor_status) if row.vendor_status else columns.NOTHING

    @display(description="age", ordering="-created_at")
    def age(self, row: Any) -> SafeString | str:
        return columns.age(row.created_at, at=timezone.now())


class ShowsMore(ReadOnlyAdmin):
    """A table whose rows have pages that show more than the row; the page's templates say where."""

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add the surroundings to what the page's templates can show."""
        row = self.get_object(request, object_id)
        more = {} if row is None else self.surroundings(request, row)
        shown = {**(extra_context or {}), **more}
        response: HttpResponse = super().change_view(request, object_id, form_url, shown)
        return response

    def surroundings(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Name what else there is to see, for the page's templates."""
        raise NotImplementedError


class ReadOnlyInline(ReadOnly, TabularInline):
    """Rows that belong to the one shown."""

    extra = 0
    show_change_link = False
    hide_title = True
