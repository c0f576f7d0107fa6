"""Money in and out of an account by bank transfer."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.answers import Refusal, as_decimal, decimal_text, read_json, whole_number
from sandbox.broker import activities, figures, settlement
from sandbox.broker.core import NEW_YORK, VENDOR, Broker
from sandbox.broker.records import Account, Transfer, stamp

# Simulated seconds from one status to the next.
STEP_SECONDS = 1.5
RETURNED_AFTER_SECONDS = 3.0

_PAGE = 100

_NEXT = {"QUEUED": "SENT_TO_CLEARING", "SENT_TO_CLEARING": "COMPLETE"}
_CANCELABLE = frozenset({"QUEUED", "APPROVAL_PENDING", "PENDING"})
# Where a planned fault sends a transfer, and the return code if the fault names none.
_TREATMENTS = {"reject_transfer": ("REJECTED", "R01"), "return_transfer": ("RETURNED", "R10")}
_NOT_COUNTED = frozenset({"CANCELED", "REJECTED"})
# The network's words for its return codes.
_WORDS = {
    "R01": "insufficient funds",
    "R02": "account closed",
    "R03": "no account/unable to locate account",
    "R04": "invalid account number structure",
    "R05": "unauthorized debit to consumer account using corporate SEC code",
    "R06": "returned per ODFI request",
    "R07": "authorization revoked by customer",
    "R08": "payment stopped",
    "R09": "uncollected funds",
    "R10": "customer advises not authorized",
    "R16": "account frozen",
    "R20": "non-transaction account",
    "R29": "corporate customer advises not authorized",
}
_OTHER_WORDS = "returned by the bank"


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
    destined_status, destined_reason = _destiny(broker, f"{direction} {account.id}")
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
        destined_status=destined_status,
        destined_reason=destined_reason,
    )
    broker.books.save(transfer)
    broker.world.effects.record(
        VENDOR, "transfer.created", transfer.id, account_id=account.id, amount=amount
    )
    _announce(broker, transfer, "", now)
    plan(broker, transfer)
    return transfer_json(transfer)


def _destiny(broker: Broker, subject: str) -> tuple[str, str | None]:
    """
    Tell where a new transfer will end, and what the bank will say to it.

    :param subject: the direction and the account, either of which a fault may name.
    """
    fault = broker.mishap(*_TREATMENTS, subject=subject)
    if fault is None:
        return "COMPLETE", None
    status, usual = _TREATMENTS[fault.kind]
    code = fault.variant or usual
    return status, f"{code}: {_WORDS.get(code, _OTHER_WORDS)}"


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
    of_today = [
        each
        for each in broker.books.transfers.get(account.id, {}).values()
        if each.direction == direction
        and each.status not in _NOT_COUNTED
        and each.created_at.astimezone(NEW_YORK).date() == today
    ]
    settings = broker.world.settings
    if settings.transfers_per_day and len(of_today) >= settings.transfers_per_day:
        allowed = f"maximum number of ACH transfers allowed is {settings.transfers_per_day}"
        raise Refusal(422, 40010001, f"{allowed} per trading day")
    most = settings.transfer_amount_per_day
    if sum((each.amount for each in of_today), amount) > most:
        raise Refusal(
            422, 40010001, f"maximum total daily transfer allowed is ${decimal_text(most)}"
        )
    withdrawable = settlement.withdrawable(broker, account)
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
        transfer.reason = transfer.destined_reason
        following = "REJECTED"
    _move(broker, transfer, following, at)
    if following == "COMPLETE":
        is_in = transfer.direction == "INCOMING"
        amount = transfer.amount if is_in else -transfer.amount
        activities.book_cash(broker, transfer.account_id, "CSD" if is_in else "CSW", amount, at)
    plan(broker, transfer)


def _return(broker: Broker, transfer: Transfer, at: datetime) -> None:
    """Take back what had arrived: a bank may say no days later."""
    transfer.reason = transfer.destined_reason
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
    if transfer is None or transfer.status == "CANCELED":
        raise Refusal(404, 40410000, "transfer not found")
    if transfer.status not in _CANCELABLE:
        raise Refusal(422, 42210000, "transfer is not cancelable")
    _move(broker, transfer, "CANCELED", broker.now())
    broker.world.effects.record(
        VENDOR, "transfer.canceled", transfer.id, account_id=account.id, amount=transfer.amount
    )
    return Response(status_code=204)
