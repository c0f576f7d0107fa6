"""Takes rows of a table out of the admin as a file that a spreadsheet opens safely."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import simplejson
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from core import audit
from core.auth import Principal, acting_as
from core.backoffice.admin import ReadOnlyAdmin
from core.threads import in_database

MOST_ROWS: Final = 50_000
_ROWS_AT_A_TIME: Final = 1_000
# A spreadsheet takes a cell that begins so for a formula, and a formula can fetch and send.
_FORMULA: Final = re.compile(r"[\t\r\n]|\s*[=+\-@]")
_NEGATIVE: Final = re.compile(r"-\d+(\.\d+)?", re.ASCII)


class ExportsCsv(ReadOnlyAdmin):
    """
    Offers the chosen rows, or all that the filter shows, as a CSV file.

    `csv_columns` names columns, also of related rows, as a query does: `account__account_number`.
    A page that has actions of its own lists `export_csv` among them.
    """

    csv_columns: ClassVar[tuple[str, ...]] = ()
    actions: Sequence[Any] | None = ("export_csv",)

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, chosen: QuerySet[Any]) -> StreamingHttpResponse:
        """Put on record who takes out how many rows, then send them as they are read."""
        keys = list(chosen.values_list("pk", flat=True)[: MOST_ROWS + 1])
        is_cut = len(keys) > MOST_ROWS
        keys = keys[:MOST_ROWS]
        staff = Principal.staff(request.user.pk)
        audit.record(
            "table.exported",
            principal=staff,
            subject_kind=self.model._meta.label,  # noqa: SLF001 - Django's name for it
            rows=len(keys),
            is_cut=is_cut,
        )
        if is_cut:
            messages.warning(request, _cut_words())
        lines = _lines(self.get_queryset(request), self.csv_columns, keys, staff=staff)
        answer = _Csv(_with_end(lines) if is_cut else lines, content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="{self._file_name()}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _file_name(self) -> str:
        words = str(self.opts.verbose_name_plural).lower().replace(" ", "-")
        return f"clera-{words}-{timezone.now():%Y-%m-%d}.csv"


class _Csv(StreamingHttpResponse):
    """Sends what blocking code reads; in an asynchronous server each piece is read in a thread."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self)
        while (piece := await in_database(next, pieces, None)) is not None:
            yield piece


def _lines(
    rows: QuerySet[Any], names: Sequence[str], keys: Sequence[Any], *, staff: Principal
) -> Iterator[str]:
    """Write the file piece by piece, each in a short transaction of its own."""
    yield _written([[name.replace("__", ".") for name in names]])
    for some in _batches(keys):
        with acting_as(staff):
            found = rows.filter(pk__in=some).order_by().values_list("pk", *names)
            values = {pk: cells for pk, *cells in found}
        yield _written([values[pk] for pk in some if pk in values])


def _batches(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(keys), _ROWS_AT_A_TIME):
        yield keys[start : start + _ROWS_AT_A_TIME]


def _with_end(lines: Iterator[str]) -> Iterator[str]:
    yield from lines
    yield _written([[_cut_words()]])


def _cut_words() -> str:
    return f"Cut after {MOST_ROWS} rows: there are more. Filter the list and export again."


def _written(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([as_cell(value) for value in row] for row in rows)
    return text.getvalue()


def as_cell(value: Any) -> str:
    """Write a value exactly, and so that no spreadsheet takes it for a formula."""
    text = _text(value)
    if _FORMULA.match(text) and not _NEGATIVE.fullmatch(text):
        return f"'{text}"
    return text


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list):
        return simplejson.dumps(value, default=str)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
