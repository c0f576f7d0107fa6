"""What accounts need from a broker: opening an account, finding it again, news of its status."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol, Self

from core.feeds import Feed

# Our own words for what a broker refuses; an adapter puts them into `VendorRejected.vendor_code`.
EMAIL_EXISTS: Final = "EMAIL_EXISTS"
_OWN_SECTIONS: Final = ("contact", "identity", "disclosures", "agreements")


@dataclass(frozen=True)
class Application:
    """
    Everything a person says to open an account; it is secret as a whole.

    `more` holds the broker's optional sections that were given: `trusted_contact`, `documents`,
    `account_type`, `account_sub_type`, `enabled_assets`, `additional_information`.
    """

    contact: Mapping[str, Any] = field(repr=False)
    identity: Mapping[str, Any] = field(repr=False)
    disclosures: Mapping[str, Any] = field(repr=False)
    agreements: Sequence[Mapping[str, Any]] = field(repr=False)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_bytes(self) -> bytes:
        """Write it down, to be sealed."""
        return json.dumps(self.as_body()).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        body = json.loads(plain)
        own = {name: body.pop(name) for name in _OWN_SECTIONS}
        return cls(**own, more=body)

    def as_body(self) -> dict[str, Any]:
        """Show the sections under the names that both the reference and the broker use."""
        return {
            "contact": dict(self.contact),
            "identity": dict(self.identity),
            "disclosures": dict(self.disclosures),
            "agreements": [dict(agreement) for agreement in self.agreements],
            **self.more,
        }

    @property
    def email(self) -> str:
        """The e-mail address as it is compared: without case and surrounding space."""
        return normal_email(self.contact["email_address"])


@dataclass(frozen=True)
class SubmittedDocument:
    """A document that the broker has got from us for an account."""

    document_id: str
    document_type: str
    document_sub_type: str
    created_at: datetime | None


@dataclass(frozen=True)
class OpenedAccount:
    """
    An account as the broker shows it.

    `requirements` are the broker's words for what it still wants to see. `sections` are the
    person's `contact`, `identity` (without tax id), `disclosures` and `trusted_contact`, as far
    as the broker shows them.
    """

    broker_account_id: str
    account_number: str
    status: str
    created_at: datetime | None
    email: str = field(default="", repr=False)
    crypto_status: str = ""
    requirements: tuple[str, ...] = ()
    documents: tuple[SubmittedDocument, ...] = ()
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class StatusNews:
    """The broker says that an account has another status, and what it wants to see now."""

    broker_account_id: str
    status: str
    at: datetime | None
    requirements: tuple[str, ...] | None = None
    crypto_status: str = ""


@dataclass(frozen=True)
class NewDocument:
    """A document to hand in; `content` is the file itself."""

    document_type: str
    document_sub_type: str
    mime_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Statement:
    """A document that the broker has written: a statement, a confirmation, a tax form."""

    document_id: str
    name: str
    type: str
    sub_type: str
    date: str


@dataclass(frozen=True)
class StatementFile:
    """Its content."""

    mime_type: str
    content: bytes = field(repr=False)


class Unreadable(ValueError):
    """The broker wrote something that is not what it promised."""


class Brokerage(Protocol):
    """The broker, as far as accounts are concerned."""

    def open_account(self, application: Application) -> OpenedAccount:
        """
        Submit the application once.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: the broker said no; `EMAIL_EXISTS` when the address is taken.
        :raises VendorUnclear: it may have arrived; only reading can tell.
        """
        ...

    def find_by_email(self, email: str) -> list[OpenedAccount]:
        """
        List the accounts with exactly this e-mail address.

        :raises VendorError: the broker could not be read.
        """
        ...

    def get_account(self, broker_account_id: str) -> OpenedAccount:
        """
        Read one account.

        :raises VendorError: the broker could not be read, or does not know the account.
        """
        ...

    def change_account(
        self, broker_account_id: str, changes: Mapping[str, Mapping[str, Any]]
    ) -> OpenedAccount:
        """
        Set the given fields of the given sections; setting them again changes nothing more.

        :raises VendorUnavailable: nothing was changed.
        :raises VendorRejected: the broker said no; `EMAIL_EXISTS` when the address is taken.
        :raises VendorUnclear: they may have been set; only reading can tell.
        """
        ...

    def hand_in(self, broker_account_id: str, document: NewDocument) -> None:
        """
        Hand in one document.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: the broker said no.
        :raises VendorUnclear: it may have arrived; only reading can tell.
        """
        ...

    def list_statements(
        self, broker_account_id: str, filters: Mapping[str, str]
    ) -> list[Statement]:
        """
        List what the broker has written, filtered by `start`, `end` (dates) and `type`.

        :raises VendorError: the broker could not be read, or refuses the filter.
        """
        ...

    def read_statement(self, broker_account_id: str, document_id: str) -> StatementFile:
        """
        Fetch the content of one of them.

        :raises VendorRejected: there is no such document of this account.
        :raises VendorUnavailable: the broker could not be read.
        """
        ...

    def status_feed(self) -> Feed:
        """Return the stream of status events."""
        ...

    def read_news(self, payload: Mapping[str, Any]) -> StatusNews:
        """
        Read one event of the stream.

        :raises Unreadable: it is not a status event.
        """
        ...


def normal_email(text: str) -> str:
    """Write an e-mail address as it is compared."""
    return text.strip().casefold()


_in_use: list[Brokerage] = []


def get_brokerage() -> Brokerage:
    """Return the broker: Alpaca, or what a test has put in its place."""
    if _in_use:
        return _in_use[-1]
    from accounts.gateways.alpaca import AlpacaBrokerage  # noqa: PLC0415 - it imports this port

    return AlpacaBrokerage()


@contextmanager
def use(brokerage: Brokerage) -> Iterator[None]:
    """Let this broker stand in for the real one, in all threads, until the block ends."""
    _in_use.append(brokerage)
    try:
        yield
    finally:
        _in_use.remove(brokerage)
