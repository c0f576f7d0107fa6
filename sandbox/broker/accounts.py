"""Opening, reading, changing and closing customer accounts."""

import re
import uuid
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, read_json
from sandbox.broker import figures
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import Account, stamp

# Simulated seconds from one status to the next.
APPROVED_AFTER_SECONDS = 1.0
ACTIVE_AFTER_SECONDS = 1.0

_REQUIRED = {
    "contact": ("email_address", "phone_number", "street_address", "city"),
    "identity": ("given_name", "family_name", "date_of_birth", "tax_id", "tax_id_type"),
    "disclosures": (
        "is_control_person",
        "is_affiliated_exchange_or_finra",
        "is_politically_exposed",
        "immediate_family_exposed",
    ),
}
_SSN = re.compile(r"^\d{3}-?\d{2}-?\d{4}$")
_FIXTURE = re.compile(r"/fixtures/status=([A-Z_]+)/fixtures/")
_TREATMENTS = {"reject_account": "REJECTED", "action_required": "ACTION_REQUIRED"}
_PAGE = 1000
_EARLIEST_BIRTH_YEAR = 1900


async def create(broker: Broker, request: Request) -> Any:
    """Open an account; 200 means received, not yet allowed to trade."""
    body = await read_json(request)
    _check(body)
    email = body["contact"]["email_address"].strip().lower()
    if email in broker.books.by_email:
        raise Refusal(
            409,
            40910000,
            "email address already exists in this correspondent",
            existing_account_id=broker.books.by_email[email],
        )
    account = _open(broker, body)
    broker.books.save(account)
    broker.world.effects.record(
        VENDOR, "account.created", account.id, client_key=None, account_id=account.id
    )
    _announce(broker, account, "", broker.now())
    plan(broker, account)
    return full(broker, account)


def _check(body: Any) -> None:
    if not isinstance(body, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    for section, names in _REQUIRED.items():
        given = body.get(section)
        if not isinstance(given, dict):
            raise Refusal(422, 40010001, f"{section} is required")
        for name in names:
            if given.get(name) in (None, "", []):
                raise Refusal(422, 40010001, f"{section}.{name} is required")
    if not body.get("agreements"):
        raise Refusal(422, 40010001, "agreements is required")
    if "@" not in str(body["contact"]["email_address"]):
        raise Refusal(422, 40010001, "contact.email_address is not valid")
    _check_identity(body["identity"])


def _check_identity(identity: dict[str, Any]) -> None:
    if identity["tax_id_type"] == "USA_SSN":
        tax_id = str(identity["tax_id"])
        if not _SSN.match(tax_id) or len(set(tax_id.replace("-", ""))) == 1:
            raise Refusal(422, 40010001, "identity.tax_id is not a valid SSN")
    try:
        born = datetime.fromisoformat(str(identity["date_of_birth"]))
    except ValueError as error:
        raise Refusal(422, 40010001, "identity.date_of_birth is not a date") from error
    if born.year < _EARLIEST_BIRTH_YEAR:
        raise Refusal(422, 40010001, "identity.date_of_birth is too long ago")


def _open(broker: Broker, body: dict[str, Any]) -> Account:
    now = broker.now()
    fixture = _FIXTURE.search(str(body.get("additional_information") or ""))
    treatment = broker.treatment(*_TREATMENTS)
    destined = _TREATMENTS.get(treatment, fixture.group(1) if fixture else "ACTIVE")
    return Account(
        id=str(uuid.uuid4()),
        account_number=f"{930000000 + len(broker.books.accounts)}",
        status="SUBMITTED",
        created_at=now,
        changed_at=now,
        contact=body["contact"],
        # The number that names a person is checked above and never kept.
        identity={key: value for key, value in body["identity"].items() if key != "tax_id"},
        disclosures=body["disclosures"],
        agreements=body["agreements"],
        trusted_contact=body.get("trusted_contact"),
        account_type=body.get("account_type") or "trading",
        enabled_assets=body.get("enabled_assets") or ["us_equity"],
        destined_status=destined,
    )


def plan(broker: Broker, account: Account) -> None:
    """Put the account's next step on the agenda; after a restart too."""
    if account.status == "SUBMITTED":
        happy = account.destined_status == "ACTIVE"
        to = "APPROVED" if happy else account.destined_status
        broker.later(
            account.changed_at, APPROVED_AFTER_SECONDS, lambda at: move(broker, account, to, at)
        )
    elif account.status == "APPROVED" and account.destined_status == "ACTIVE":
        broker.later(
            account.changed_at, ACTIVE_AFTER_SECONDS, lambda at: move(broker, account, "ACTIVE", at)
        )


def move(broker: Broker, account: Account, status: str, at: datetime) -> None:
    """Give an account another status and tell the stream."""
    if account.status == status:
        return
    before, account.status, account.changed_at = account.status, status, at
    if status in {"ACTION_REQUIRED", "REJECTED"}:
        account.kyc_results = {
            "reject": {"IDENTITY_VERIFICATION": {}} if status == "REJECTED" else {},
            "accept": {},
            "indeterminate": {} if status == "REJECTED" else {"IDENTITY_VERIFICATION": {}},
            "additional_information": "",
            "summary": "fail",
        }
    broker.books.save(account)
    _announce(broker, account, before, at)
    plan(broker, account)


def _announce(broker: Broker, account: Account, before: str, at: datetime) -> None:
    broker.hub.publish(
        "accounts",
        account.id,
        at,
        {
            "account_id": account.id,
            "account_number": account.account_number,
            "status_from": before,
            "status_to": account.status,
            "kyc_results": account.kyc_results,
            "reason": "",
        },
    )


def brief(broker: Broker, account: Account) -> dict[str, Any]:
    """Show what a list shows without being asked for more."""
    cash, value = figures.at_last_close(broker, account)
    return {
        "id": account.id,
        "account_number": account.account_number,
        "status": account.status,
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "last_equity": cash + value,
        "created_at": stamp(account.created_at),
        "account_type": account.account_type,
        "trading_type": "cash",
        "enabled_assets": account.enabled_assets,
    }


def full(broker: Broker, account: Account) -> dict[str, Any]:
    """Show all sections; an absent section is left out, because null breaks readers."""
    sections = {
        "contact": account.contact,
        "identity": account.identity,
        "disclosures": account.disclosures,
        "agreements": account.agreements,
        "documents": account.documents,
        "trusted_contact": account.trusted_contact,
        "kyc_results": account.kyc_results,
    }
    return brief(broker, account) | {
        name: value for name, value in sections.items() if value is not None
    }


async def show(broker: Broker, request: Request) -> Any:
    """Answer one account."""
    return full(broker, broker.account(request.path_params["account_id"]))


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer the accounts that match; newest first unless asked otherwise."""
    query = request.query_params
    words = query.get("query", "").lower().split()
    found = _by_words(broker, words)
    if status := query.get("status"):
        found = [account for account in found if account.status in status.split(",")]
    found.sort(
        key=lambda account: (account.created_at, account.account_number),
        reverse=query.get("sort", "desc") != "asc",
    )
    entities = set(filter(None, query.get("entities", "").split(",")))
    return [_selected(broker, account, entities) for account in found[:_PAGE]]


def _by_words(broker: Broker, words: list[str]) -> list[Account]:
    if len(words) == 1 and words[0] in broker.books.by_email:
        return [broker.books.accounts[broker.books.by_email[words[0]]]]
    return [
        account
        for account in broker.books.accounts.values()
        if all(word in _searchable(account) for word in words)
    ]


def _searchable(account: Account) -> str:
    names = (account.identity.get(key, "") for key in ("given_name", "family_name"))
    return " ".join([account.email, account.account_number, account.id, *names]).lower()


def _selected(broker: Broker, account: Account, entities: set[str]) -> dict[str, Any]:
    if not entities:
        return full(broker, account)
    whole = full(broker, account)
    return brief(broker, account) | {name: whole[name] for name in entities if name in whole}


async def update(broker: Broker, request: Request) -> Any:
    """Change contact, identity, disclosures or trusted contact, field by field."""
    account = broker.account(request.path_params["account_id"])
    body = await read_json(request)
    email = str(body.get("contact", {}).get("email_address", account.email)).strip().lower()
    if broker.books.by_email.get(email, account.id) != account.id:
        raise Refusal(409, 40910000, "email address already exists in this correspondent")
    for section in ("contact", "identity", "disclosures", "trusted_contact"):
        changes = {key: value for key, value in body.get(section, {}).items() if key != "tax_id"}
        if changes:
            setattr(account, section, (getattr(account, section) or {}) | changes)
    if email not in broker.books.by_email:
        broker.books.by_email = {
            address: owner
            for address, owner in broker.books.by_email.items()
            if owner != account.id
        }
    broker.books.save(account)
    broker.world.effects.record(VENDOR, "account.updated", account.id, account_id=account.id)
    return full(broker, account)


async def close(broker: Broker, request: Request) -> Any:
    """Close an account that is empty."""
    account = broker.account(request.path_params["account_id"])
    if list(broker.books.held(account.id)):
        raise Refusal(422, 42210000, "account has open positions")
    if broker.books.open_orders.get(account.id):
        raise Refusal(422, 42210000, "account has open orders")
    is_waiting = figures.pending_in(broker, account.id) or figures.pending_out(broker, account.id)
    if account.cash > 0 or is_waiting:
        raise Refusal(422, 42210000, "account has a cash balance or pending transfers")
    if account.status != "ACCOUNT_CLOSED":
        move(broker, account, "ACCOUNT_CLOSED", broker.now())
        broker.world.effects.record(VENDOR, "account.closed", account.id, account_id=account.id)
    return Response(status_code=204)


async def list_documents(broker: Broker, request: Request) -> Any:
    """Answer the statements: this broker has written none."""
    broker.account(request.path_params["account_id"])
    return []


async def upload_documents(broker: Broker, request: Request) -> Any:
    """Take identity documents; an account that waited for them goes on."""
    account = broker.account(request.path_params["account_id"])
    body = await read_json(request)
    for document in body if isinstance(body, list) else [body]:
        kept = {
            "id": str(uuid.uuid4()),
            "document_type": document.get("document_type", "other"),
            "document_sub_type": document.get("document_sub_type", ""),
            "created_at": stamp(broker.now()),
        }
        account.documents.append(kept)
    broker.books.save(account)
    if account.status == "ACTION_REQUIRED":
        account.destined_status = "ACTIVE"
        move(broker, account, "APPROVED", broker.now())
    return Response(status_code=204)
