"""Alpaca's Broker API, as far as accounts are concerned."""

import base64
from collections.abc import Mapping
from datetime import datetime
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
        return self._write("POST", "/v1/accounts", application.as_body())

    def change_account(
        self, broker_account_id: str, changes: Mapping[str, Mapping[str, Any]]
    ) -> OpenedAccount:
        body = {section: dict(values) for section, values in changes.items()}
        return self._write("PATCH", _path(broker_account_id), body)

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
            return _account(answer)
        except Unreadable:
            _unavailable()

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
            _time(payload.get("at")),
            requirements=_requirements(results) if isinstance(results, dict) else None,
            crypto_status=str(payload.get("crypto_status_to") or ""),
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
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str) or not answer["id"]:
        raise Unreadable("An account without an id.")
    sections = {
        name: dict(answer[name]) for name in _SECTIONS if isinstance(answer.get(name), dict)
    }
    sections.get("identity", {}).pop("tax_id", None)
    email = sections.get("contact", {}).get("email_address")
    documents = answer.get("documents")
    return OpenedAccount(
        broker_account_id=answer["id"],
        account_number=str(answer.get("account_number") or ""),
        status=str(answer.get("status") or ""),
        created_at=_time(answer.get("created_at")),
        email=normal_email(email) if isinstance(email, str) else "",
        crypto_status=str(answer.get("crypto_status") or ""),
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
    return tuple(sorted(found))


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
        document_id=str(entry.get("id") or ""),
        document_type=str(entry.get("document_type") or ""),
        document_sub_type=str(entry.get("document_sub_type") or ""),
        created_at=_time(entry.get("created_at")),
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


def _time(text: Any) -> datetime | None:
    """Read a time; one that cannot be read is as good as none."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None
