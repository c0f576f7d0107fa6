"""Money in and out of an account by bank transfer."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, as_decimal, decimal_text, read_json, whole_number
from sandbox.broker import activities, figures
from sandbox.broker.core import NEW_YORK, VENDOR, Broker
from sandbox.broker.records import ZERO, Account, Transfer, stamp

# Simulated seconds from one status to the next.
STEP_SECONDS = 1.5
RETURNED_AFTER_SECONDS = 3.0

DAILY_LIMIT = Decimal(50_000)
_PAGE = 100

_NEXT = {"QUEUED": "SENT_TO_CLEARING", "SENT_TO_CLEARING": "COMPLETE"}
_CANCELABLE = frozenset({"QUEUED", "APPROVAL_PENDING", "PENDING"})
_TREATMENTS = {"reject_transfer": "REJECTED", "return_transfer": "RETURNED"}


async def create(broker: Broker, request: Request) -> Any:
    """Start a transfer. This vendor takes no key for it, so sending twice moves money twice."""
    account = broker.active_account(request.path_params["account_id"])
    body = await read_json(request)
    amount = _amount(body)
    relationship_id = _usable_relationship(broker, account, body)
    direction = body.get("direction")
    if direction not in {"INCOMING", "OUTGOING"}:
        raise Refusal(422, 40010001, "direction must be INCOMING or OUTGOING")
    _check_limits(broker, account, direction, amount)
    now = broker.now()
    transfer = Transfer(
        id=str(uuid.uuid4()),
        account_id=account.id,
        relationship_id=relationship_id,
        direction=direction,
        amount=amount,
        status="QUEUED",
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(days=7),
        additional_information=body.get("additional_information"),
        destined_status=_TREATMENTS.get(broker.treatment(*_TREATMENTS), "COMPLETE"),
    )
    broker.books.save(transfer)
    broker.world.effects.record(
        VENDOR, "transfer.created", transfer.id, account_id=account.id, amount=amount
    )
    _announce(broker, transfer, "", now)
    plan(broker, transfer)
    return transfer_json(transfer)


def _amount(body: dict[str, Any]) -> Decimal:
    amount = as_decimal(body.get("amount"))
    if amount is None or amount <= 0:
        raise Refusal(422, 40010001, "amount must be greater than 0")
    if amount != figures.cents(amount):
        raise Refusal(422, 40010001, "amount must have at most two decimal places")
    return amount


def _usable_relationship(broker: Broker, account: Account, body: dict[str, Any]) -> str:
    if body.get("transfer_type") != "ach":
        raise Refusal(422, 40010001, "transfer_type must be ach")
    relationship_id = str(body.get("relationship_id", ""))
    kept = broker.books.relationships.get(account.id, {}).get(relationship_id)
    if kept is None:
        raise Refusal(404, 40410000, "ach relationship not found")
    if kept.status != "APPROVED":
        raise Refusal(422, 42210000, f"ach relationship is not approved (status: {kept.status})")
    return relationship_id


def _check_limits(broker: Broker, account: Account, direction: str, amount: Decimal) -> None:
    today = figures.today(broker)
    used = sum(
        (
            each.amount
            for each in broker.books.transfers.get(account.id, {}).values()
            if each.direction == direction
            and each.status not in {"CANCELED", "REJECTED"}
            and each.created_at.astimezone(NEW_YORK).date() == today
        ),
        ZERO,
    )
    if used + amount > DAILY_LIMIT:
        raise Refusal(422, 40010001, f"maximum total daily transfer allowed is ${DAILY_LIMIT}")
    withdrawable = figures.buying_power(broker, account)
    if direction == "OUTGOING" and amount > withdrawable:
        raise Refusal(
            403,
            40310000,
            "insufficient withdrawable cash",
            cash_withdrawable=decimal_text(withdrawable),
        )


def plan(broker: Broker, transfer: Transfer) -> None:
    """Put the transfer's next step on the agenda; after a restart too."""
    if transfer.status in _NEXT:
        broker.later(transfer.updated_at, STEP_SECONDS, lambda at: _go_on(broker, transfer, at))
    elif transfer.status == "COMPLETE" and transfer.destined_status == "RETURNED":
        broker.later(
            transfer.updated_at, RETURNED_AFTER_SECONDS, lambda at: _return(broker, transfer, at)
        )


def _go_on(broker: Broker, transfer: Transfer, at: datetime) -> None:
    following = _NEXT.get(transfer.status)
    if following is None:
        return  # canceled in the meantime
    if following == "COMPLETE" and transfer.destined_status == "REJECTED":
        transfer.reason = "R01: insufficient funds"
        following = "REJECTED"
    _move(broker, transfer, following, at)
    if following == "COMPLETE":
        is_in = transfer.direction == "INCOMING"
        amount = transfer.amount if is_in else -transfer.amount
        activities.book_cash(broker, transfer.account_id, "CSD" if is_in else "CSW", amount, at)
    plan(broker, transfer)


def _return(broker: Broker, transfer: Transfer, at: datetime) -> None:
    """Take back what had arrived: a bank may say no days later."""
    transfer.reason = "R10: customer advises not authorized"
    _move(broker, transfer, "RETURNED", at)
    is_in = transfer.direction == "INCOMING"
    amount = -transfer.amount if is_in else transfer.amount
    activities.book_cash(broker, transfer.account_id, "CSW" if is_in else "CSD", amount, at)


def _move(broker: Broker, transfer: Transfer, status: str, at: datetime) -> None:
    before, transfer.status, transfer.updated_at = transfer.status, status, at
    broker.books.save(transfer)
    _announce(broker, transfer, before, at)


def _announce(broker: Broker, transfer: Transfer, before: str, at: datetime) -> None:
    entity = {"entity_id": transfer.id, "entity_type": "Transfer"}
    status = {"status_from": before, "status_to": transfer.status}
    broker.hub.publish(
        "funding", transfer.account_id, at, {"account_id": transfer.account_id} | entity | status
    )


def transfer_json(transfer: Transfer) -> dict[str, Any]:
    """Show a transfer."""
    return {
        "id": transfer.id,
        "relationship_id": transfer.relationship_id,
        "account_id": transfer.account_id,
        "type": "ach",
        "status": transfer.status,
        "reason": transfer.reason,
        "amount": decimal_text(transfer.amount),
        "instant_amount": "0",
        "direction": transfer.direction,
        "created_at": stamp(transfer.created_at),
        "updated_at": stamp(transfer.updated_at),
        "expires_at": stamp(transfer.expires_at),
        "additional_information": transfer.additional_information,
        "hold_until": None,
        "requested_amount": decimal_text(transfer.amount),
        "fee": "0",
        "fee_payment_method": "user",
    }


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer transfers, newest first; clients page with `offset` until they get nothing."""
    account = broker.account(request.path_params["account_id"])
    query = request.query_params
    found = [
        each
        for each in broker.books.transfers.get(account.id, {}).values()
        if query.get("direction") in {None, each.direction}
    ]
    found.sort(key=lambda each: (each.created_at, each.id), reverse=True)
    offset, limit = whole_number(query, "offset", 0), whole_number(query, "limit", _PAGE)
    return [transfer_json(each) for each in found[offset : offset + limit]]


async def cancel(broker: Broker, request: Request) -> Any:
    """Cancel a transfer that has not left yet."""
    account = broker.account(request.path_params["account_id"])
    transfer = broker.books.transfers.get(account.id, {}).get(request.path_params["id"])
    if transfer is None:
        raise Refusal(404, 40410000, "transfer not found")
    if transfer.status not in _CANCELABLE:
        raise Refusal(422, 42210000, "transfer is not cancelable")
    _move(broker, transfer, "CANCELED", broker.now())
    broker.world.effects.record(
        VENDOR, "transfer.canceled", transfer.id, account_id=account.id, amount=transfer.amount
    )
    return Response(status_code=204)
