"""A vendor of bank sign-ins in memory, for tests of our own rules."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from core.errors import VendorError, VendorRejected
from funding.gateways.sign_in import (
    ITEM_GONE,
    PAGE_GONE,
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

CHECKING: Final = ("checking", "0000")
SAVINGS: Final = ("savings", "1111")
INSTITUTION: Final = "ins_109508"


@dataclass
class _Session:
    wanted: PageRequest
    finished: bool = False
    signed_in: SignedIn | None = None


@dataclass
class _Item:
    item_id: str
    institution_id: str
    accounts: tuple[SeenAccount, ...]
    error_code: str = ""
    is_gone: bool = False
    public_tokens: set[str] = field(default_factory=set, repr=False)


class FakeLinks:
    """
    Makes pages, and lets a test finish them as a customer would.

    `fails_before` and `fails_after` name a method and what its next call raises once, before or
    after it has had its effect; an exception that is no vendor's stands for a process that dies.
    """

    def __init__(self) -> None:
        self.made: list[PageRequest] = []
        self.calls: list[str] = []
        self.keys: dict[str, WebhookKey] = {}
        self.pages: dict[str, _Session] = {}
        self.items: dict[str, _Item] = {}
        self.fails_before: dict[str, BaseException] = {}
        self.fails_after: dict[str, BaseException] = {}
        self.reading_fails: VendorError | None = None

    # What a test does in the customer's place

    def finish(
        self,
        page_token: str,
        *,
        institution_id: str = INSTITUTION,
        accounts: tuple[tuple[str, str], ...] = (CHECKING, SAVINGS),
    ) -> str:
        """Sign in on a page, and return the public token that came of it."""
        session = self.pages[page_token]
        session.finished = True
        if session.wanted.access_token:
            self._item(session.wanted.access_token).error_code = ""
            return ""
        item = self._new_item(institution_id, accounts)
        public_token = self._public_token(item)
        session.signed_in = SignedIn(public_token, institution_id, "First Platypus", item.accounts)
        return public_token

    def sign_in(
        self,
        *,
        institution_id: str = INSTITUTION,
        accounts: tuple[tuple[str, str], ...] = (CHECKING, SAVINGS),
    ) -> str:
        """Sign in without any page of ours, and return the public token."""
        return self._public_token(self._new_item(institution_id, accounts))

    def only_item(self) -> "_Item":
        """Return the one item there is."""
        (item,) = self.items.values()
        return item

    def _new_item(self, institution_id: str, accounts: tuple[tuple[str, str], ...]) -> "_Item":
        seen = tuple(SeenAccount(uuid4().hex, mask, kind) for kind, mask in accounts)
        item = _Item(f"item-{uuid4().hex}", institution_id, seen)
        self.items[f"access-{item.item_id}"] = item
        return item

    def _public_token(self, item: "_Item") -> str:
        token = f"public-{uuid4().hex}"
        item.public_tokens.add(token)
        return token

    # The port

    def create_page(self, wanted: PageRequest) -> Page:
        self._begin("create_page")
        self.made.append(wanted)
        token = f"link-{len(self.made)}-{uuid4().hex}"
        self.pages[token] = _Session(wanted)
        expires_at = datetime.now(UTC) + timedelta(hours=4)
        return Page(token, f"https://link.example/{len(self.made)}", expires_at)

    def read_progress(self, page_token: str) -> Progress:
        self._begin("read_progress", reads=True)
        if page_token not in self.pages:
            raise VendorRejected("fake", "no such page", vendor_code=PAGE_GONE)
        session = self.pages[page_token]
        return Progress(is_finished=session.finished, signed_in=session.signed_in)

    def exchange(self, public_token: str) -> Login:
        self._begin("exchange")
        for access_token, item in self.items.items():
            if public_token in item.public_tokens:
                item.public_tokens.remove(public_token)
                self._end("exchange")
                return Login(item.item_id, access_token)
        raise VendorRejected("fake", "unknown", vendor_code="INVALID_PUBLIC_TOKEN")

    def read_item(self, access_token: str) -> ItemFacts:
        self._begin("read_item", reads=True)
        item = self._item(access_token)
        return ItemFacts(item.institution_id, "First Platypus", item.error_code, None)

    def list_accounts(self, access_token: str) -> tuple[SeenAccount, ...]:
        self._begin("list_accounts", reads=True)
        return self._item(access_token).accounts

    def make_processor_token(self, access_token: str, account_id: str) -> ProcessorToken:
        self._begin("make_processor_token", reads=True)
        if all(account.id != account_id for account in self._item(access_token).accounts):
            raise VendorRejected("fake", "unknown", vendor_code="INVALID_ACCOUNT_ID")
        self._end("make_processor_token")
        return ProcessorToken(f"processor-{account_id}")

    def remove_item(self, access_token: str) -> None:
        self._begin("remove_item")
        self._item(access_token).is_gone = True
        self._end("remove_item")

    def find_webhook_key(self, key_id: str) -> WebhookKey | None:
        self._begin("find_webhook_key", reads=True)
        return self.keys.get(key_id)

    def _item(self, access_token: str) -> "_Item":
        item = self.items.get(access_token)
        if item is None or item.is_gone:
            raise VendorRejected("fake", "no such item", vendor_code=ITEM_GONE)
        return item

    def _begin(self, method: str, *, reads: bool = False) -> None:
        self.calls.append(method)
        if reads and self.reading_fails is not None:
            raise self.reading_fails
        self._raise_once(self.fails_before, method)

    def _end(self, method: str) -> None:
        self._raise_once(self.fails_after, method)

    def _raise_once(self, planned: dict[str, BaseException], method: str) -> None:
        error = planned.pop(method, None)
        if error is not None:
            raise error
