"""Plaid's API: hosted Link, items, processor tokens and the keys of webhooks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import structlog
from django.conf import settings

from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.vendors.transport import Transport, Vendor, transport_for
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

logger = structlog.get_logger()
_VENDOR: Final = "plaid"
_VERSION: Final = "2020-09-14"
_PROCESSOR: Final = "alpaca"
_LONGEST: Final = 100
_LONGEST_ID: Final = 64
_LONG_AGO: Final = datetime.fromtimestamp(0, tz=UTC)
# Plaid's words for what it knows no more, put into ours.
_OUR_WORDS: Final = {
    "ITEM_NOT_FOUND": ITEM_GONE,
    "INVALID_ACCESS_TOKEN": ITEM_GONE,
    "INVALID_LINK_TOKEN": PAGE_GONE,
}
_NOT_NOW: Final = frozenset(
    {
        "INVALID_API_KEYS",
        "UNAUTHORIZED_ENVIRONMENT",
        "PLANNED_MAINTENANCE",
        "INSTITUTION_DOWN",
        "INSTITUTION_NOT_RESPONDING",
        "PRODUCT_NOT_READY",
    }
)
_NO_SUCH_KEY: Final = frozenset({"INVALID_WEBHOOK_VERIFICATION_KEY_ID", "INVALID_FIELD"})


class Plaid:
    """See the port for what each method promises."""

    def create_page(self, wanted: PageRequest) -> Page:
        body = {
            "client_name": "Clera",
            "language": "en",
            "country_codes": ["US"],
            "user": {
                "client_user_id": wanted.customer,
                **({"email_address": wanted.email} if wanted.email else {}),
            },
            # The first is where a bank's own page leads back to, the second where ours does.
            "redirect_uri": wanted.redirect_uri,
            "hosted_link": {"completion_redirect_uri": wanted.redirect_uri},
            **({"webhook": settings.PLAID_WEBHOOK_URL} if settings.PLAID_WEBHOOK_URL else {}),
            # What a sign-in is for is said once; to mend it, the sign-in itself is named.
            **(
                {"access_token": wanted.access_token}
                if wanted.access_token
                else {"products": ["auth"]}
            ),
        }
        # A token that is never used expires by itself, so making a second one is harmless.
        answer = _read("/link/token/create", body)
        return Page(
            token=_text(answer, "link_token"),
            url=_text(answer, "hosted_link_url"),
            expires_at=_time(answer.get("expiration")),
        )

    def read_progress(self, page_token: str) -> Progress:
        answer = _read("/link/token/get", {"link_token": page_token})
        sessions = [each for each in _list(answer, "link_sessions") if isinstance(each, Mapping)]
        found = [signed_in for each in sessions for signed_in in _signed_in(each)]
        return Progress(
            is_finished=any(each.get("finished_at") and not _was_left(each) for each in sessions),
            signed_in=found[-1] if found else None,
        )

    def exchange(self, public_token: str) -> Login:
        body = {"public_token": public_token}
        answer = _write("/item/public_token/exchange", body)
        try:
            return Login(item_id=_id(answer, "item_id"), access_token=_text(answer, "access_token"))
        except VendorUnavailable as error:
            raise VendorUnclear(_VENDOR, "The answer about a sign-in is not readable.") from error

    def read_item(self, access_token: str) -> ItemFacts:
        item = _read("/item/get", {"access_token": access_token}).get("item")
        if not isinstance(item, Mapping):
            raise _unreadable()
        error = item.get("error")
        institution_id = str(item.get("institution_id") or "")
        return ItemFacts(
            institution_id=institution_id,
            institution_name=str(item.get("institution_name") or _name_of(institution_id)),
            error_code=str(error.get("error_code") or "") if isinstance(error, Mapping) else "",
            consent_expires_at=_time(item.get("consent_expiration_time")),
        )

    def list_accounts(self, access_token: str) -> tuple[SeenAccount, ...]:
        answer = _read("/accounts/get", {"access_token": access_token})
        return tuple(_account(each, "account_id") for each in _list(answer, "accounts"))

    def make_processor_token(self, access_token: str, account_id: str) -> ProcessorToken:
        body = {"access_token": access_token, "account_id": account_id, "processor": _PROCESSOR}
        # One that is never handed over opens nothing, so making a second one is harmless.
        return ProcessorToken(_text(_read("/processor/token/create", body), "processor_token"))

    def remove_item(self, access_token: str) -> None:
        _write("/item/remove", {"access_token": access_token})

    def find_webhook_key(self, key_id: str) -> WebhookKey | None:
        try:
            answer = _read("/webhook_verification_key/get", {"key_id": key_id})
        except VendorRejected as error:
            if error.vendor_code in _NO_SUCH_KEY:
                return None
            # That we are not let in says nothing about the key.
            raise VendorUnavailable(_VENDOR, error.detail) from error
        jwk = answer.get("key")
        if not isinstance(jwk, Mapping):
            raise _unreadable()
        return WebhookKey(jwk=jwk, expired_at=_end_of(jwk))


def _plaid() -> Transport:
    headers = (
        ("plaid-client-id", settings.PLAID_CLIENT_ID),
        ("plaid-secret", settings.PLAID_SECRET),
        ("plaid-version", _VERSION),
    )
    return transport_for(Vendor(_VENDOR, settings.PLAID_URL, headers=headers))


def _read(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for something that a second asking does not change; refusals quote no token."""
    try:
        answer = _plaid().read(path, method="POST", json=body, is_personal=True)
    except VendorRejected as error:
        raise _in_our_words(error) from error
    if not isinstance(answer, dict):
        raise _unreadable()
    return answer


def _write(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        answer = _plaid().write("POST", path, json=body, is_personal=True)
    except VendorRejected as error:
        raise _in_our_words(error) from error
    if not isinstance(answer, dict):
        raise VendorUnclear(_VENDOR, "Plaid's answer is not readable.")
    return answer


def _in_our_words(error: VendorRejected) -> VendorRejected | VendorUnavailable:
    """Tell a no from "not let in" and "not now", which Plaid answers with 400 as well."""
    if error.vendor_code in _NOT_NOW:
        return VendorUnavailable(_VENDOR, f"Plaid cannot do it now ({error.vendor_code}).")
    code = _OUR_WORDS.get(error.vendor_code, error.vendor_code)
    return VendorRejected(_VENDOR, error.detail, vendor_code=code, http_status=error.http_status)


def _unreadable() -> VendorUnavailable:
    return VendorUnavailable(_VENDOR, "Plaid's answer is not readable.")


def _text(answer: Mapping[str, Any], name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not found:
        raise _unreadable()
    return found


def _id(answer: Mapping[str, Any], name: str) -> str:
    """Read an id; one that is too long to keep is none of Plaid's."""
    found = _text(answer, name)
    if len(found) > _LONGEST_ID:
        raise _unreadable()
    return found


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    found = answer.get(name) or []
    if not isinstance(found, list):
        raise _unreadable()
    return found


def _account(told: Any, id_name: str) -> SeenAccount:
    if not isinstance(told, Mapping):
        raise _unreadable()
    kind = told.get("subtype") if told.get("type", "depository") == "depository" else ""
    return SeenAccount(
        id=_id(told, id_name), mask=str(told.get("mask") or "")[-4:], kind=str(kind or "")
    )


def _signed_in(session: Mapping[str, Any]) -> list[SignedIn]:
    """Read what came of one visit to a page; each visit may have added a bank."""
    results = session.get("results")
    added = _list(results, "item_add_results") if isinstance(results, Mapping) else []
    found = []
    for each in added:
        told = each if isinstance(each, Mapping) else {}
        institution = told.get("institution")
        named = institution if isinstance(institution, Mapping) else {}
        found.append(
            SignedIn(
                public_token=_text(told, "public_token"),
                institution_id=str(named.get("institution_id") or ""),
                institution_name=str(named.get("name") or "")[:_LONGEST],
                accounts=tuple(_account(account, "id") for account in _list(told, "accounts")),
            )
        )
    return found


def _was_left(session: Mapping[str, Any]) -> bool:
    """Say whether the customer went away instead of finishing."""
    return bool(session.get("exit") or session.get("on_exit"))


def _name_of(institution_id: str) -> str:
    """Ask for the name of an institution; without an answer it stays unnamed."""
    if not institution_id:
        return ""
    body = {"institution_id": institution_id, "country_codes": ["US"]}
    try:
        told = _read("/institutions/get_by_id", body).get("institution")
    except (VendorRejected, VendorUnavailable) as error:
        logger.warning("plaid.institution_unnamed", error=error.code)
        return ""
    return str(told.get("name") or "")[:_LONGEST] if isinstance(told, Mapping) else ""


def _time(told: Any) -> datetime | None:
    """Read a time; one that cannot be read is as good as none."""
    try:
        at = datetime.fromisoformat(told)
        return at.astimezone(UTC) if at.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _end_of(jwk: Mapping[str, Any]) -> datetime | None:
    """Read when a key ended, in seconds or as a time; an end that nobody can read has come."""
    told = jwk.get("expired_at")
    if told is None:
        return None
    if isinstance(told, int | Decimal):
        try:
            return datetime.fromtimestamp(float(told), tz=UTC)
        except (OverflowError, ValueError, OSError):
            return _LONG_AGO
    return _time(told) or _LONG_AGO
