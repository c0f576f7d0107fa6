"""What funding needs from others: banks linked and money moved by the broker, links by Plaid."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol, Self

from core.feeds import Feed
from funding.gateways.sign_in import (
    ITEM_GONE,
    PAGE_GONE,
    BankSignIn,
    ItemFacts,
    Login,
    Page,
    PageRequest,
    ProcessorToken,
    Progress,
    SeenAccount,
    SignedIn,
    WebhookKey,
)

# Our own words for what a broker refuses; an adapter puts them into `VendorRejected.vendor_code`.
RELATIONSHIP_EXISTS: Final = "RELATIONSHIP_EXISTS"


@dataclass(frozen=True)
class BankAccount:
    """A customer's account at a bank; number and name are secret."""

    owner_name: str = field(repr=False)
    account_type: str
    number: str = field(repr=False)
    routing_number: str = field(repr=False)
    nickname: str = field(default="", repr=False)

    def to_bytes(self) -> bytes:
        """Write it down, to be sealed."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls(**json.loads(plain))


@dataclass(frozen=True)
class LinkedBank:
    """A bank as the broker has it on record for an account."""

    broker_relationship_id: str
    status: str
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True)
class Payment:
    """Money that is to move between an account and its bank."""

    broker_relationship_id: str
    direction: str
    amount: Decimal


@dataclass(frozen=True)
class MovedMoney:
    """A transfer as the broker shows it; `amount` is what was asked for."""

    broker_transfer_id: str
    broker_relationship_id: str
    direction: str
    amount: Decimal
    status: str
    reason: str
    fee: Decimal | None
    created_at: datetime | None
    updated_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True)
class FundingNews:
    """The broker says that a transfer or a linked bank has another status."""

    TRANSFER = "transfer"
    RELATIONSHIP = "relationship"

    kind: str
    vendor_id: str
    status: str
    reason: str
    at: datetime | None


class Unreadable(ValueError):
    """A vendor wrote something that is not what it promised."""


class Funds(Protocol):
    """The broker, as far as money in and out is concerned."""

    def link_bank(self, broker_account_id: str, bank: BankAccount | ProcessorToken) -> LinkedBank:
        """
        Link a bank to an account once.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: the broker said no; `RELATIONSHIP_EXISTS` for a second bank.
        :raises VendorUnclear: it may have arrived; only reading can tell.
        """
        ...

    def list_banks(self, broker_account_id: str) -> list[LinkedBank]:
        """
        List the banks of an account.

        :raises VendorError: the broker could not be read.
        """
        ...

    def remove_bank(self, broker_account_id: str, broker_relationship_id: str) -> bool:
        """
        Take a bank off an account; false when the broker says that there is none such.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: the broker said no, such as while money moves through it.
        :raises VendorUnclear: it may have arrived; repeating it is harmless.
        """
        ...

    def move_money(self, broker_account_id: str, payment: Payment) -> MovedMoney:
        """
        Ask for a transfer once; the broker knows no key of ours, so a second call moves twice.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: the broker said no.
        :raises VendorUnclear: it may have arrived; only reading can tell.
        """
        ...

    def cancel_transfer(self, broker_account_id: str, broker_transfer_id: str) -> None:
        """
        Stop a transfer that has not left yet; repeating it is harmless.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: there is none such, it has left, or it is canceled already.
        :raises VendorUnclear: it may have arrived; only reading can tell.
        """
        ...

    def list_transfers(
        self, broker_account_id: str, *, direction: str | None = None
    ) -> list[MovedMoney]:
        """
        List every transfer of an account.

        :raises VendorError: the broker could not be read.
        """
        ...

    def feed(self) -> Feed:
        """Return the stream of funding events."""
        ...

    def read_news(self, payload: Mapping[str, Any]) -> FundingNews | None:
        """
        Read one event of the stream, or return nothing when it is about something else.

        :raises Unreadable: it is about a transfer or a bank and cannot be read.
        """
        ...


_funds_in_use: list[Funds] = []
_sign_ins_in_use: list[BankSignIn] = []


def get_funds() -> Funds:
    """Return the broker: Alpaca, or what a test has put in its place."""
    if _funds_in_use:
        return _funds_in_use[-1]
    from funding.gateways.alpaca import AlpacaFunds  # noqa: PLC0415 - it imports this port

    return AlpacaFunds()


def get_bank_sign_in() -> BankSignIn:
    """Return Plaid, or what a test has put in its place."""
    if _sign_ins_in_use:
        return _sign_ins_in_use[-1]
    from funding.gateways.plaid import Plaid  # noqa: PLC0415 - it imports this port

    return Plaid()


@contextmanager
def use(*, funds: Funds, links: BankSignIn) -> Iterator[None]:
    """Let these stand in for the real vendors, in all threads, until the block ends."""
    _funds_in_use.append(funds)
    _sign_ins_in_use.append(links)
    try:
        yield
    finally:
        _funds_in_use.remove(funds)
        _sign_ins_in_use.remove(links)


__all__ = [
    "ITEM_GONE",
    "PAGE_GONE",
    "RELATIONSHIP_EXISTS",
    "BankAccount",
    "BankSignIn",
    "FundingNews",
    "Funds",
    "ItemFacts",
    "LinkedBank",
    "Login",
    "MovedMoney",
    "Page",
    "PageRequest",
    "Payment",
    "ProcessorToken",
    "Progress",
    "SeenAccount",
    "SignedIn",
    "Unreadable",
    "WebhookKey",
    "get_bank_sign_in",
    "get_funds",
    "use",
]
