"""A vendor call ends in an answer or in one of three errors, within its deadline."""

import socket
import struct
import time
from decimal import Decimal

import pytest
from django.db import transaction

from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.tests.wires import answer, vendor
from core.vendors.transport import OpenTransaction, Transport, Vendor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _patient(settings):
    """A vendor that a busy machine holds up is none that hangs."""
    settings.VENDOR_CONNECT_SECONDS = settings.VENDOR_TOTAL_SECONDS = 30


def transport(url):
    return Transport(Vendor("post", url, basic=("key", "fake-secret")))


def replies(data):
    return lambda connection, _: connection.sendall(data)


def write_to(behaviour):
    with vendor(behaviour) as (url, requests):
        try:
            return transport(url).write("POST", "/v1/parcels", json={"amount": "1.10"}), requests
        finally:
            ends = time.monotonic() + 30
            while not requests and time.monotonic() < ends:  # the vendor may read it later
                time.sleep(0.01)
            assert len(requests) == 1  # never a second try


class TestWrite:
    def test_reads_numbers_exactly_as_they_were_written(self):
        body = b'{"amount": 123456789.123456789, "n": 1, "text": "1.10"}'

        got, requests = write_to(replies(answer("200 OK", body)))

        assert got == {"amount": Decimal("123456789.123456789"), "n": 1, "text": "1.10"}
        assert requests[0].endswith(b'{"amount": "1.10"}')

    def test_a_4xx_is_a_clear_no_with_the_vendors_words(self):
        body = b'{"code": 40310000, "message": "insufficient buying power"}'

        with pytest.raises(VendorRejected) as caught:
            write_to(replies(answer("403 Forbidden", body)))

        assert (caught.value.vendor_code, caught.value.http_status, caught.value.detail) == (
            "40310000",
            403,
            "insufficient buying power",
        )

    @pytest.mark.parametrize("status", ["401 Unauthorized", "429 Too Many Requests"])
    def test_being_turned_away_had_no_effect(self, status):
        with pytest.raises(VendorUnavailable) as caught:
            write_to(replies(answer(status, b"{}", "retry-after: 7")))

        assert caught.value.retry_after_seconds == 7

    def test_the_vendors_words_lose_the_secrets_they_quote(self):
        words = "tax_id 123-45-6789 of account 8847261950371 is above the limit of 50000"
        data = answer("422 Unprocessable Entity", f'{{"code": 1, "message": "{words}"}}'.encode())

        with pytest.raises(VendorRejected) as caught:
            write_to(replies(data))

        hidden = "tax_id [hidden] of account [hidden] is above the limit of 50000"
        assert caught.value.detail == hidden

    def test_an_absurd_pause_is_cut_to_an_hour(self):
        data = answer("429 Too Many Requests", b"", "retry-after: " + "9" * 5000)

        with pytest.raises(VendorUnavailable) as caught:
            write_to(replies(data))

        assert caught.value.retry_after_seconds == 3600

    @pytest.mark.parametrize(
        "data",
        [
            answer("500 Internal Server Error", b"{}"),
            answer("502 Bad Gateway", b"<html>bad gateway</html>"),
            answer("504 Gateway Timeout", b""),
            answer("200 OK", b'{"id": "abc"')[:-1],
            answer("200 OK", b"<html>fine</html>"),
            answer("302 Found", b"", "location: http://127.0.0.1:1/"),
            answer("408 Request Timeout", b"{}"),
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
            b"not http at all",
            b"",
        ],
    )
    def test_anything_else_is_unclear(self, data):
        with pytest.raises(VendorUnclear):
            write_to(replies(data))

    def test_a_reset_after_the_request_is_unclear(self):
        def reset(connection, _):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        with pytest.raises(VendorUnclear):
            write_to(reset)

    def test_nobody_listening_is_certainly_no_effect(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

        with pytest.raises(VendorUnavailable):
            transport(f"http://127.0.0.1:{port}").write("POST", "/", json={})

    def test_a_vendor_that_drips_bytes_is_cut_at_the_total_deadline(self, settings):
        settings.VENDOR_TOTAL_SECONDS = 0.4

        def drip(connection, _):
            for byte in answer("200 OK", b"{}" + b" " * 1000):
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

        started = time.monotonic()
        with pytest.raises(VendorUnclear):
            write_to(drip)

        assert time.monotonic() - started < 30.0  # all of it takes most of a minute

    def test_what_cannot_leave_in_time_does_not_leave_at_all(self):
        with vendor(replies(answer("200 OK", b"{}"))) as (url, requests):
            with pytest.raises(VendorUnavailable):
                transport(url).write("POST", "/v1/parcels", json={}, begins_within=0.0)
            assert transport(url).write("POST", "/v1/parcels", json={}, begins_within=30.0) == {}

        assert len(requests) == 1

    def test_an_answer_without_end_is_cut(self):
        def flood(connection, _):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(200):
                connection.sendall(b" " * 65536)

        with pytest.raises(VendorUnclear, match="too large"):
            write_to(flood)

    def test_a_path_cannot_lead_to_another_host(self):
        for path in ("http://169.254.169.254/", "@evil.example/", "evil"):
            with pytest.raises(ValueError, match="slash"):
                transport("http://127.0.0.1:1").write("POST", path)

    def test_refuses_an_open_transaction(self):
        with transaction.atomic(), pytest.raises(OpenTransaction):
            transport("http://127.0.0.1:1").write("POST", "/")

    def test_shows_no_secret_in_its_representation(self):
        assert "fake-secret" not in repr(Vendor("post", "http://x", basic=("key", "fake-secret")))


class TestRead:
    def test_no_usable_answer_is_never_unclear(self):
        with (
            vendor(replies(answer("500 Internal Server Error", b"{}"))) as (url, _),
            pytest.raises(VendorUnavailable),
        ):
            transport(url).read("/v1/parcels", params={"limit": 5})

    def test_a_refusal_repeats_nothing_of_a_personal_body(self):
        body = {"access_token": "access-production-4711-aa"}
        words = b'{"error_code": "ODD", "error_message": "access-production-4711-aa is odd"}'

        with (
            vendor(replies(answer("400 Bad Request", words))) as (url, _),
            pytest.raises(VendorRejected) as caught,
        ):
            transport(url).read("/item/get", method="POST", json=body, is_personal=True)

        assert (caught.value.vendor_code, caught.value.detail) == ("ODD", "[hidden] is odd")

    def test_sends_the_query(self):
        with vendor(replies(answer("200 OK", b"[]"))) as (url, requests):
            assert transport(url).read("/v1/parcels", params={"email": "a+b@x.io"}) == []

        assert requests[0].startswith(b"GET /v1/parcels?email=a%2Bb%40x.io HTTP/1.1")


class TestFetch:
    PDF = answer("200 OK", b"%PDF-1.7", "content-type: application/pdf")

    def test_gives_the_file_and_what_it_is(self):
        with vendor(replies(self.PDF)) as (url, _):
            found = transport(url).fetch("/file")

        assert (found.mime_type, found.content) == ("application/pdf", b"%PDF-1.7")

    def test_follows_the_vendor_to_where_it_keeps_the_file_and_leaves_the_key_behind(self):
        def behave(connection, request):
            moved = answer("301 Moved", b"", "location: /signed/file")
            connection.sendall(self.PDF if b"/signed/file" in request else moved)

        with vendor(behave) as (url, requests):
            found = transport(url).fetch("/file")

        assert found.content == b"%PDF-1.7"
        assert [b"authorization" in request.lower() for request in requests] == [True, False]

    @pytest.mark.parametrize(
        "target",
        [
            "http://127.0.0.1:9/other",
            "http://169.254.169.254/latest/meta-data",
            "ftp://files.example.com/x",
            "file:///etc/passwd",
            "//127.0.0.1:9/x",
            "",
        ],
    )
    def test_goes_nowhere_unsafe(self, target):
        moved = answer("302 Found", b"", f"location: {target}")
        with vendor(replies(moved)) as (url, requests):
            with pytest.raises(VendorUnavailable):
                transport(url).fetch("/file")
            assert len(requests) <= 2

    @pytest.mark.parametrize("headers", [(), ("location: ",), ("location: http://[::1",)])
    def test_a_redirection_that_leads_nowhere_is_no_file(self, headers):
        def behave(connection, request):
            is_file = b"GET /file " in request
            connection.sendall(answer("302 Found", b"", *headers) if is_file else self.PDF)

        with vendor(behave) as (url, requests):
            with pytest.raises(VendorUnavailable):
                transport(url).fetch("/file")
            assert len(requests) == 1

    def test_a_link_that_is_too_old_is_no_word_on_the_file(self):
        def behave(connection, request):
            moved = answer("302 Found", b"", "location: /signed/file")
            stale = answer("403 Forbidden", b"<Error/>")
            connection.sendall(stale if b"/signed/file" in request else moved)

        with vendor(behave) as (url, _), pytest.raises(VendorUnavailable):
            transport(url).fetch("/file")

    def test_a_second_redirection_is_not_followed(self):
        moved = answer("302 Found", b"", "location: /again")
        with vendor(replies(moved)) as (url, requests):
            with pytest.raises(VendorUnavailable):
                transport(url).fetch("/file")
            assert len(requests) == 2

    def test_an_unknown_file_is_a_clear_no(self):
        with (
            vendor(replies(answer("404 Not Found", b"{}"))) as (url, _),
            pytest.raises(VendorRejected) as caught,
        ):
            transport(url).fetch("/file")
        assert caught.value.http_status == 404

    def test_is_not_done_inside_a_transaction(self):
        with transaction.atomic(), pytest.raises(OpenTransaction):
            transport("http://127.0.0.1:9").fetch("/file")
