"""Papers that the broker writes, and the way to their files."""

import re
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.enums import TradeDocumentType
from alpaca.broker.requests import GetTradeDocumentsRequest
from alpaca.common.exceptions import APIError

from sandbox import pdf
from sandbox.tests.conftest import Server
from sandbox.tests.customers import Desk


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


@pytest.fixture
def seeded_id(desk: Desk) -> str:
    """An account with fifteen months behind it."""
    account_id = desk.open_account()
    body = {"months": 15, "weights": {"SPY": 1}}
    desk.server.control(f"accounts/{account_id}/seed", body)
    return account_id


@pytest.fixture
def client(desk: Desk) -> Any:
    key, secret = desk.server.auth
    client = BrokerClient(key, secret, url_override=desk.server.broker_url)
    yield client
    client._session.close()


def papers(desk: Desk, account_id: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.call(
        "GET", f"/v1/accounts/{account_id}/documents", params=query
    )
    return found


def today(desk: Desk) -> date:
    return datetime.fromisoformat(desk.server.control("clock", method="GET")["now"]).date()


class TestList:
    def test_a_new_account_has_its_application_only(self, desk):
        [paper] = papers(desk, desk.open_account())

        assert (paper["type"], paper["name"], paper["sub_type"]) == ("account_application", "", "")

    def test_an_account_never_in_use_has_none(self, desk):
        assert papers(desk, desk.apply()) == []

    def test_each_month_that_is_over_has_a_statement(self, desk, seeded_id):
        dates = [
            date.fromisoformat(each["date"])
            for each in papers(desk, seeded_id, type="account_statement")
        ]

        assert len(dates) in {14, 15, 16}
        assert dates == sorted(dates, reverse=True)
        assert {(day + timedelta(days=1)).day for day in dates} == {1}
        assert dates[0] < today(desk)

    def test_each_day_with_a_fill_is_confirmed_overnight(self, desk):
        account_id = desk.funded_account()
        desk.order(account_id, qty="1")
        desk.advance(1)
        at_once = papers(desk, account_id, type="trade_confirmation")
        desk.advance(86_400)

        assert at_once == []
        assert len(papers(desk, account_id, type="trade_confirmation")) == 1

    def test_each_tax_year_that_is_over_has_its_form(self, serve):
        desk = Desk(serve(speed=0))
        account_id = desk.open_account()
        desk.advance(420 * 86_400)

        found = papers(desk, account_id, type="tax_statement")

        assert found != []
        assert {(each["sub_type"], each["date"][5:]) for each in found} == {("1099-Comp", "02-15")}
        assert found[0]["date"] <= today(desk).isoformat()

    def test_they_are_the_same_whenever_they_are_asked_for(self, serve):
        desk = Desk(serve(speed=0))
        account_id = desk.open_account()
        desk.advance(40 * 86_400)
        before = papers(desk, account_id)
        desk.advance(40 * 86_400)
        after = papers(desk, account_id)

        assert [each for each in after if each in before] == before
        assert len({each["id"] for each in after}) == len(after) > len(before)

    def test_the_real_client_filters_them(self, client, desk, seeded_id):
        everything = client.get_trade_documents_for_account(seeded_id)
        day = everything[3].date

        of_type = client.get_trade_documents_for_account(
            seeded_id, GetTradeDocumentsRequest(type=TradeDocumentType.TRADE_CONFIRMATION)
        )
        of_day = client.get_trade_documents_for_account(
            seeded_id, GetTradeDocumentsRequest(start=day, end=day)
        )
        one = client.get_trade_document_for_account_by_id(seeded_id, everything[3].id)

        assert {each.type for each in of_type} == {"trade_confirmation"}
        assert of_day == [each for each in everything if each.date == day]
        assert one == everything[3]
        assert one.sub_type is None

    @pytest.mark.parametrize("query", [{"start": "soon"}, {"end": "2026-1-1"}, {"type": "novel"}])
    def test_filters_that_make_no_sense_are_refused(self, desk, query):
        path = f"/v1/accounts/{desk.open_account()}/documents"

        assert desk.call("GET", path, status=422, params=query)["code"] == 40010001


class TestDownload:
    def path(self, desk: Desk, account_id: str) -> str:
        [statement, *_] = papers(desk, account_id, type="account_statement")
        return f"/v1/accounts/{account_id}/documents/{statement['id']}/download"

    def location(self, desk: Desk, account_id: str) -> str:
        answer = desk.send("GET", self.path(desk, account_id))
        assert answer.status_code == 301
        assert answer.content == b""
        return answer.headers["location"]

    def test_the_real_client_saves_a_pdf(self, client, desk, seeded_id, tmp_path):
        [statement, *_] = client.get_trade_documents_for_account(seeded_id)

        file = tmp_path / "statement.pdf"
        client.download_trade_document_for_account_by_id(seeded_id, statement.id, str(file))

        assert file.read_bytes().startswith(b"%PDF-1.4")
        assert_is_pdf(file.read_bytes())

    def test_the_link_needs_no_key(self, desk, seeded_id):
        answer = httpx.get(self.location(desk, seeded_id))

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/pdf"
        assert b"Account statement" in answer.content
        assert b"FILL  buy" in answer.content

    def test_the_link_is_good_for_a_while_only(self, desk, seeded_id):
        link = self.location(desk, seeded_id)
        desk.advance(899)
        before = httpx.get(link).status_code
        desk.advance(2)

        assert (before, httpx.get(link).status_code) == (200, 403)

    def test_a_link_cannot_be_made_for_another_file(self, desk, seeded_id):
        link = self.location(desk, seeded_id)
        other_id = desk.open_account()

        assert httpx.get(link.replace(seeded_id, other_id)).status_code == 403
        assert httpx.get(link.replace("expires=", "expires=9")).status_code == 403
        assert httpx.get(link.partition("?")[0]).status_code == 403

    def test_the_store_can_fail_while_the_broker_works(self, desk, seeded_id):
        desk.server.fault(kind="status", status=503, vendor="alpaca_files")

        assert httpx.get(self.location(desk, seeded_id)).status_code == 503

    def test_what_is_not_there_is_not_found(self, client, desk, seeded_id, tmp_path):
        other_id = desk.open_account()
        foreign = self.path(desk, seeded_id).replace(seeded_id, other_id)

        assert desk.call("GET", foreign, status=404)["code"] == 40410000
        with pytest.raises(APIError):
            client.download_trade_document_for_account_by_id(
                seeded_id, other_id, str(tmp_path / "nothing.pdf")
            )


def assert_is_pdf(content: bytes) -> None:
    """Check what a reader relies on: the table of objects, and the lengths of the texts."""
    start = int(content.split(b"startxref\n")[1].split()[0])
    table = content[start:].split(b"\n")
    count = int(table[1].split()[1])
    for number in range(1, count):
        place = int(table[2 + number].split()[0])
        assert content[place:].startswith(b"%d 0 obj\n" % number)
    for length, text in re.findall(
        rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", content, re.DOTALL
    ):
        assert len(text) == int(length)
    assert content.endswith(b"%%EOF\n")


class TestPdf:
    def test_lines_are_set_with_what_needs_escaping(self):
        content = pdf.write(["Ada (Stone)", "back\\slash", "für 3 €", "漢"])

        assert_is_pdf(content)
        assert b"(Ada \\(Stone\\)) Tj" in content
        assert b"(back\\\\slash) Tj" in content
        assert "(für 3 €) Tj".encode("cp1252") in content
        assert b"(?) Tj" in content

    @pytest.mark.parametrize(("lines", "pages"), [(0, 1), (50, 1), (51, 2), (101, 3)])
    def test_many_lines_need_many_pages(self, lines, pages):
        content = pdf.write(["line"] * lines)

        assert_is_pdf(content)
        assert b"/Count %d" % pages in content
        assert content.count(b"(line) Tj") == lines
