"""Bodies, errors, ids and access lines, through real requests."""

import json

import pytest
import structlog
from django.test import Client

from core.api import problems
from core.errors import Unauthenticated

pytestmark = pytest.mark.urls("core.tests.urls")


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.fixture
def lines():
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as lines:
        yield lines


def post(client, path, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body)
    return client.post(path, data, content_type="application/json", headers=headers)


def problem(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    return json.loads(response.content)


class TestBodies:
    def test_numbers_keep_their_text_both_ways(self, client):
        body = b'{"amount":100.00,"tiny":0.000000001,"count":3}'
        assert post(client, "/echo", body).content == body

    @pytest.mark.parametrize(
        "body",
        [b"[" * 200_000, b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e400}', b'{"a":"\xff"}',
         b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b"{", b"[]", b"1", b'"x"', b"null"],
    )  # fmt: skip
    def test_what_is_not_a_plain_object_is_refused_as_400(self, client, body):
        response = post(client, "/echo", body)
        assert (response.status_code, problem(response)["code"]) == (400, "invalid")

    def test_a_body_over_the_limit_is_refused_as_413(self, client, settings):
        at_limit = json.dumps({"a": "x" * (settings.API_MAX_BODY_BYTES - 9)}).encode()
        assert len(at_limit) == settings.API_MAX_BODY_BYTES
        assert post(client, "/echo", at_limit).status_code == 200
        response = post(client, "/echo", at_limit + b" ")
        assert (response.status_code, problem(response)["code"]) == (413, "body_too_large")

    def test_forms_are_not_read(self, client):
        response = client.post("/echo", {"a": "1"})
        assert (response.status_code, problem(response)["code"]) == (415, "unsupported_media_type")


class TestProblems:
    def test_names_every_field_by_its_path_and_the_first_in_a_sentence(self, client):
        response = post(
            client,
            "/check",
            {
                "alpacaData": {
                    "identity": {"tax_id": "12", "tax_id_type": "123-45-6789"},
                    "agreements": [{"signed_at": "2026-01-01T00:00:00Z"}, {}],
                },
                "extra": 1,
            },
        )

        body = problem(response)
        assert response.status_code == 400
        assert body["field_errors"] == {
            "alpacaData.identity.tax_id": ["This value does not match the required pattern."],
            "alpacaData.identity.tax_id_type": ["This is not one of the allowed values."],
            "alpacaData.agreements.1.signed_at": ["This field is required."],
            "extra": ["This field is not known."],
        }
        assert body["detail"] == (
            "alpacaData.identity.tax_id: This value does not match the required pattern."
        )
        assert body["request_id"] == response.headers["X-Request-Id"]
        assert b"123-45-6789" not in response.content

    def test_a_rule_of_ours_keeps_its_code_and_extras_cannot_replace_the_frame(self, client):
        response = client.get("/fails/rule")
        body = problem(response)
        assert response.status_code == body["status"] == 422
        assert (body["code"], body["detail"], body["limit"]) == ("rule_broken", "Not now.", 5.00)
        assert b'"limit":5.00' in response.content

    @pytest.mark.parametrize(
        ("kind", "status", "code", "retry_after"),
        [
            ("vendor", 503, "vendor_unclear", "7"),
            ("throttled", 429, "throttled", "3"),
            ("database", 503, "service_unavailable", "2"),
        ],
    )
    def test_says_when_to_come_back(self, client, kind, status, code, retry_after):
        response = client.get(f"/fails/{kind}")
        assert (response.status_code, problem(response)["code"]) == (status, code)
        assert response.headers["Retry-After"] == retry_after
        assert b"secret" not in response.content

    @pytest.mark.parametrize("path", ["/fails/bug", "/broken", "/api/broken"])
    def test_a_fault_of_ours_tells_nothing_but_the_request_id(self, client, lines, path):
        response = client.get(path)
        body = problem(response)
        assert (response.status_code, body["code"]) == (500, "internal_error")
        assert body["request_id"] == response.headers["X-Request-Id"]
        assert b"secret" not in response.content

    def test_a_fault_in_a_view_is_logged_with_its_view(self, client, lines):
        client.get("/fails/bug")
        failed = next(line for line in lines if line["event"] == "request.failed")
        assert (failed["view"], str(failed["exc_info"])) == ("Fails", "secret 123-45-6789")

    def test_unknown_paths_and_methods_are_problems_too(self, client):
        assert problem(client.get("/nowhere"))["code"] == "not_found"
        response = client.get("/echo")
        assert (response.status_code, problem(response)["code"]) == (405, "method_not_allowed")

    def test_a_browser_gets_a_page_outside_of_the_api(self, client):
        accept = {"Accept": "text/html,*/*"}
        assert client.get("/nowhere", headers=accept)["Content-Type"].startswith("text/html")
        assert client.get("/broken", headers=accept)["Content-Type"].startswith("text/html")
        assert problem(client.get("/api/nowhere", headers=accept))["code"] == "not_found"

    def test_nobody_is_answered_401_with_a_challenge(self, client):
        response = client.get("/whoami")
        assert (response.status_code, problem(response)["detail"]) == (401, Unauthenticated.detail)
        assert response.headers["WWW-Authenticate"] == "Bearer"

    def test_flattens_rules_of_the_whole_body_and_of_list_items(self):
        detail = {"non_field_errors": ["A."], "a": {"0": ["B."]}, "b": [{}, {"c": ["C.", "D."]}]}
        assert problems.flatten(detail) == {
            "non_field_errors": ["A."], "a.0": ["B."], "b.1.c": ["C.", "D."],
        }  # fmt: skip
        assert problems.flatten(["E."]) == {"non_field_errors": ["E."]}


class TestRequestContext:
    @pytest.mark.parametrize("given", ["abcdefgh", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"])
    def test_keeps_a_sane_request_id(self, client, given):
        response = client.get("/nowhere", headers={"X-Request-Id": given})
        assert response.headers["X-Request-Id"] == problem(response)["request_id"] == given

    @pytest.mark.parametrize("given", ["", "short", "x" * 65, "a b c d e f", "<script>!", "é" * 9])
    def test_replaces_any_other(self, client, given):
        response = client.get("/nowhere", headers={"X-Request-Id": given})
        assert response.headers["X-Request-Id"] != given
        assert len(response.headers["X-Request-Id"]) == 36

    def test_writes_one_line_without_query_or_values_of_the_path(self, client, lines):
        client.get("/fails/rule?token=secret")
        assert len(lines) == 1
        line = lines[0]
        assert line.pop("ms") >= 0
        assert len(line.pop("request_id")) == 36
        assert line == {
            "event": "request.finished",
            "log_level": "info",
            "method": "GET",
            "route": "fails/<str:kind>",
            "status": 422,
            "principal": None,
        }

    def test_forgets_the_id_afterwards(self, client):
        client.get("/nowhere")
        assert "request_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.asyncio
class TestUnderAsgi:
    async def test_the_id_and_the_line_are_the_same(self, async_client, lines):
        response = await async_client.get("/fails/rule", headers={"X-Request-Id": "abcdefgh"})
        assert problem(response)["request_id"] == response.headers["X-Request-Id"] == "abcdefgh"
        assert [(line["event"], line["request_id"], line["status"]) for line in lines] == [
            ("request.finished", "abcdefgh", 422)
        ]
