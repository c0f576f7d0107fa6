"""A broker and a link maker in memory, for tests of our own rules."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from core.errors import VendorError, VendorRejected, VendorUnavailable
from core.feeds import Feed
from funding.gateways import (
    RELATIONSHIP_EXISTS,
    BankAccount,
    FundingNews,
    Link,
    LinkedBank,
    MovedMoney,
    Payment,
)


class FakeFunds:
    """
    Links banks and moves money at once.

    `fails_before` and `fails_after` are raised once by the next write, before or after it has had
    its effect; `reading_fails` by every look until it is taken back.
    """

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self.banks: list[tuple[str, LinkedBank]] = []
        self.transfers: list[tuple[str, MovedMoney]] = []
        self.bank_accounts: list[BankAccount] = []
        self.payments: list[Payment] = []
        self.fails_before: VendorError | None = None
        self.fails_after: VendorError | None = None
        self.reading_fails: VendorError | None = None
        self.bank_status = "APPROVED"
        self.fee: Decimal | None = Decimal(0)
        self._clock = clock or (lambda: datetime.now(UTC))

    def link_bank(self, broker_account_id: str, bank: BankAccount) -> LinkedBank:
        self.bank_accounts.append(bank)
        self._raise_once("fails_before")
        if any(owner == broker_account_id for owner, _ in self.banks):
            raise VendorRejected("fake", "one only", vendor_code=RELATIONSHIP_EXISTS)
        linked = LinkedBank(str(uuid4()), self.bank_status, self._clock(), self._clock())
        self.banks.append((broker_account_id, linked))
        self._raise_once("fails_after")
        return linked

    def list_banks(self, broker_account_id: str) -> list[LinkedBank]:
        self._refuse_reading()
        return [bank for owner, bank in self.banks if owner == broker_account_id]

    def move_money(self, broker_account_id: str, payment: Payment) -> MovedMoney:
        self.payments.append(payment)
        self._raise_once("fails_before")
        moved = self.add_transfer(broker_account_id, payment)
        self._raise_once("fails_after")
        return moved

    def add_transfer(self, broker_account_id: str, payment: Payment) -> MovedMoney:
        """Let the broker have a transfer, as if somebody had asked for it."""
        now = self._clock()
        moved = MovedMoney(
            broker_transfer_id=str(uuid4()),
            broker_relationship_id=payment.broker_relationship_id,
            direction=payment.direction,
            amount=payment.amount,
            status="QUEUED",
            reason="",
            fee=self.fee,
            created_at=now,
            updated_at=now,
            expires_at=None,
        )
        self.transfers.append((broker_account_id, moved))
        return moved

    def settle(self, broker_transfer_id: str, status: str) -> None:
        """Let a transfer reach a status."""
        self.transfers = [
            (owner, replace(moved, status=status, updated_at=self._clock()))
            if moved.broker_transfer_id == broker_transfer_id
            else (owner, moved)
            for owner, moved in self.transfers
        ]

    def list_transfers(
        self, broker_account_id: str, *, direction: str | None = None
    ) -> list[MovedMoney]:
        self._refuse_reading()
        return [
            moved
            for owner, moved in self.transfers
            if owner == broker_account_id and direction in {None, moved.direction}
        ]

    def feed(self) -> Feed:
        raise VendorUnavailable("fake", "This broker has no streams.")

    def read_news(self, payload: Mapping[str, Any]) -> FundingNews | None:
        if payload.get("kind") not in {FundingNews.TRANSFER, FundingNews.RELATIONSHIP}:
            return None
        at = datetime.fromisoformat(payload["at"]) if payload.get("at") else None
        return FundingNews(payload["kind"], payload["id"], payload["status"], "", at)

    def _raise_once(self, name: str) -> None:
        error = getattr(self, name)
        setattr(self, name, None)
        if error is not None:
            raise error

    def _refuse_reading(self) -> None:
        if self.reading_fails is not None:
            raise self.reading_fails


class FakeLinks:
    """Remembers for whom it made links."""

    def __init__(self) -> None:
        self.made: list[dict[str, str]] = []

    def create_link(self, *, customer: str, email: str, redirect_uri: str) -> Link:
        self.made.append({"customer": customer, "email": email, "redirect_uri": redirect_uri})
        return Link(token=f"link-{len(self.made)}", url=f"https://link.example/{len(self.made)}")
