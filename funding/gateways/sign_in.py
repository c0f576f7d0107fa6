"""The port to whoever lets customers sign in to their bank, in funding's own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol, Self

# Our own words for a clear no; an adapter puts them into `VendorRejected.vendor_code`.
ITEM_GONE: Final = "ITEM_GONE"
PAGE_GONE: Final = "PAGE_GONE"


@dataclass(frozen=True)
class PageRequest:
    """For whom a page is made; with an access token it mends the sign-in behind that."""

    customer: str
    redirect_uri: str
    email: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Page:
    """A page on which the customer signs in to a bank."""

    token: str = field(repr=False)
    url: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True)
class SeenAccount:
    """One account behind a sign-in: its last digits and its kind, never its number."""

    id: str
    mask: str
    kind: str

    def to_json(self) -> dict[str, str]:
        """Write it as an item keeps it."""
        return {"id": self.id, "mask": self.mask, "kind": self.kind}

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> Self:
        """Read what `to_json` wrote."""
        return cls(id=kept["id"], mask=kept["mask"], kind=kept["kind"])


@dataclass(frozen=True)
class SignedIn:
    """What came of a page: the token that is good for one exchange, and what was chosen."""

    public_token: str = field(repr=False)
    institution_id: str
    institution_name: str
    accounts: tuple[SeenAccount, ...]


@dataclass(frozen=True)
class Progress:
    """How far a customer has come with a page."""

    is_finished: bool
    signed_in: SignedIn | None


@dataclass(frozen=True)
class Login:
    """A lasting sign-in, and the token that opens it."""

    item_id: str
    access_token: str = field(repr=False)


@dataclass(frozen=True)
class ItemFacts:
    """What is known of a sign-in; `error_code` is empty while it works."""

    institution_id: str
    institution_name: str
    error_code: str
    consent_expires_at: datetime | None


@dataclass(frozen=True)
class ProcessorToken:
    """What lets the broker reach one bank account without our learning its number."""

    token: str = field(repr=False)

    def to_bytes(self) -> bytes:
        """Write it down, to be sealed."""
        return self.token.encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls(plain.decode())


@dataclass(frozen=True)
class WebhookKey:
    """A public key with which webhooks are signed."""

    jwk: Mapping[str, Any]
    expired_at: datetime | None


class BankSignIn(Protocol):
    """Whoever lets customers sign in to their bank."""

    def create_page(self, wanted: PageRequest) -> Page:
        """
        Make a page for one customer that leads back to the redirect.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        :raises VendorRejected: a clear no.
        """
        ...

    def read_progress(self, page_token: str) -> Progress:
        """
        Say how far the customer has come with a page.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        :raises VendorRejected: a clear no; `PAGE_GONE` for a page that is no more.
        """
        ...

    def exchange(self, public_token: str) -> Login:
        """
        Trade what came of a page for a lasting sign-in, once.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: a clear no.
        :raises VendorUnclear: the token may be spent, and then its sign-in is lost.
        """
        ...

    def read_item(self, access_token: str) -> ItemFacts:
        """
        Say whether a sign-in works, and at which institution it is.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        :raises VendorRejected: a clear no; `ITEM_GONE` when it is known no more.
        """
        ...

    def list_accounts(self, access_token: str) -> tuple[SeenAccount, ...]:
        """
        List the accounts behind a sign-in, without their balances.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        :raises VendorRejected: a clear no.
        """
        ...

    def make_processor_token(self, access_token: str, account_id: str) -> ProcessorToken:
        """
        Make what lets the broker reach one account.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        :raises VendorRejected: a clear no.
        """
        ...

    def remove_item(self, access_token: str) -> None:
        """
        Give a sign-in up for good.

        :raises VendorUnavailable: it certainly did not arrive.
        :raises VendorRejected: a clear no; `ITEM_GONE` when that was done before.
        :raises VendorUnclear: it may be gone; asking again tells.
        """
        ...

    def find_webhook_key(self, key_id: str) -> WebhookKey | None:
        """
        Fetch the key of this name, or return nothing when there is none.

        :raises VendorUnavailable: no usable answer; asking again is harmless.
        """
        ...
