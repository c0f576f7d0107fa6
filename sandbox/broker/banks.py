"""Linked banks: created, approved, listed, removed."""

import re
import uuid
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox import plaid
from sandbox.answers import Refusal, read_json
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import Account, Relationship, stamp

# Simulated seconds until a new link can be used.
APPROVED_AFTER_SECONDS = 1.0

_GONE = frozenset({"CANCELED", "CANCEL_REQUESTED", "REJECTED"})
# Tokens as in the vendor's examples stand for a bank of no particular name. They are short, so
# that what is left of a token that somebody has spoilt is none.
_EXAMPLE_TOKEN = re.compile(r"processor-sandbox-[a-z0-9-]{1,36}")
_EXAMPLE_BANK = {
    "institution": "Plaid",
    "type": "CHECKING",
    "account_number": "1111222233330000",
    "routing_number": "011401533",
}
_WEIGHTS = (3, 7, 1) * 3


async def create(broker: Broker, request: Request) -> Any:
    """Link a bank, by its numbers or by the token of a go-between."""
    account = broker.active_account(request.path_params["account_id"])
    body = await read_json(request)
    linked = broker.books.relationships.get(account.id, {}).values()
    if any(each.status not in _GONE for each in linked):
        raise Refusal(409, 40910000, "only one active ach relationship allowed")
    now = broker.now()
    bank = _bank(broker, account, body)
    relationship = Relationship(
        id=str(uuid.uuid4()),
        account_id=account.id,
        status="QUEUED",
        created_at=now,
        updated_at=now,
        **bank | {"bank_account_number": _masked(bank["bank_account_number"])},
    )
    broker.books.save(relationship)
    broker.world.effects.record(
        VENDOR, "ach_relationship.created", relationship.id, account_id=account.id
    )
    _announce(broker, relationship, "", now)
    plan(broker, relationship)
    # This once it repeats what it was sent, or what the token stands for: whole, as it is.
    repeated = {"bank_account_number": bank["bank_account_number"]}
    if token := body.get("processor_token"):
        repeated["processor_token"] = token
    return bank_json(relationship) | repeated


def _bank(broker: Broker, account: Account, body: dict[str, Any]) -> dict[str, str]:
    if token := body.get("processor_token"):
        return _by_token(broker, account, str(token))
    return _by_numbers(body)


def _by_token(broker: Broker, account: Account, token: str) -> dict[str, str]:
    bank = plaid.bank_behind(broker.world, token)
    is_example = _EXAMPLE_TOKEN.fullmatch(token) is not None
    if bank is None and not is_example:
        raise Refusal(422, 40010001, "processor_token is not valid")
    bank = bank or _EXAMPLE_BANK
    names = (account.identity.get(key, "") for key in ("given_name", "family_name"))
    return {
        "account_owner_name": " ".join(names).strip(),
        "bank_account_type": bank["type"],
        "bank_account_number": bank["account_number"],
        "bank_routing_number": bank["routing_number"],
        "nickname": f"{bank['institution']} {bank['type'].title()}",
    }


def _by_numbers(body: dict[str, Any]) -> dict[str, str]:
    for name in ("account_owner_name", "bank_account_type", "bank_account_number"):
        if not body.get(name):
            raise Refusal(422, 40010001, f"{name} is required")
    if body["bank_account_type"] not in {"CHECKING", "SAVINGS"}:
        raise Refusal(422, 40010001, "bank_account_type must be CHECKING or SAVINGS")
    routing_number = str(body.get("bank_routing_number", ""))
    if not is_routing_number(routing_number):
        raise Refusal(422, 40010001, "bank_routing_number is not valid")
    return {
        "account_owner_name": str(body["account_owner_name"]),
        "bank_account_type": str(body["bank_account_type"]),
        "bank_account_number": str(body["bank_account_number"]),
        "bank_routing_number": routing_number,
        "nickname": str(body.get("nickname") or ""),
    }


def is_routing_number(text: str) -> bool:
    """Check the nine digits and the check digit of an American bank's number."""
    if not re.fullmatch(r"\d{9}", text):
        return False
    weighted = (int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=True))
    return sum(weighted) % 10 == 0


def _masked(number: str) -> str:
    return "*" * max(len(number) - 4, 0) + number[-4:]


def plan(broker: Broker, relationship: Relationship) -> None:
    """Put the approval on the agenda; after a restart too."""
    if relationship.status != "QUEUED":
        return

    def approve(at: datetime) -> None:
        if relationship.status == "QUEUED":
            canceled = broker.treatment("cancel_ach")
            _move(broker, relationship, "CANCELED" if canceled else "APPROVED", at)

    broker.later(relationship.updated_at, APPROVED_AFTER_SECONDS, approve)


def _move(broker: Broker, kept: Relationship, status: str, at: datetime) -> None:
    before, kept.status, kept.updated_at = kept.status, status, at
    broker.books.save(kept)
    _announce(broker, kept, before, at)


def _announce(broker: Broker, kept: Relationship, before: str, at: datetime) -> None:
    entity = {"entity_id": kept.id, "entity_type": "BankRelationship"}
    status = {"status_from": before, "status_to": kept.status}
    broker.hub.publish(
        "funding", kept.account_id, at, {"account_id": kept.account_id} | entity | status
    )


def bank_json(relationship: Relationship) -> dict[str, Any]:
    """Show a linked bank."""
    return {
        "id": relationship.id,
        "account_id": relationship.account_id,
        "created_at": stamp(relationship.created_at),
        "updated_at": stamp(relationship.updated_at),
        "status": relationship.status,
        "account_owner_name": relationship.account_owner_name,
        "bank_account_type": relationship.bank_account_type,
        "bank_account_number": relationship.bank_account_number,
        "bank_routing_number": relationship.bank_routing_number,
        "nickname": relationship.nickname,
    }


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer the linked banks; removed ones only when their status is asked for."""
    account = broker.account(request.path_params["account_id"])
    wanted = set(filter(None, request.query_params.get("statuses", "").split(",")))
    return [
        bank_json(each)
        for each in broker.books.relationships.get(account.id, {}).values()
        if (each.status in wanted if wanted else each.status not in _GONE)
    ]


async def delete(broker: Broker, request: Request) -> Any:
    """Remove a linked bank."""
    account = broker.account(request.path_params["account_id"])
    kept = broker.books.relationships.get(account.id, {}).get(request.path_params["id"])
    if kept is None or kept.status in _GONE:
        raise Refusal(404, 40410000, "ach relationship not found")
    _move(broker, kept, "CANCELED", broker.now())
    broker.world.effects.record(VENDOR, "ach_relationship.deleted", kept.id, account_id=account.id)
    return Response(status_code=204)
