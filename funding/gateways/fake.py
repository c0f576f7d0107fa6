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
    LinkedBank,
    MovedMoney,
    Payment,
    ProcessorToken,
)
from funding.gateways.fake_sign_in import FakeLinks

_CANCELABLE = frozenset({"QUEUED", "APPROVAL_PENDING", "PENDING"})


class FakeFunds:
    """
    Links banks and moves money at once.

    `fails_before` and `fails_after` are raised once by the next write, before or after it has had
    its effect; `reading_fails` by every look until it is taken back.
    """

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self.banks: list[tuple[str, LinkedBank]] = []
        self.transfers: list[tuple[str, MovedMoney]] = []
        self.bank_accounts: list[BankAccount | ProcessorToken] = []
        self.removed_banks: list[str] = []
        self.payments: list[Payment] = []
        self.cancellations: list[str] = []
        self.fails_before: VendorError | None = None
        self.fails_after: VendorError | None = None
        self.reading_fails: VendorError | None = None
        self.bank_status = "APPROVED"
        self.first_status = "QUEUED"
        self.fee: Decimal | None = Decimal(0)
        self._clock = clock or (lambda: datetime.now(UTC))

    def link_bank(self, broker_account_id: str, bank: BankAccount | ProcessorToken) -> LinkedBank:
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

    def remove_bank(self, broker_account_id: str, broker_relationship_id: str) -> bool:
        self.removed_banks.append(broker_relationship_id)
        self._raise_once("fails_before")
        named = (broker_account_id, broker_relationship_id)
        left = [each for each in self.banks if (each[0], each[1].broker_relationship_id) != named]
        was_there, self.banks = len(left) < len(self.banks), left
        self._raise_once("fails_after")
        return was_there

    def move_money(self, broker_account_id: str, payment: Payment) -> MovedMoney:
        self.payments.append(payment)
        self._raise_once("fails_before")
        moved = self.add_transfer(broker_account_id, payment)
        self._raise_once("fails_after")
        return moved

    def cancel_transfer(self, broker_account_id: str, broker_transfer_id: str) -> None:
        self.cancellations.append(broker_transfer_id)
        self._raise_once("fails_before")
        theirs = [moved for owner, moved in self.transfers if owner == broker_account_id]
        for moved in theirs:
            if moved.broker_transfer_id == broker_transfer_id and moved.status in _CANCELABLE:
                self.settle(broker_transfer_id, "CANCELED")
                break
        else:
            raise VendorRejected("fake", "transfer is not cancelable", http_status=422)
        self._raise_once("fails_after")

    def add_transfer(self, broker_account_id: str, payment: Payment) -> MovedMoney:
        """Let the broker have a transfer, as if somebody had asked for it."""
        now = self._clock()
        moved = MovedMoney(
            broker_transfer_id=str(uuid4()),
            broker_relationship_id=payment.broker_relationship_id,
            direction=payment.direction,
            amount=payment.amount,
            status=self.first_status,
            reason="",
            fee=self.fee,
            created_at=now,
            updated_at=now,
            expires_at=None,
        )
        self.transfers.append((broker_account_id, moved))
        return moved

    def settle(self, broker_transfer_id: str, status: str, reason: str = "") -> None:
        """Let a transfer reach a status."""
        self.transfers = [
            (owner, replace(moved, status=status, reason=reason, updated_at=self._clock()))
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


__all__ = ["FakeFunds", "FakeLinks"]
