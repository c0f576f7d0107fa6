"""Credentials and scopes through real requests."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from core.auth import Kind, api_keys
from core.auth.sockets import authenticate_token

pytestmark = [pytest.mark.urls("core.tests.urls"), pytest.mark.django_db]


@pytest.fixture
def customer(issuer):
    return {"Authorization": f"Bearer {issuer.token(sub='ada')}"}


def key(*scopes) -> dict[str, str]:
    return {"X-API-Key": api_keys.create(label="test", scopes=scopes).text}


def get(path, headers, **more):
    response = Client().get(path, headers={**headers, **more})
    return response.status_code, json.loads(response.content)


def post(path, headers, body):
    response = Client().post(path, body, content_type="application/json", headers=headers)
    return response.status_code, response.content


class TestCredentials:
    def test_a_token_makes_a_customer(self, customer):
        assert get("/whoami", customer) == (200, {"principal": "customer:ada"})

    def test_a_key_may_come_as_header_or_as_bearer(self):
        header = key("trading:read")
        for headers in (header, {"Authorization": f"bearer {header['X-API-Key']}"}):
            assert get("/orders", headers) == (200, {"user_id": None, "acted_by": None})

    def test_the_customer_is_who_asks_when_a_key_comes_along(self, customer):
        assert get("/whoami", customer | key("act_for"))[1] == {"principal": "customer:ada"}

    def test_a_good_key_does_not_rescue_a_bad_token(self):
        headers = {"Authorization": "Bearer x.y.z"} | key("trading:read")
        assert get("/orders", headers)[0] == 401

    @pytest.mark.parametrize(
        "headers",
        [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}, {"X-API-Key": ""},
         {"Authorization": "Bearer clr_test_x"}, {"X-API-Key": "clr_test_x"}],
    )  # fmt: skip
    def test_every_other_credential_gets_the_same_answer(self, issuer, headers):
        status, problem = get("/whoami", headers)
        assert (status, problem["code"]) == (401, "unauthenticated")
        assert problem["detail"] == "Send a valid bearer token or X-API-Key."

    def test_a_revoked_key_is_refused_on_the_next_request(self):
        new = api_keys.create(label="test", scopes=["trading:read"])
        assert get("/orders", {"X-API-Key": new.text})[0] == 200
        api_keys.revoke(public_id=new.key.public_id, at=timezone.now())
        assert get("/orders", {"X-API-Key": new.text})[0] == 401


class TestScopes:
    def test_a_key_reads_and_writes_by_scope(self, customer):
        reader, writer = key("trading:read"), key("trading:write")
        assert get("/orders", reader)[0] == 200
        assert get("/orders", writer)[0] == 403
        assert post("/orders", reader, {})[0] == 403
        assert post("/orders", writer, {})[0] == 201
        assert get("/orders", customer)[0] == 200
        status, problem = get("/orders", key("chat:read", "act_for"))
        assert (status, problem["code"]) == (403, "forbidden")
        assert problem["detail"] == "This credential lacks the scope trading:read."

    def test_a_view_without_scopes_is_for_customers_alone(self):
        assert get("/whoami", key(*api_keys.KEY_SCOPES))[0] == 403

    def test_a_view_that_must_name_a_scope_and_does_not_is_closed_to_all(self, customer):
        assert get("/scoped", customer)[0] == 403


class TestActFor:
    def test_a_key_names_the_customer_by_header_or_by_body(self):
        headers = key("trading:read", "trading:write", "act_for")
        status, body = get("/orders", headers, **{"X-Act-For": "bob"})
        assert (status, body["user_id"]) == (200, "bob")
        assert body["acted_by"] in headers["X-API-Key"]
        assert post("/orders", headers, {"userId": "bob"}) == (
            201, b'{"user_id":"bob","amount":100.00}',
        )  # fmt: skip

    def test_header_and_body_must_agree(self):
        headers = key("trading:write", "act_for") | {"X-Act-For": "bob"}
        assert post("/orders", headers, {"userId": "ada"})[0] == 403
        assert post("/orders", headers, {"userId": "bob"})[0] == 201

    def test_a_key_without_act_for_names_nobody(self):
        assert get("/orders", key("trading:read"), **{"X-Act-For": "bob"})[0] == 403

    def test_a_customer_names_only_themself(self, customer):
        assert post("/orders", customer, {"userId": "ada"})[0] == 201
        status, content = post("/orders", customer, {"userId": "bob"})
        assert (status, json.loads(content)["code"]) == (403, "user_mismatch")
        assert get("/orders", customer, **{"X-Act-For": "bob"})[0] == 403


class TestSockets:
    def test_take_both_kinds_of_credential(self, issuer):
        text = key("chat:read")["X-API-Key"]
        assert authenticate_token(text).kind is Kind.SERVICE
        assert authenticate_token(issuer.token(sub="ada")).user_id == "ada"
