"""Alpaca's Broker API, as far as money in and out is concerned."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar
from urllib.parse import quote

from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.feeds import Feed
from core.money import Money
from core.vendors import alpaca
from core.vendors.quoting import without_numbers
from funding.gateways import (
    RELATIONSHIP_EXISTS,
    BankAccount,
    FundingNews,
    LinkedBank,
    MovedMoney,
    Payment,
    ProcessorToken,
    Unreadable,
)

_KEPT: Final = (
    "account_id",
    "at",
    "entity_id",
    "entity_type",
    "event_id",
    "event_ulid",
    "relationship_id",
    "status_from",
    "status_to",
    "transfer_id",
)

T = TypeVar("T")
PAGE: Final = 100
_VENDOR: Final = "alpaca"
# What no row of ours can hold is no answer.
_LONGEST_ID: Final = 64
_LARGEST: Final = Decimal(10) ** 15
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_KINDS: Final = {
    "transfer": FundingNews.TRANSFER,
    "bankrelationship": FundingNews.RELATIONSHIP,
    "achrelationship": FundingNews.RELATIONSHIP,
}


class AlpacaFunds:
    """See the port for what each method promises."""

    def __init__(self, *, page_size: int = PAGE) -> None:
        self._page_size = page_size

    def link_bank(self, broker_account_id: str, bank: BankAccount | ProcessorToken) -> LinkedBank:
        body = _bank_body(bank)
        path = f"/v1/accounts/{broker_account_id}/ach_relationships"
        try:
            answer = alpaca.broker().write("POST", path, json=body, is_personal=True)
        except VendorRejected as error:
            if error.http_status == _CONFLICT:
                raise _relationship_exists() from error
            raise
        return _told(_bank, answer)

    def list_banks(self, broker_account_id: str) -> list[LinkedBank]:
        answer = alpaca.broker().read(f"/v1/accounts/{broker_account_id}/ach_relationships")
        return _listed(_bank, answer)

    def remove_bank(self, broker_account_id: str, broker_relationship_id: str) -> bool:
        path = f"/v1/accounts/{broker_account_id}/ach_relationships/{broker_relationship_id}"
        try:
            alpaca.broker().write("DELETE", path)
        except VendorRejected as error:
            if error.http_status != _NOT_FOUND:
                raise
            return False
        return True

    def move_money(self, broker_account_id: str, payment: Payment) -> MovedMoney:
        body = {
            "transfer_type": "ach",
            "relationship_id": payment.broker_relationship_id,
            "amount": str(Money(payment.amount)),
            "direction": payment.direction,
            "timing": "immediate",
        }
        path = f"/v1/accounts/{broker_account_id}/transfers"
        return _told(_transfer, alpaca.broker().write("POST", path, json=body))

    def cancel_transfer(self, broker_account_id: str, broker_transfer_id: str) -> None:
        path = f"/v1/accounts/{broker_account_id}/transfers/{quote(broker_transfer_id, safe='')}"
        alpaca.broker().write("DELETE", path)

    def list_transfers(
        self, broker_account_id: str, *, direction: str | None = None
    ) -> list[MovedMoney]:
        path = f"/v1/accounts/{broker_account_id}/transfers"
        params = {"limit": str(self._page_size)} | ({"direction": direction} if direction else {})
        found: dict[str, MovedMoney] = {}
        while True:
            offset = len(found)
            answer = alpaca.broker().read(path, params={**params, "offset": str(offset)})
            for transfer in _listed(_transfer, answer):
                found[transfer.broker_transfer_id] = transfer
            # An empty page is the end; so is one with nothing new, should it ignore the offset.
            if len(found) == offset:
                return list(found.values())

    def feed(self) -> Feed:
        return alpaca.EventFeed("/v2/events/funding/status", cursor="since_id", kept=_kept)

    def read_news(self, payload: Mapping[str, Any]) -> FundingNews | None:
        kind = _KINDS.get(str(payload.get("entity_type", "")).replace("_", "").lower())
        if kind is None:
            return None
        vendor_id = payload.get("entity_id") or payload.get(f"{kind}_id")
        status = payload.get("status_to")
        if not isinstance(vendor_id, str) or not isinstance(status, str) or not status:
            raise Unreadable("A funding event names no subject or no status.")
        return FundingNews(
            kind=kind,
            vendor_id=vendor_id,
            status=status,
            reason=str(payload.get("reason") or ""),
            at=alpaca.read_past(payload.get("at")),
        )


def _kept(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out all that an event says of a bank and its owner, but not why money came back."""
    kept = {name: payload[name] for name in _KEPT if name in payload}
    reason = payload.get("reason")
    return kept | ({"reason": without_numbers(str(reason))} if reason else {})


def _bank_body(bank: BankAccount | ProcessorToken) -> dict[str, str]:
    """Say which bank is meant: by a token all of it, else by its numbers."""
    if isinstance(bank, ProcessorToken):
        return {"processor_token": bank.token}
    return {
        "account_owner_name": bank.owner_name,
        "bank_account_type": bank.account_type,
        "bank_account_number": bank.number,
        "bank_routing_number": bank.routing_number,
        **({"nickname": bank.nickname} if bank.nickname else {}),
    }


def _relationship_exists() -> VendorRejected:
    return VendorRejected(
        _VENDOR,
        "The broker has another active bank for this account.",
        vendor_code=RELATIONSHIP_EXISTS,
        http_status=_CONFLICT,
    )


def _told(read: Callable[[Any], T], answer: Any) -> T:
    """Read the answer to a write; one that cannot be read leaves open what has happened."""
    try:
        return read(answer)
    except Unreadable as error:
        raise VendorUnclear(_VENDOR, "The answer about funding is not readable.") from error


def _listed(read: Callable[[Any], T], answer: Any) -> list[T]:
    """Read a list; one entry that cannot be read spoils it, since it might be the one sought."""
    unreadable = VendorUnavailable(_VENDOR, "The list about funding is not readable.")
    if not isinstance(answer, list):
        raise unreadable
    try:
        return [read(entry) for entry in answer]
    except Unreadable as error:
        raise unreadable from error


def _bank(answer: Any) -> LinkedBank:
    return LinkedBank(
        broker_relationship_id=_id(answer),
        status=str(answer.get("status") or ""),
        created_at=alpaca.read_time(answer.get("created_at")),
        updated_at=alpaca.read_past(answer.get("updated_at")),
    )


def _transfer(answer: Any) -> MovedMoney:
    transfer_id = _id(answer)
    amount = _amount(answer.get("requested_amount")) or _amount(answer.get("amount"))
    if amount is None:
        raise Unreadable("A transfer without an amount.")
    return MovedMoney(
        broker_transfer_id=transfer_id,
        broker_relationship_id=str(answer.get("relationship_id") or ""),
        direction=str(answer.get("direction") or ""),
        amount=amount,
        status=str(answer.get("status") or ""),
        reason=without_numbers(str(answer.get("reason") or "")),
        fee=_amount(answer.get("fee")),
        created_at=alpaca.read_time(answer.get("created_at")),
        updated_at=alpaca.read_past(answer.get("updated_at")),
        expires_at=alpaca.read_time(answer.get("expires_at")),
    )


def _id(answer: Any) -> str:
    given = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_ID:
        raise Unreadable("An entry without an id.")
    return given


def _amount(text: Any) -> Decimal | None:
    """Read an amount; null stands for none, and what is no sum of money is unreadable."""
    if text is None or text == "":
        return None
    try:
        amount = Decimal(str(text))
    except InvalidOperation as error:
        raise Unreadable("An amount is not a number.") from error
    if not (amount.is_finite() and -_LARGEST < amount < _LARGEST):
        raise Unreadable("An amount is no sum of money.")
    return amount
