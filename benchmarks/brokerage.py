"""A customer of a whole Clera on loopback, for programs that measure: web, prices, a broker."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import httpx

from benchmarks.events import child
from clera.local import processes
from clera.local.ports import any_free

SYMBOL: Final = "AAPL"
_START_SECONDS: Final = 60


@dataclass(frozen=True)
class Customer:
    """Who asks, and what the broker calls them."""

    web: str
    sandbox: str
    token: str
    account_id: str
    broker_account_id: str
    bank_id: str

    @property
    def client(self) -> httpx.Client:
        """A client of Clera's that is signed in."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.web, headers=headers, timeout=30, trust_env=False)

    @property
    def broker(self) -> httpx.Client:
        """A client of the broker's that knows nothing of Clera."""
        keys = (os.environ["ALPACA_BROKER_KEY"], os.environ["ALPACA_BROKER_SECRET"])
        url = f"{self.sandbox}/alpaca/broker"
        return httpx.Client(base_url=url, auth=keys, timeout=30, trust_env=False)


def demand(answer: httpx.Response, status: int) -> dict[str, Any]:
    if answer.status_code != status:
        raise RuntimeError(
            f"{answer.request.url.path} answered {answer.status_code}: {answer.text}"
        )
    found: dict[str, Any] = answer.json()
    return found


@contextlib.contextmanager
def vendors() -> Iterator[str]:
    """Run the sandbox, and point this process and its children at it."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with child(command, output=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None, "the sandbox did not start"
        os.environ["SANDBOX_URL"] = found.group()
        os.environ["ALPACA_BROKER_KEY"] = "CKSANDBOX"
        os.environ["ALPACA_BROKER_SECRET"] = "sandbox-secret"
        yield found.group()


@contextlib.contextmanager
def web() -> Iterator[str]:
    """Run one web process with the command of a deployment."""
    port = any_free()
    command = [sys.executable, *processes.web(port).arguments, "--log-level", "warning"]
    with child(command, output=subprocess.DEVNULL):
        url = f"http://127.0.0.1:{port}"
        ends = time.monotonic() + _START_SECONDS
        while time.monotonic() < ends:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/health", trust_env=False)
                break
            time.sleep(0.1)
        yield url


def make_customer(web_url: str, sandbox: str) -> Customer:
    """Open an account, link a bank and be given cash, all the ordinary way."""
    from django.utils import timezone

    from accounts import selectors as accounts
    from console.story import application
    from core.auth import SYSTEM
    from funding.services import bank_upkeep

    user_id, email = str(uuid4()), f"{uuid4().hex[:8]}@example.com"
    minted = httpx.post(
        f"{sandbox}/supabase/auth/v1/token-mint", json={"sub": user_id, "email": email}
    ).json()
    customer = Customer(web_url, sandbox, minted["access_token"], "", "", "")
    client = customer.client
    body = {"userId": user_id, "alpacaData": application(email)}
    opened = demand(client.post("/create-alpaca-account", json=body), 201)
    broker_id = str(opened["id"])
    _let_pass(sandbox, 10)
    demand(client.post(f"/api/account/{broker_id}/status/sync"), 200)
    bank = {
        "accountId": broker_id,
        "bankAccountType": "CHECKING",
        "bankAccountNumber": "123456789",
        "bankRoutingNumber": "121000358",
    }
    linked = demand(client.post("/create-ach-relationship-manual", json=bank), 201)
    _let_pass(sandbox, 10)
    bank_upkeep.refresh_relationships(at=timezone.now())
    seed = {"cash": "100000", "months": 1}
    httpx.post(f"{sandbox}/_control/accounts/{broker_id}/seed", json=seed).raise_for_status()
    ours = accounts.get_account(principal=SYSTEM, account_id=broker_id).pk
    return Customer(web_url, sandbox, customer.token, str(ours), broker_id, str(linked["id"]))


def _let_pass(sandbox: str, seconds: int) -> None:
    httpx.post(f"{sandbox}/_control/clock", json={"advance": seconds}).raise_for_status()


def follow_prices() -> None:
    """Have the product's own stream publish the price that orders need."""
    from core.jobs import enqueue
    from market import selectors
    from market import services as market

    market.want_symbols(reason="benchmark", symbols=[SYMBOL])
    selectors.get_instrument(symbol=SYMBOL)
    enqueue("market.follow_prices")
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        frame = selectors.read_prices(numbers=[selectors.get_instrument(symbol=SYMBOL).number])
        if frame is not None and selectors.is_fresh(frame, at=datetime.now(UTC)):
            return
        time.sleep(0.2)
    raise TimeoutError("no price was published")
