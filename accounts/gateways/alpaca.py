"""Alpaca's Broker API, as far as accounts are concerned."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

from accounts.gateways import (
    EMAIL_EXISTS,
    Application,
    OpenedAccount,
    StatusNews,
    Unreadable,
    normal_email,
)
from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.feeds import Feed
from core.vendors import alpaca

_VENDOR: Final = "alpaca"
_CONFLICT: Final = 409


class AlpacaBrokerage:
    """See the port for what each method promises."""

    def open_account(self, application: Application) -> OpenedAccount:
        try:
            answer = alpaca.broker().write("POST", "/v1/accounts", json=application.as_body())
        except VendorRejected as error:
            if error.http_status == _CONFLICT:
                raise _email_exists() from error
            raise
        try:
            return _account(answer)
        except Unreadable as error:
            raise VendorUnclear(_VENDOR, "The account in the answer is not readable.") from error

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
        answer = alpaca.broker().read(f"/v1/accounts/{broker_account_id}")
        try:
            return _account(answer)
        except Unreadable:
            _unavailable()

    def status_feed(self) -> Feed:
        return alpaca.EventFeed("/v1/events/accounts/status", cursor="since_ulid")

    def read_news(self, payload: Mapping[str, Any]) -> StatusNews:
        account_id, status = payload.get("account_id"), payload.get("status_to")
        if not isinstance(account_id, str) or not account_id:
            raise Unreadable("An account event names no account.")
        if not isinstance(status, str) or not status:
            raise Unreadable("An account event names no status.")
        return StatusNews(account_id, status, _time(payload.get("at")))


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
    contact = answer.get("contact")
    email = contact.get("email_address") if isinstance(contact, dict) else None
    return OpenedAccount(
        broker_account_id=answer["id"],
        account_number=str(answer.get("account_number") or ""),
        status=str(answer.get("status") or ""),
        created_at=_time(answer.get("created_at")),
        email=normal_email(email) if isinstance(email, str) else "",
    )


def _time(text: Any) -> datetime | None:
    """Read a time; one that cannot be read is as good as none."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None
