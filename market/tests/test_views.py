import pytest
from rest_framework.test import APIClient

from core.auth import Kind, Principal

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    client = APIClient()
    client.force_authenticate(Principal(kind=Kind.CUSTOMER, user_id="ann"))
    return client


def test_a_profile_comes_in_the_references_shape(client, vendors):
    vendors.companies.profiles["AAPL"] = {"symbol": "AAPL", "companyName": "Apple Inc."}

    answer = client.get("/api/company/AAPL")

    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "data": {"symbol": "AAPL", "companyName": "Apple Inc."},
    }


def test_an_unknown_ticker_is_not_found(client, vendors):
    answer = client.get("/api/company/NOPE")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_symbol")


def test_a_coin_has_no_company_behind_it(client, vendors):
    assert client.get("/api/company/BTC%2FUSD").status_code == 404
    assert client.get("/api/company/BTC/USD").status_code == 404


def test_nobody_is_refused(vendors):
    assert APIClient().get("/api/company/AAPL").status_code == 401


def test_a_key_needs_the_scope(client, vendors):
    client.force_authenticate(Principal(kind=Kind.SERVICE, key_id="k", scopes=frozenset()))

    assert client.get("/api/company/AAPL").status_code == 403
