"""A customer signs in to a bank on the hosted page, and the money arrives."""

import shutil
from uuid import uuid4

import httpx
import pytest

from console.story import application
from tests.browser.driver import browser
from tests.e2e.waiting import until

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def page(clera, tmp_path):
    assert PROGRAM, "install Chromium first: apt-get install chromium"
    with browser(PROGRAM, tmp_path / "profile") as page:
        yield page


@pytest.fixture
def customer(clera):
    """A client that is signed in as a new customer, and the id of the customer's account."""
    user_id, email = str(uuid4()), f"{uuid4().hex[:8]}@example.com"
    headers = {"Authorization": f"Bearer {clera.token(user_id, email)}"}
    with httpx.Client(base_url=clera.url, headers=headers, trust_env=False, timeout=20) as client:
        body = {"userId": user_id, "alpacaData": application(email)}
        assert client.post("/create-alpaca-account", json=body).status_code == 201
        until(lambda: client.get("/api/me").json()["accounts"][0]["status"] == "ACTIVE")
        yield client, client.get("/api/me").json()["accounts"][0]["id"]


def click(page, name):
    page.until(f"document.getElementById('{name}')")
    page.ask(f"document.getElementById('{name}').click()")


def test_a_bank_is_linked_on_the_page_and_a_deposit_completes(clera, page, customer, tmp_path):
    client, account = customer
    wanted = {"accountId": account, "redirectUri": f"{clera.url}/"}
    link = client.post("/create-ach-relationship-link", json=wanted)
    assert link.status_code == 200, link.text

    page.open(link.json()["link_url"])
    for number, name in enumerate(
        ("continue", "bank-ins_109508", "sign-in", "account-checking", "finish")
    ):
        page.until(f"document.getElementById('{name}')")
        page.picture(tmp_path / f"{number}-{name}.png")
        click(page, name)
    assert page.until(f"location.href.startsWith('{clera.url}/')")

    def banks():
        answer = client.get("/get-ach-relationships", params={"accountId": account})
        return answer.json()["relationships"]

    until(lambda: [bank["status"] for bank in banks()] == ["APPROVED"])
    [bank] = banks()
    assert (bank["bank_name"], len(bank["last_4"])) == ("First Platypus Bank", 4)
    asked = {"accountId": account, "relationshipId": bank["id"], "amount": "250.00"}
    moved = client.post("/initiate-ach-transfer", json=asked, headers={"Idempotency-Key": "one"})
    assert moved.status_code == 201, moved.text

    def transfers():
        return client.get(f"/api/account/{account}/transfers").json()["transfers"]

    until(lambda: [transfer["status"] for transfer in transfers()] == ["COMPLETE"])
    until(lambda: client.get(f"/api/account/{account}/cash").json()["total"] == "250.00")
    funded = client.get(f"/api/account/{account}/funding-status").json()
    assert (funded["is_funded"], funded["completed_transfers_count"]) == (True, 1)
