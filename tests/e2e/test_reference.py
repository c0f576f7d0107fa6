"""The reference's own request bodies are taken, and wrong ones are refused by name."""

import copy
from uuid import uuid4

import httpx
import pytest

from console.story import application

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def frontend(clera):
    """The original's frontend: one API key, the customer named in the body."""
    headers = {"X-API-Key": clera.demo["api_key"]}
    with httpx.Client(base_url=clera.url, headers=headers, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def demo_account(clera):
    return clera.demo["customer"]["account_id"]


@pytest.fixture(scope="module")
def customer(clera):
    """A second customer with a token of their own."""
    user_id = str(uuid4())
    token = clera.token(user_id, f"{user_id[:8]}@example.com")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=clera.url, headers=headers, timeout=30, trust_env=False) as client:
        client.user_id = user_id
        yield client


def new_application(**identity):
    user_id = str(uuid4())
    body = {"userId": user_id, "alpacaData": application(f"ref+{user_id[:8]}@example.com")}
    body["alpacaData"]["identity"] |= identity
    return body


def without(body, *path):
    body = copy.deepcopy(body)
    part = body
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return body


def wait_for(ask, is_done, tries=200):
    for _ in range(tries):
        answer = ask()
        if is_done(answer):
            return answer
        import time

        time.sleep(0.2)
    raise AssertionError(f"never became so: {answer}")


class TestItsBodiesAreTaken:
    def test_from_the_application_to_the_transfer(self, frontend):
        body = new_application()
        opened = frontend.post("/create-alpaca-account", json=body)
        assert opened.status_code in {200, 201}
        assert {"id", "account_number", "status", "created_at"} <= set(opened.json())
        account = opened.json()["id"]

        wait_for(
            lambda: frontend.get(f"/api/account/{account}/status").json(),
            lambda answer: answer["data"]["status"] == "ACTIVE",
        )
        page = frontend.post(
            "/create-ach-relationship-link",
            json={"accountId": account, "redirectUri": "https://app.example.com/callback"},
        )
        assert page.status_code == 200
        assert page.json()["link_url"].startswith("http")

        linked = frontend.post(
            "/create-ach-relationship-manual",
            json={
                "accountId": account,
                "bankAccountType": "CHECKING",
                "bankAccountNumber": "123456789",
                "bankRoutingNumber": "121000358",
                "nickname": "My Checking Account",
            },
        )
        assert linked.status_code in {200, 201}
        assert {"id", "status", "created_at"} <= set(linked.json())

        listed = wait_for(
            lambda: frontend.get("/get-ach-relationships", params={"accountId": account}).json(),
            lambda answer: answer["relationships"][0]["status"] == "APPROVED",
        )["relationships"][0]
        names = {"id", "status", "bank_name", "bank_account_type", "last_4", "created_at"}
        assert names <= set(listed)
        assert listed["last_4"] == "6789"
        posted = frontend.post("/get-ach-relationships", json={"accountId": account}).json()
        assert posted["relationships"][0]["id"] == listed["id"]

        moved = frontend.post(
            "/initiate-ach-transfer",
            content=(
                f'{{"accountId": "{account}", "relationshipId": "{listed["id"]}",'
                ' "amount": 100.00, "direction": "INCOMING"}'
            ),
            headers={"Content-Type": "application/json"},
        )
        assert moved.status_code in {200, 201}
        assert '"amount":100.00' in moved.text.replace(" ", "")
        assert {"id", "status", "amount", "created_at"} <= set(moved.json())

    def test_health_and_company(self, frontend):
        assert frontend.get("/api/health").status_code == 200
        assert frontend.get("/health").status_code == 200
        company = frontend.get("/api/company/AAPL").json()
        assert company["success"] is True
        assert company["data"]["symbol"] == "AAPL"


class TestWrongOnesAreRefusedByName:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (without(new_application(), "userId"), "userId"),
            (without(new_application(), "alpacaData", "identity", "tax_id"), "tax_id"),
            (without(new_application(), "alpacaData", "contact", "email_address"), "email_address"),
            (new_application(tax_id="123-45-678"), "tax_id"),
            (new_application(date_of_birth="2020-01-01"), "date_of_birth"),
            (new_application(date_of_birth="not a date"), "date_of_birth"),
            ({**new_application(), "alpacaData": []}, "alpacaData"),
        ],
    )
    def test_an_application(self, frontend, body, field):
        answer = frontend.post("/create-alpaca-account", json=body)

        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert any(field in name for name in answer.json()["field_errors"])
        assert "123-45-678" not in answer.text

    @pytest.mark.parametrize(
        "amount", ["-5", "0", "NaN", '"NaN"', "1e400", '"1e400"', "1.001", '"1_0"', "true", "null"]
    )
    def test_an_amount(self, frontend, demo_account, amount):
        body = (
            f'{{"accountId": "{demo_account}", "relationshipId": "{uuid4()}", "amount": {amount}}}'
        )
        answer = frontend.post(
            "/initiate-ach-transfer", content=body, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code in {400, 422}
        assert "amount" in answer.text or "number" in answer.text.lower()

    @pytest.mark.parametrize("amount", ["-5", "0", "NaN", "1e400", "0.5", "1.001"])
    def test_a_trade(self, frontend, demo_account, amount):
        body = (
            f'{{"account_id": "{demo_account}", "ticker": "AAPL", "side": "BUY",'
            f' "notional_amount": {amount}}}'
        )
        answer = frontend.post(
            "/api/trade", content=body, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code in {400, 422}
        assert "notional_amount" in answer.text or "number" in answer.text.lower()

    def test_an_unknown_account_and_a_foreign_one_look_the_same(self, customer, demo_account):
        unknown = customer.get(f"/api/portfolio/{uuid4()}/positions")
        foreign = customer.get(f"/api/portfolio/{demo_account}/positions")

        assert (unknown.status_code, foreign.status_code) == (404, 404)
        same = ("code", "detail", "status", "title")
        assert [unknown.json()[name] for name in same] == [foreign.json()[name] for name in same]

    def test_somebody_elses_account_cannot_trade_or_move_money(self, clera, customer, demo_account):
        before = len(clera.effects())
        trade = {"account_id": demo_account, "ticker": "AAPL", "side": "BUY", "notional_amount": 5}
        move = {"accountId": demo_account, "relationshipId": str(uuid4()), "amount": 5}

        assert customer.post("/api/trade", json=trade).status_code == 404
        assert customer.post("/initiate-ach-transfer", json=move).status_code == 404
        assert customer.get(f"/api/portfolio/{demo_account}/orders").status_code == 404
        assert len(clera.effects()) == before

    def test_another_users_id_in_the_body(self, customer):
        assert customer.post("/create-alpaca-account", json=new_application()).status_code == 403

    def test_300_kilobytes_of_nested_brackets(self, frontend):
        answer = frontend.post(
            "/api/trade", content="[" * 300_000, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code == 413
        assert (
            frontend.post(
                "/api/trade", content="[" * 200_000, headers={"Content-Type": "application/json"}
            ).status_code
            == 400
        )

    def test_no_credential(self, clera):
        answer = httpx.get(f"{clera.url}/api/me", trust_env=False, timeout=60)

        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
