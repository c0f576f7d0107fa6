"""Alpaca's Broker API, as far as accounts are concerned."""

import base64
from collections.abc import Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote

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
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.feeds import Feed
from core.vendors import alpaca

_VENDOR: Final = "alpaca"
_CONFLICT: Final = 409
_SECTIONS: Final = ("contact", "identity", "disclosures", "trusted_contact")
# What the checks have not accepted; "accept" and free text do not ask for anything.
_OPEN_RESULTS: Final = ("reject", "indeterminate")
# The broker has about twenty words for them; more than these would not fit into a notice.
_MOST_REQUIREMENTS: Final = 20
_LONGEST_ID: Final = 64
_LONGEST_NUMBER: Final = 32
_ABOUT_ANOTHER: Final = "The broker's answer is about another account."
_KEPT: Final = (
    "account_id",
    "at",
    "crypto_status_from",
    "crypto_status_to",
    "event_id",
    "event_ulid",
    "status_from",
    "status_to",
)


class AlpacaBrokerage:
    """See the port for what each method promises."""

    def open_account(self, application: Application) -> OpenedAccount:
        opened = self._write("POST", "/v1/accounts", application.as_body())
        if opened.email not in {"", application.email}:
            raise VendorUnclear(_VENDOR, _ABOUT_ANOTHER)
        return opened

    def change_account(
        self, broker_account_id: str, changes: Mapping[str, Mapping[str, Any]]
    ) -> OpenedAccount:
        body = {section: dict(values) for section, values in changes.items()}
        changed = self._write("PATCH", _path(broker_account_id), body)
        if changed.broker_account_id != broker_account_id:
            raise VendorUnclear(_VENDOR, _ABOUT_ANOTHER)
        return changed

    def find_by_email(self, email: str) -> list[OpenedAccount]:
        wanted = normal_email(email)
        params = {"query": wanted, "entities": "contact"}
        answer = alpaca.broker().read("/v1/accounts", params=params)
        if not isinstance(answer, list):
            _unavailable()
        try:
            found = [_account(entry) for entry in answer]
        except Unreadable:
            _unavailable()
        return [account for account in found if account.email == wanted]

    def get_account(self, broker_account_id: str) -> OpenedAccount:
        answer = alpaca.broker().read(_path(broker_account_id))
        try:
            account = _account(answer)
        except Unreadable:
            _unavailable()
        if account.broker_account_id != broker_account_id:
            raise VendorUnavailable(_VENDOR, _ABOUT_ANOTHER)
        return account

    def hand_in(self, broker_account_id: str, document: NewDocument) -> None:
        body = {
            "document_type": document.document_type,
            "content": base64.b64encode(document.content).decode(),
            "mime_type": document.mime_type,
        }
        if document.document_sub_type:
            body["document_sub_type"] = document.document_sub_type
        path = f"{_path(broker_account_id)}/documents/upload"
        alpaca.broker().write("POST", path, json=[body], is_personal=True)

    def list_statements(
        self, broker_account_id: str, filters: Mapping[str, str]
    ) -> list[Statement]:
        path = f"{_path(broker_account_id)}/documents"
        answer = alpaca.broker().read(path, params=dict(filters))
        if not isinstance(answer, list):
            _unavailable()
        return [_statement(entry) for entry in answer]

    def read_statement(self, broker_account_id: str, document_id: str) -> StatementFile:
        path = f"{_path(broker_account_id)}/documents/{quote(document_id, safe='')}/download"
        found = alpaca.broker().fetch(path)
        return StatementFile(found.mime_type, found.content)

    def status_feed(self) -> Feed:
        return alpaca.EventFeed("/v1/events/accounts/status", cursor="since_ulid", kept=_kept)

    def read_news(self, payload: Mapping[str, Any]) -> StatusNews:
        account_id, status = payload.get("account_id"), payload.get("status_to")
        if not isinstance(account_id, str) or not account_id:
            raise Unreadable("An account event names no account.")
        if not isinstance(status, str) or not status:
            raise Unreadable("An account event names no status.")
        results = payload.get("kyc_results")
        return StatusNews(
            account_id,
            status,
            alpaca.read_past(payload.get("at")),
            requirements=_requirements(results) if isinstance(results, dict) else None,
            crypto_status=_word(payload.get("crypto_status_to")),
        )

    def _write(self, method: str, path: str, body: Mapping[str, Any]) -> OpenedAccount:
        try:
            answer = alpaca.broker().write(method, path, json=body, is_personal=True)
        except VendorRejected as error:
            if error.http_status == _CONFLICT:
                raise _email_exists() from error
            raise
        try:
            return _account(answer)
        except Unreadable as error:
            raise VendorUnclear(_VENDOR, "The account in the answer is not readable.") from error


def _path(broker_account_id: str) -> str:
    return f"/v1/accounts/{quote(broker_account_id, safe='')}"


def _email_exists() -> VendorRejected:
    return VendorRejected(
        _VENDOR,
        "The broker already has an account with this e-mail address.",
        vendor_code=EMAIL_EXISTS,
        http_status=_CONFLICT,
    )


def _unavailable() -> NoReturn:
    raise VendorUnavailable(_VENDOR, "The broker's answer about accounts is not readable.")


def _account(answer: Any) -> OpenedAccount:
    account_id = _id(answer)
    if not account_id:
        raise Unreadable("An account without an id.")
    sections = {
        name: alpaca.as_text(answer[name])
        for name in _SECTIONS
        if isinstance(answer.get(name), dict)
    }
    sections.get("identity", {}).pop("tax_id", None)
    email = sections.get("contact", {}).get("email_address")
    documents = answer.get("documents")
    number = _word(answer.get("account_number"))
    return OpenedAccount(
        broker_account_id=account_id,
        account_number=number if len(number) <= _LONGEST_NUMBER else "",
        status=_word(answer.get("status")),
        created_at=alpaca.read_time(answer.get("created_at")),
        email=normal_email(email) if isinstance(email, str) else "",
        crypto_status=_word(answer.get("crypto_status")),
        requirements=_requirements(answer.get("kyc_results")),
        documents=tuple(map(_submitted, documents if isinstance(documents, list) else [])),
        sections=sections,
    )


def _requirements(results: Any) -> tuple[str, ...]:
    """List the checks that were not passed, in the vendor's words, which it may extend."""
    found: set[str] = set()
    for part in _OPEN_RESULTS if isinstance(results, dict) else ():
        entries = results.get(part)
        found.update(str(name)[:64] for name in (entries if isinstance(entries, dict) else ()))
    return tuple(sorted(found)[:_MOST_REQUIREMENTS])


def _kept(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what an event says in words: what the checks have found is about the person."""
    kept = {name: payload[name] for name in _KEPT if name in payload}
    results = payload.get("kyc_results")
    if isinstance(results, dict):
        kept["kyc_results"] = {
            part: {name: {} for name in results[part]}
            for part in _OPEN_RESULTS
            if isinstance(results.get(part), dict)
        }
    return kept


def _submitted(entry: Any) -> SubmittedDocument:
    entry = entry if isinstance(entry, dict) else {}
    return SubmittedDocument(
        document_id=_id(entry),
        document_type=str(entry.get("document_type") or ""),
        document_sub_type=str(entry.get("document_sub_type") or ""),
        created_at=alpaca.read_time(entry.get("created_at")),
    )


def _statement(entry: Any) -> Statement:
    if not isinstance(entry, dict) or not entry.get("id"):
        _unavailable()
    return Statement(
        document_id=str(entry["id"]),
        name=str(entry.get("name") or ""),
        type=str(entry.get("type") or ""),
        sub_type=str(entry.get("sub_type") or ""),
        date=str(entry.get("date") or ""),
    )


def _id(entry: Any) -> str:
    """Take the broker's id of something, or nothing when there is none that we could keep."""
    name = _word(entry.get("id")) if isinstance(entry, dict) else ""
    return name if len(name) <= _LONGEST_ID else ""


def _word(value: Any) -> str:
    """Take a text, or nothing for whatever else stands in its place."""
    return value if isinstance(value, str) else ""
