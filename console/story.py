"""The whole story of one customer, told through the public API: open, fund, buy, watch, ask."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from console import demo
from console.wire import Api, Show, StoryError

DEPOSIT = "1000.00"
PURCHASE = "250.00"
BOUGHT = ("AAPL", "MSFT")


@dataclass
class Story:
    """
    A new customer's first day.

    `facts` collects what happened, for whoever tells the story to check.
    """

    base_url: str
    show: Show
    facts: dict[str, Any] = field(default_factory=dict)

    def tell(self) -> dict[str, Any]:
        """
        Run every chapter in order.

        :raises StoryError: a chapter did not end as it should.
        """
        self.user_id = str(uuid4())
        self.email = f"demo+{self.user_id[:8]}@example.com"
        token = demo.mint_token(user_id=self.user_id, email=self.email).access_token
        self.api = Api(self.base_url, token, show=self.show)
        chapters = (
            ("1. Open a brokerage account", self.open_account),
            ("2. Link a bank", self.link_bank),
            (f"3. Deposit ${DEPOSIT}", self.deposit),
            (f"4. Buy ${PURCHASE} of AAPL", self.buy),
            ("5. Watch the value move", self.watch),
            ("6. Ask about the portfolio", self.ask),
            ("7. Have a trade proposed, and approve it", self.approve),
            ("8. What is held now, and what has moved the cash", self.look),
        )
        for title, chapter in chapters:
            self.show(f"\n{title}")
            chapter()
        return self.facts

    def open_account(self) -> None:
        """Send the application and wait until the broker has approved it."""
        body = {"userId": self.user_id, "alpacaData": application(self.email)}
        opened = self.api.post("/create-alpaca-account", body)
        me = self.api.until(
            "/api/me", lambda me: me["accounts"][0]["status"] == "ACTIVE", what="account active"
        )
        self.account_id = me["accounts"][0]["id"]
        self.facts |= {"account": self.account_id, "opened_as": opened["status"]}

    def link_bank(self) -> None:
        """Link a checking account by its numbers and wait for the broker's approval."""
        body = {
            "accountId": self.account_id,
            "bankAccountType": "CHECKING",
            "bankAccountNumber": "123456789",
            "bankRoutingNumber": "121000358",
            "nickname": "My Checking Account",
        }
        self.api.post("/create-ach-relationship-manual", body)
        found = self.api.until(
            "/get-ach-relationships",
            lambda answer: answer["relationships"][0]["status"] == "APPROVED",
            what="bank approved",
            accountId=self.account_id,
        )
        self.relationship_id = found["relationships"][0]["id"]

    def deposit(self) -> None:
        """Bring money in by ACH and wait until it has arrived."""
        body = {
            "accountId": self.account_id,
            "relationshipId": self.relationship_id,
            "amount": DEPOSIT,
            "direction": "INCOMING",
        }
        self.api.post("/initiate-ach-transfer", body)
        self.api.until(
            f"/api/account/{self.account_id}/transfers",
            lambda answer: answer["transfers"][0]["status"] == "COMPLETE",
            what="money arrived",
            seconds=60,
        )
        self.api.until(
            f"/api/account/{self.account_id}/balance",
            lambda answer: str(answer["data"]["cash"]) not in {"0", "0.0", "0.00", "None"},
            what="cash is there to trade with",
        )
        cash = self.api.until(
            f"/api/account/{self.account_id}/cash",
            lambda cash: cash["total"] == DEPOSIT,
            what="our own ledger has it as well",
        )
        self.facts["cash"] = cash["available"]

    def buy(self) -> None:
        """Buy by amount and wait for the fill."""
        body = {
            "account_id": self.account_id,
            "ticker": "AAPL",
            "side": "BUY",
            "notional_amount": PURCHASE,
        }
        self.api.post("/api/trade", body)
        self._filled("AAPL")

    def watch(self) -> None:
        """Read the socket until the value has changed a few times."""
        seen: list[str] = []
        for message in self.api.values(self.account_id, seconds=20):
            self.show(
                f"  {message['timestamp']}  {message['type']:<8}  {message['total_value']:>12}"
                f"  today {message['today_return']}"
            )
            seen.append(message["total_value"])
            if len(set(seen)) >= 4:  # noqa: PLR2004 - enough to see it live
                break
        if len(set(seen)) < 2:  # noqa: PLR2004
            raise StoryError("The value did not move within 20 s; see the streams' log lines.")
        self.facts["values"] = seen

    def ask(self) -> None:
        """Ask a question the agent answers with its portfolio tool."""
        body = {"user_input": "What is my portfolio worth?", "account_id": self.account_id}
        answer = self.api.post("/api/chat", body)
        self.session_id = answer["session_id"]
        self.facts["answer"] = answer["response"]

    def approve(self) -> None:
        """Ask for a trade: the agent can only propose it, and we approve what was shown."""
        body = {
            "user_input": "Buy $50 of MSFT",
            "account_id": self.account_id,
            "session_id": self.session_id,
        }
        proposal = self.api.post("/api/chat", body)["proposals"][0]
        self.show(f"  The customer is shown:\n    {proposal['text']}")
        settled = self.api.post(
            f"/api/proposals/{proposal['id']}/approve", {"hash": proposal["hash"]}
        )
        self.facts["proposal"] = settled
        self._filled("MSFT")

    def look(self) -> None:
        """List positions, cash, and the ledger's newest entries: the purchases and the deposit."""
        positions = self.api.get(f"/api/portfolio/{self.account_id}/positions")
        self.facts["symbols"] = sorted(position["symbol"] for position in positions)
        self.api.get(f"/api/account/{self.account_id}/balance")
        self.api.get("/api/portfolio/value", accountId=self.account_id)
        newest = self.api.until(
            f"/api/account/{self.account_id}/ledger",
            lambda answer: {entry["symbol"] for entry in answer["entries"]} >= set(BOUGHT),
            what="every purchase is booked",
            limit="5",
        )
        self.facts["booked"] = [entry["kind"] for entry in newest["entries"]]

    def _filled(self, symbol: str) -> None:
        self.api.until(
            f"/api/portfolio/{self.account_id}/orders",
            lambda orders: any(
                order["symbol"] == symbol and order["status"] == "filled" for order in orders
            ),
            what=f"{symbol} filled",
            status="all",
        )


def application(email: str) -> dict[str, Any]:
    """Return the reference's example application in another name and with a fresh e-mail."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "contact": {
            "email_address": email,
            "phone_number": "555-555-5555",
            "street_address": ["123 Main St"],
            "city": "San Francisco",
            "state": "CA",
            "postal_code": "94105",
            "country": "USA",
        },
        "identity": {
            "given_name": "John",
            "family_name": "Doe",
            "date_of_birth": "1990-01-01",
            "tax_id_type": "USA_SSN",
            "tax_id": "".join(["666", "55", str(1 + uuid4().int % 9_999).zfill(4)]),
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
            {"agreement": "customer_agreement", "signed_at": now, "ip_address": "127.0.0.1"}
        ],
    }
