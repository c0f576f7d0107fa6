"""What a local run starts with: an operator, an API key, and a customer with months of history."""

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import get_user_model

from accounts import selectors as accounts
from console import demo
from console.story import application
from console.wire import Api, Show, StoryError
from core.auth import SYSTEM, api_keys
from core.errors import CleraError
from ledger import services as ledger
from trading import services as trading

PLAN = {
    "weights": {"AAPL": 3, "MSFT": 3, "NVDA": 2, "VTI": 6, "BND": 4, "JNJ": 2},
    "first_deposit": "12000",
    "monthly_deposit": "750",
    "months": 7,
}
CASH = {"cash": "1500.00", "months": 1}
START_SECONDS = 60
_OWNER_ONLY = 0o600


@dataclass
class Seeding:
    """
    Makes the demo data once; running it again keeps what is there and renews the token.

    :param path: where the facts for the ready message are kept, readable by the owner alone.
    """

    base_url: str
    path: Path
    show: Show
    facts: dict[str, Any] = field(default_factory=dict)

    def run(self, *, at: datetime) -> dict[str, Any]:
        """
        Make what is missing and return the facts.

        :raises StoryError: the product or the sandbox does not answer.
        """
        if self.path.exists():
            self.facts = json.loads(self.path.read_text())
        self._operator()
        self._key(at=at)
        self._customer()
        self._commands()
        self._write()
        return self.facts

    def _operator(self) -> None:
        users = get_user_model().objects
        if "admin" in self.facts and users.filter(username="admin").exists():
            return
        password = secrets.token_urlsafe(12)
        users.filter(username="admin").delete()
        users.create_superuser("admin", "admin@example.com", password)
        self.facts["admin"] = {"username": "admin", "password": password}

    def _key(self, *, at: datetime) -> None:
        try:
            api_keys.authenticate(self.facts.get("api_key", ""), at=at)
        except CleraError:
            made = api_keys.create(label="Demo frontend", scopes=api_keys.KEY_SCOPES)
            self.facts["api_key"] = made.text

    def _customer(self) -> None:
        token = demo.mint_token().access_token
        api = Api(self.base_url, token, show=self.show)
        self._wait_for_web(api)
        if not api.get("/api/me", quiet=True)["accounts"]:
            body = {"userId": demo.CUSTOMER, "alpacaData": application(demo.EMAIL)}
            api.post("/create-alpaca-account", body)
        me = api.until(
            "/api/me",
            lambda answer: answer["accounts"][0]["status"] == "ACTIVE",
            what="the demo account is active",
            seconds=START_SECONDS,
        )
        account_id = me["accounts"][0]["id"]
        if not self.facts.get("has_history"):
            self._history(account_id)
            api.until(
                f"/api/portfolio/{account_id}/positions",
                bool,
                what="its holdings have been read",
                seconds=START_SECONDS,
            )
        self.facts["customer"] = {
            "user_id": demo.CUSTOMER,
            "email": demo.EMAIL,
            "account_id": account_id,
            "token": token,
            "renew": f"curl -s -X POST {self.base_url}/local/token",
        }

    def _wait_for_web(self, api: Api) -> None:
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                api.get("/api/health", quiet=True)
            except StoryError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.2)  # noqa: TID251 - a command waits for the web process to come up
            else:
                return

    def _history(self, account_id: str) -> None:
        """Give the account its past at the pretend broker, then read it as news."""
        account = accounts.get_account(principal=SYSTEM, account_id=account_id)
        url = f"{settings.SANDBOX_URL}/_control/accounts/{account.broker_account_id}/seed"
        try:
            for body in (PLAN, CASH):
                httpx.post(url, json=body, timeout=30, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            raise StoryError("The sandbox could not give the demo account its history.") from error
        trading.request_sync(account_id=account.id)
        ledger.request_comparison(account_id=account.id)
        self.facts["has_history"] = True

    def _commands(self) -> None:
        url, account = self.base_url, self.facts["customer"]["account_id"]
        bearer = '-H "Authorization: Bearer $TOKEN"'
        token = f"TOKEN=$(curl -s -X POST {url}/local/token | cut -d'\"' -f4)"
        self.facts["commands"] = {
            "token": token,
            "value": f"curl -s '{url}/api/portfolio/value?accountId={account}' {bearer}",
            "trade": (
                f"curl -s {url}/api/trade {bearer} -H 'Content-Type: application/json' -d "
                f'\'{{"account_id":"{account}","ticker":"AAPL","side":"BUY",'
                '"notional_amount":25}\''
            ),
            "ask": (
                f"curl -s {url}/api/chat {bearer} -H 'Content-Type: application/json' -d "
                f'\'{{"account_id":"{account}","user_input":"What is my portfolio worth?"}}\''
            ),
        }

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=_OWNER_ONLY)
        self.path.write_text(json.dumps(self.facts, indent=2))
        self.path.chmod(_OWNER_ONLY)  # also when it was there before
