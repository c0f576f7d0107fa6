"""A broker in memory, for tests of our own rules."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from accounts.gateways import (
    EMAIL_EXISTS,
    Application,
    NewDocument,
    OpenedAccount,
    Statement,
    StatementFile,
    StatusNews,
    SubmittedDocument,
    Unreadable,
    normal_email,
)
from core.errors import VendorError, VendorRejected, VendorUnavailable
from core.feeds import Feed


class FakeBrokerage:
    """
    Opens accounts at once.

    `fails_before` and `fails_after` are raised once by the next submission, before or after the
    account has come into being; `reading_fails` by every look until it is taken back.
    """

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self.accounts: dict[str, OpenedAccount] = {}
        self.applications: list[Application] = []
        self.changes: list[Mapping[str, Mapping[str, Any]]] = []
        self.handed_in: list[NewDocument] = []
        self.statements: list[Statement] = []
        self.fails_before: VendorError | None = None
        self.fails_after: VendorError | None = None
        self.reading_fails: VendorError | None = None
        self.first_status = "SUBMITTED"
        self._clock = clock or (lambda: datetime.now(UTC))

    def open_account(self, application: Application) -> OpenedAccount:
        self.applications.append(application)
        self._raise_once("fails_before")
        if any(account.email == application.email for account in self.accounts.values()):
            raise VendorRejected("fake", "taken", vendor_code=EMAIL_EXISTS, http_status=409)
        account = OpenedAccount(
            broker_account_id=str(uuid4()),
            account_number=f"9{len(self.accounts):08}",
            status=self.first_status,
            created_at=self._clock(),
            email=application.email,
            sections={"contact": application.contact, "identity": application.identity},
        )
        self.accounts[account.broker_account_id] = account
        self._raise_once("fails_after")
        return account

    def change_account(
        self, broker_account_id: str, changes: Mapping[str, Mapping[str, Any]]
    ) -> OpenedAccount:
        self.changes.append(changes)
        self._raise_once("fails_before")
        account = self._known(broker_account_id)
        email = normal_email(changes.get("contact", {}).get("email_address", account.email))
        others = {a.email for a in self.accounts.values() if a is not account}
        if email in others:
            raise VendorRejected("fake", "taken", vendor_code=EMAIL_EXISTS, http_status=409)
        sections = dict(account.sections)
        for name, values in changes.items():
            sections[name] = {**sections.get(name, {}), **values}
        account = replace(account, email=email, sections=sections)
        self.accounts[broker_account_id] = account
        self._raise_once("fails_after")
        return account

    def hand_in(self, broker_account_id: str, document: NewDocument) -> None:
        self.handed_in.append(document)
        self._raise_once("fails_before")
        account = self._known(broker_account_id)
        kept = SubmittedDocument(
            str(uuid4()), document.document_type, document.document_sub_type, self._clock()
        )
        self.accounts[broker_account_id] = replace(account, documents=(*account.documents, kept))
        self._raise_once("fails_after")

    def list_statements(
        self, broker_account_id: str, filters: Mapping[str, str]
    ) -> list[Statement]:
        self._refuse_reading()
        self._known(broker_account_id)
        wanted = filters.get("type")
        return [found for found in self.statements if wanted in {None, found.type}]

    def read_statement(self, broker_account_id: str, document_id: str) -> StatementFile:
        self._refuse_reading()
        self._known(broker_account_id)
        if all(found.document_id != document_id for found in self.statements):
            raise VendorRejected("fake", "not found", http_status=404)
        return StatementFile("application/pdf", b"%PDF-1.4 " + document_id.encode())

    def find_by_email(self, email: str) -> list[OpenedAccount]:
        self._refuse_reading()
        return [a for a in self.accounts.values() if a.email == normal_email(email)]

    def get_account(self, broker_account_id: str) -> OpenedAccount:
        self._refuse_reading()
        return self._known(broker_account_id)

    def status_feed(self) -> Feed:
        raise VendorUnavailable("fake", "This broker has no streams.")

    def read_news(self, payload: Mapping[str, Any]) -> StatusNews:
        if not payload.get("account_id") or not payload.get("status_to"):
            raise Unreadable("Not a status event.")
        at = datetime.fromisoformat(payload["at"]) if payload.get("at") else None
        wanted = payload.get("requirements")
        return StatusNews(
            payload["account_id"],
            payload["status_to"],
            at,
            requirements=None if wanted is None else tuple(wanted),
        )

    def _known(self, broker_account_id: str) -> OpenedAccount:
        if broker_account_id not in self.accounts:
            raise VendorRejected("fake", "not found", http_status=404)
        return self.accounts[broker_account_id]

    def _raise_once(self, name: str) -> None:
        error = getattr(self, name)
        setattr(self, name, None)
        if error is not None:
            raise error

    def _refuse_reading(self) -> None:
        if self.reading_fails is not None:
            raise self.reading_fails
