"""Rows leave the admin exactly, on record, and as nothing that a spreadsheet would run."""

import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.contrib.messages import get_messages

from core.audit.models import AuditEntry
from core.auth import SYSTEM, acting_as
from core.backoffice import csv_export
from core.backoffice.csv_export import as_cell
from core.tests.admin_rows import BANK_NUMBER, model, one_of_everything
from core.tests.staff_people import member, signed_in

LIST = "/admin/funding/transfer/"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (Decimal("1234.50"), "1234.50"),
        (Decimal("-12.30"), "-12.30"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.000000001"), "0.000000001"),
        (-5, "-5"),
        (datetime(2026, 3, 8, 7, tzinfo=UTC), "2026-03-08T07:00:00+00:00"),
        (
            datetime(2026, 3, 8, 2, tzinfo=timezone(timedelta(hours=-5))),
            "2026-03-08T07:00:00+00:00",
        ),
        (date(2026, 11, 26), "2026-11-26"),
        ({"a": [1]}, '{"a": [1]}'),
        ("plain", "plain"),
        ("a=b", "a=b"),
    ],
)
def test_a_value_is_written_exactly(value, cell):
    assert as_cell(value) == cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1+1", "-", "--5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1",
        "=HYPERLINK(\"http://x\")", "-1e5", "-1,000",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_might_run_is_only_text(text):
    assert as_cell(text) == f"'{text}"


def rows_of(response):
    text = b"".join(response.streaming_content).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def export(client, *, chosen=(), everything=False, query="", table=LIST):
    return client.post(
        f"{table}{query}",
        {
            "action": "export_csv",
            "_selected_action": [str(pk) for pk in chosen],
            "select_across": "1" if everything else "0",
        },
    )


def transfers():
    with acting_as(SYSTEM):
        return list(model("funding.Transfer").objects.order_by("pk"))


def exported():
    with acting_as(SYSTEM):
        found = AuditEntry.objects.filter(action="table.exported").order_by("pk")
        return [(e.principal, e.subject_kind, e.details) for e in found]


@pytest.mark.django_db
class TestExport:
    @pytest.fixture
    def viewer(self):
        for number in (1, 2, 3):
            one_of_everything(number)
        return signed_in(member("viewer", "viewer"))

    def test_the_chosen_rows_come_with_their_exact_amounts_in_the_lists_order(self, viewer):
        first, second, _ = transfers()

        answer = export(viewer, chosen=[first.pk, second.pk])

        head, *rows = rows_of(answer)
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "no-store" in answer["Cache-Control"]
        assert answer["Content-Disposition"].startswith('attachment; filename="clera-transfers-20')
        assert head[:4] == ["id", "user_id", "account_id", "account.account_number"]
        assert [row[0] for row in rows] == [str(second.pk), str(first.pk)]
        assert {row[head.index("amount")] for row in rows} == {"1234.50"}

    def test_all_that_the_filter_shows_comes_however_few_are_ticked(self, viewer):
        one, two, three = transfers()
        with acting_as(SYSTEM):
            type(three).objects.filter(pk=three.pk).update(state="REJECTED")

        answer = export(
            viewer, chosen=[one.pk], everything=True, query="?state__exact=NEEDS_REVIEW"
        )

        assert [row[0] for row in rows_of(answer)[1:]] == [str(two.pk), str(one.pk)]

    def test_who_took_how_many_rows_out_is_on_record(self, viewer):
        export(viewer, chosen=[transfers()[0].pk])

        [(principal, kind, details)] = exported()
        assert (principal.partition(":")[0], kind) == ("staff", "funding.Transfer")
        assert details == {"rows": 1, "is_cut": False}

    def test_whoever_may_not_see_the_table_takes_nothing_out(self, viewer):
        newcomer = signed_in(member("newcomer"))

        assert export(newcomer, chosen=[transfers()[0].pk]).status_code == 403
        assert exported() == []

    def test_a_longer_file_is_cut_and_says_so(self, viewer, monkeypatch):
        monkeypatch.setattr(csv_export, "MOST_ROWS", 2)

        answer = export(viewer, chosen=[transfers()[0].pk], everything=True)

        rows = rows_of(answer)
        assert len(rows) == 4
        assert rows[-1] == ["Cut after 2 rows: there are more. Filter the list and export again."]
        assert [str(m) for m in get_messages(answer.wsgi_request)] == rows[-1]
        assert exported()[0][2] == {"rows": 2, "is_cut": True}

    def test_many_rows_are_read_a_few_at_a_time(self, viewer, monkeypatch):
        monkeypatch.setattr(csv_export, "_ROWS_AT_A_TIME", 1)

        answer = export(viewer, chosen=[transfers()[0].pk], everything=True)

        assert len(list(answer.streaming_content)) == 4

    @pytest.mark.parametrize("label", ["funding.AchRelationship", "funding.TransferReturn"])
    def test_every_table_that_offers_it_gives_away_no_secret(self, viewer, label):
        name = label.replace(".", "/").lower()
        with acting_as(SYSTEM):
            keys = list(model(label).objects.values_list("pk", flat=True))

        rows = rows_of(export(viewer, chosen=keys, table=f"/admin/{name}/"))

        assert len(rows) == 4
        text = str(rows)
        for secret in (BANK_NUMBER, BANK_NUMBER[-4:], "index-of", "sealed"):
            assert secret not in text


@pytest.mark.django_db(transaction=True)
def test_an_asynchronous_server_gets_the_same_pieces():
    one_of_everything(1)
    viewer = signed_in(member("viewer", "viewer"))
    answer = export(viewer, chosen=[transfers()[0].pk])

    async def read():
        return b"".join([piece async for piece in answer])

    rows = list(csv.reader(io.StringIO(async_to_sync(read)().decode(), newline="")))
    assert [row[0] for row in rows] == ["id", str(transfers()[0].pk)]
