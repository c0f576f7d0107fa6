"""Customers of the pretend broker, made through the real client as far as they must go."""

import base64
import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx

from sandbox.tests.conftest import Server

_NUMBERS = itertools.count(1)
ROUTING_NUMBER = "121000358"


def application(email: str = "") -> dict[str, Any]:
    """The body of an account application."""
    return {
        "contact": {
            "email_address": email or f"customer{next(_NUMBERS)}@example.com",
            "phone_number": "555-555-5555",
            "street_address": ["123 Main St"],
            "city": "San Francisco",
            "state": "CA",
            "postal_code": "94105",
            "country": "USA",
        },
        "identity": {
            "given_name": "Ada",
            "family_name": "Stone",
            "date_of_birth": "1990-01-01",
            "tax_id": "123-45-6789",
            "tax_id_type": "USA_SSN",
            "country_of_citizenship": "USA",
            "country_of_birth": "USA",
            "country_of_tax_residence": "USA",
            "funding_source": ["employment_income"],
        },
        "disclosures": {
            "is_control_person": False,
            "is_affiliated_exchange_or_finra": False,
            "is_politically_exposed": False,
            "immediate_family_exposed": False,
        },
        "agreements": [
            {
                "agreement": "customer_agreement",
                "signed_at": "2023-01-01T00:00:00Z",
                "ip_address": "127.0.0.1",
            }
        ],
    }


def paper(
    document_type: str = "identity_verification", content: bytes = b"fake", **more: Any
) -> dict[str, Any]:
    """A document to upload."""
    encoded = base64.b64encode(content).decode()
    return {"document_type": document_type, "content": encoded, "mime_type": "image/png"} | more


class Desk:
    """Plain HTTP to the broker, for tests that care about the wire."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        options = {"auth": self.server.auth} | options
        return self.server.http.request(method, self.server.broker_url + path, **options)

    def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        answer = self.send(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def advance(self, seconds: float) -> None:
        self.server.control("clock", {"advance": seconds})

    def open_account(self, email: str = "") -> str:
        account_id = str(self.call("POST", "/v1/accounts", json=application(email))["id"])
        self.advance(5)
        return account_id

    def apply(self, body: dict[str, Any] | None = None) -> str:
        """Send an application and wait for nothing."""
        return str(self.call("POST", "/v1/accounts", json=body or application())["id"])

    def account(self, account_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("GET", f"/v1/accounts/{account_id}")
        return answer

    def set_status(self, account_id: str, **wanted: Any) -> Any:
        return self.server.control(f"accounts/{account_id}/status", wanted)

    def upload(self, account_id: str, *papers: Any, status: int = 204) -> Any:
        path = f"/v1/accounts/{account_id}/documents/upload"
        return self.call("POST", path, status=status, json=list(papers))

    def link_bank(self, account_id: str) -> str:
        path = f"/v1/accounts/{account_id}/ach_relationships"
        body = {
            "account_owner_name": "Ada Stone",
            "bank_account_type": "CHECKING",
            "bank_account_number": "123456789",
            "bank_routing_number": ROUTING_NUMBER,
        }
        relationship_id = str(self.call("POST", path, json=body)["id"])
        self.advance(5)
        return relationship_id

    def transfer(
        self, account_id: str, relationship_id: str, amount: str, direction: str = "INCOMING"
    ) -> dict[str, Any]:
        body = {
            "transfer_type": "ach",
            "relationship_id": relationship_id,
            "amount": amount,
            "direction": direction,
            "timing": "immediate",
        }
        sent: dict[str, Any] = self.call("POST", f"/v1/accounts/{account_id}/transfers", json=body)
        return sent

    def funded_account(self, amount: str = "10000") -> str:
        account_id = self.open_account()
        self.transfer(account_id, self.link_bank(account_id), amount)
        self.advance(10)
        return account_id

    def order(self, account_id: str, *, status: int = 200, **wanted: Any) -> dict[str, Any]:
        body = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day"}
        answer: dict[str, Any] = self.call(
            "POST",
            f"/v1/trading/accounts/{account_id}/orders",
            status=status,
            json=body | wanted,
        )
        return answer

    def show_order(self, account_id: str, order_id: str) -> dict[str, Any]:
        path = f"/v1/trading/accounts/{account_id}/orders/{order_id}"
        answer: dict[str, Any] = self.call("GET", path)
        return answer

    def orders_path(self, account_id: str, order_id: str = "") -> str:
        return f"/v1/trading/accounts/{account_id}/orders" + (f"/{order_id}" if order_id else "")

    def status(self, account_id: str, order_id: str) -> str:
        return str(self.show_order(account_id, order_id)["status"])

    def replace(
        self, account_id: str, order_id: str, *, status: int = 200, **wanted: Any
    ) -> dict[str, Any]:
        path = self.orders_path(account_id, order_id)
        answer: dict[str, Any] = self.call("PATCH", path, status=status, json=wanted)
        return answer

    def cancel(self, account_id: str, order_id: str, *, status: int = 204) -> Any:
        return self.call("DELETE", self.orders_path(account_id, order_id), status=status)

    def trade_events(self, account_id: str = "") -> list[tuple[str, str]]:
        """What the trade stream has told so far: which order, and what."""
        told = self.server.world.parts["broker"].hub.history("trades")
        return [
            (event.payload["order"]["id"], event.payload["event"])
            for event in told
            if account_id in {"", event.account_id}
        ]

    def trading_account(self, account_id: str) -> dict[str, Any]:
        path = f"/v1/trading/accounts/{account_id}/account"
        answer: dict[str, Any] = self.call("GET", path)
        return answer

    def cash(self, account_id: str) -> Decimal:
        return Decimal(self.trading_account(account_id)["cash"])

    def set_price(self, symbol: str, price: str | None) -> None:
        self.server.control("prices", {symbol: price})


def eventually(question: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
