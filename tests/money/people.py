"""Customers with an account, a bank and money, who came to them the ordinary way."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from accounts import services as accounts
from accounts.tests.factories import application, customer
from funding.services import bank_upkeep, relationships
from funding.tests.factories import BANK


@dataclass(frozen=True)
class Person:
    """Somebody as an HTTP client knows them."""

    user_id: str
    headers: dict[str, str]
    account: Any
    bank_id: str

    def transfer(self, amount: Any, **more: Any) -> dict[str, Any]:
        """Write the body of a transfer."""
        return {
            "accountId": str(self.account.pk),
            "relationshipId": self.bank_id,
            "amount": amount,
            **more,
        }

    def trade(self, **more: Any) -> dict[str, Any]:
        """Write the body of an order."""
        return {"account_id": str(self.account.pk), "ticker": "AAPL", "side": "BUY", **more}


def open_account(sandbox: Any, issuer: Any, user_id: str, *, cash: str = "100000") -> Person:
    """Open and fund an account at the sandbox, and link a bank to it."""
    principal, at = customer(user_id), datetime.now(UTC)
    account = accounts.open_account(
        principal=principal, application=application(), request=None, at=at
    )
    sandbox.advance(5)
    account = accounts.refresh_account(principal=principal, account_id=account.pk)
    seed = {"cash": cash, "months": 1}
    sandbox.control("POST", f"/accounts/{account.broker_account_id}/seed", seed)
    bank = relationships.link_bank(
        principal=principal, account_id=account.pk, bank=BANK, request=None, at=at
    )
    sandbox.advance(10)
    bank_upkeep.refresh_relationships(at=datetime.now(UTC))
    headers = {"Authorization": f"Bearer {issuer.token(sub=user_id)}"}
    return Person(user_id, headers, account, str(bank.pk))
