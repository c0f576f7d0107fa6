"""Reading, changing and closing customer accounts."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, decimal_text, read_json
from sandbox.broker import documents, figures, forms, statuses
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.events import read_time
from sandbox.broker.records import Account, stamp

_PAGE = 1000


def brief(broker: Broker, account: Account) -> dict[str, Any]:
    """Show what a list shows without being asked for more."""
    cash, value = figures.at_last_close(broker, account)
    return {
        "id": account.id,
        "account_number": account.account_number,
        "status": account.status,
        "crypto_status": account.crypto_status,
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
        "documents": [documents.shown(each) for each in account.documents],
        "trusted_contact": account.trusted_contact,
        "minor_identity": account.minor_identity,
        "account_sub_type": account.account_sub_type,
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
    found = [
        account
        for account in _by_words(broker, query.get("query", "").lower().split())
        if _is_wanted(account, query)
    ]
    found.sort(
        key=lambda account: (account.created_at, account.account_number),
        reverse=query.get("sort", "desc") != "asc",
    )
    entities = set(filter(None, query.get("entities", "").split(",")))
    return [_selected(broker, account, entities) for account in found[:_PAGE]]


def _is_wanted(account: Account, query: Mapping[str, str]) -> bool:
    if (status := query.get("status")) and account.status not in status.split(","):
        return False
    if (after := query.get("created_after")) and account.created_at <= read_time(after):
        return False
    before = query.get("created_before")
    return not before or account.created_at < read_time(before)


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
    phone = account.contact.get("phone_number", "")
    return " ".join([account.email, account.account_number, account.id, phone, *names]).lower()


def _selected(broker: Broker, account: Account, entities: set[str]) -> dict[str, Any]:
    if not entities:
        return full(broker, account)
    whole = full(broker, account)
    return brief(broker, account) | {name: whole[name] for name in entities if name in whole}


async def update(broker: Broker, request: Request) -> Any:
    """Change contact, identity, disclosures or trusted contact, field by field."""
    account = broker.account(request.path_params["account_id"])
    sections = forms.changed(account, await read_json(request), broker.now())
    email = sections.get("contact", account.contact)["email_address"].strip().lower()
    if broker.books.by_email.get(email, account.id) != account.id:
        raise Refusal(409, 40910000, "email address already exists in this correspondent")
    for name, section in sections.items():
        setattr(account, name, section)
    broker.books.save(account)
    broker.world.effects.record(VENDOR, "account.updated", account.id, account_id=account.id)
    if account.status == "ACTIVE" and broker.treatment("account_updated"):
        account.destined_status = "ACTIVE"
        statuses.move(broker, account, "ACCOUNT_UPDATED", broker.now())
    return full(broker, account)


async def close(broker: Broker, request: Request) -> Any:
    """Close an account that is empty."""
    account = broker.account(request.path_params["account_id"])
    if account.status == "ACCOUNT_CLOSED":
        raise Refusal(422, 42210000, "account is already closed")
    if list(broker.books.held(account.id)):
        raise Refusal(422, 42210000, "account has open positions")
    if broker.books.open_orders.of(account.id):
        raise Refusal(422, 42210000, "account has open orders")
    if figures.pending_in(broker, account.id) or figures.pending_out(broker, account.id):
        raise Refusal(422, 42210000, "account has pending transfers")
    if account.cash:
        raise Refusal(422, 42210000, "account has a cash balance", cash=decimal_text(account.cash))
    account.destined_status = "ACCOUNT_CLOSED"
    statuses.move(broker, account, "ACCOUNT_CLOSED", broker.now())
    broker.world.effects.record(VENDOR, "account.closed", account.id, account_id=account.id)
    return Response(status_code=204)
