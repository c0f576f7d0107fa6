"""A web process dies at the worst moments, and order and transfer still happen exactly once."""

import os
import subprocess
import sys
import time

import httpx
import pytest

from tests.e2e.running import ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BANK = {
    "bankAccountType": "CHECKING",
    "bankAccountNumber": "123456789",
    "bankRoutingNumber": "121000358",
    "nickname": "My Checking Account",
}


@pytest.fixture
def doomed(clera):
    """Starts a second web process of the same Clera that kills itself at a named point."""
    started = []

    def start(failpoint):
        port = free_port()
        lines = (clera.folder / "run.env").read_text().splitlines()
        published = dict(line.split("=", 1) for line in lines if "=" in line)
        env = os.environ | published | {"CLERA_FAILPOINT": failpoint}
        env |= {"CLERA_LOCAL_DIR": str(clera.folder), "INTENT_LEASE_SECONDS": "6"}
        env["VENDOR_TOTAL_SECONDS"] = "3"
        env["DJANGO_SETTINGS_MODULE"] = "clera.settings.local"
        command = [sys.executable, "-m", "uvicorn", "clera.asgi:application", "--lifespan", "off"]
        process = subprocess.Popen(
            [*command, "--port", str(port), "--log-level", "warning"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                httpx.get(f"{url}/health", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return url, process
        raise AssertionError("the second web process did not start")

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("failpoint", "symbol"),
    [
        ("intent.leased", "SBUX"),
        pytest.param("intent.committed", "MCD", marks=pytest.mark.proof),
        pytest.param("intent.answered", "NKE", marks=pytest.mark.proof),
    ],
)
def test_an_order_survives_its_sender(clera, doomed, failpoint, symbol):
    url, process = doomed(failpoint)
    headers = {"Authorization": f"Bearer {clera.bearer}", "Idempotency-Key": f"kill-{failpoint}"}
    body = {"account_id": clera.account, "ticker": symbol, "side": "BUY", "notional_amount": 12}

    with pytest.raises(httpx.TransportError):
        httpx.post(f"{url}/api/trade", json=body, headers=headers, trust_env=False, timeout=60)
    assert process.wait(timeout=60) == -9

    orders = wait_until_filled(clera, symbol)
    assert len(orders) == 1
    effects = clera.effects(kind="order.created", symbol=symbol)
    assert [effect["client_key"] for effect in effects] == [orders[0]["client_order_id"]]

    for _ in range(40):  # for a while the first request might still be alive
        again = httpx.post(
            f"{clera.url}/api/trade", json=body, headers=headers, trust_env=False, timeout=60
        )
        if again.status_code != 409:
            break
        time.sleep(1)
    assert again.status_code in {200, 201, 202}, again.text
    assert again.json()["order"]["client_order_id"] == orders[0]["client_order_id"]
    assert len(clera.effects(kind="order.created", symbol=symbol)) == 1


def wait_until_filled(clera, symbol):
    headers = {"Authorization": f"Bearer {clera.bearer}"}
    url = f"{clera.url}/api/portfolio/{clera.account}/orders"
    params = {"status": "all", "symbols": symbol}
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        orders = httpx.get(url, params=params, headers=headers, trust_env=False, timeout=60).json()
        if orders and all(order["status"] == "filled" for order in orders):
            return orders
        time.sleep(0.5)
    raise AssertionError(f"not filled within 60 s: {orders}")


@pytest.mark.proof
@pytest.mark.parametrize(
    ("failpoint", "amount", "states"),
    [
        ("intent.committed", "31.01", {"ACCEPTED"}),
        ("intent.answered", "31.02", {"ACCEPTED"}),
        # It never left, which nobody can know: a person decides.
        ("intent.leased", "31.03", {"NEEDS_REVIEW"}),
    ],
)
def test_a_transfer_survives_its_sender(clera, doomed, failpoint, amount, states):
    url, process = doomed(failpoint)
    headers = {"Authorization": f"Bearer {clera.bearer}", "Idempotency-Key": f"pay-{failpoint}"}
    body = {"accountId": clera.account, "relationshipId": bank_of(clera), "amount": amount}

    with pytest.raises(httpx.TransportError):
        httpx.post(
            f"{url}/initiate-ach-transfer", json=body, headers=headers, trust_env=False, timeout=60
        )
    assert process.wait(timeout=60) == -9

    (transfer,) = wait_until_decided(clera, amount)
    effects = [e for e in clera.effects(kind="transfer.created") if e["amount"] == amount]
    assert transfer["state"] in states
    assert [effect["vendor_id"] for effect in effects] == (
        [transfer["id"]] if transfer["state"] == "ACCEPTED" else []
    )


def bank_of(clera):
    """Name the demo customer's approved bank; the first to ask links one."""
    headers = {"Authorization": f"Bearer {clera.bearer}"}
    with httpx.Client(base_url=clera.url, headers=headers, trust_env=False, timeout=60) as client:
        listed = {"accountId": clera.account}
        if not client.post("/get-ach-relationships", json=listed).json()["relationships"]:
            client.post("/create-ach-relationship-manual", json=listed | BANK).raise_for_status()
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            (bank,) = client.post("/get-ach-relationships", json=listed).json()["relationships"]
            if bank["status"] == "APPROVED":
                return bank["id"]
            time.sleep(0.5)
    raise AssertionError(f"not approved within 60 s: {bank}")


def wait_until_decided(clera, amount):
    headers = {"Authorization": f"Bearer {clera.bearer}"}
    url = f"{clera.url}/api/account/{clera.account}/transfers"
    ends = time.monotonic() + 90
    while time.monotonic() < ends:
        answer = httpx.get(url, headers=headers, trust_env=False, timeout=60)
        moved = [t for t in answer.json()["transfers"] if f"{t['amount']:.2f}" == amount]
        if moved and all(t["state"] in {"ACCEPTED", "NEEDS_REVIEW"} for t in moved):
            return moved
        time.sleep(0.5)
    raise AssertionError(f"not decided within 90 s: {moved}")
