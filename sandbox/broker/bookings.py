"""Lines that only a person or a test asks for: dividends, fees, corrections, and a lost cent."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.answers import Refusal, as_decimal
from sandbox.broker import activities, figures
from sandbox.broker.core import VENDOR, Broker
from sandbox.broker.records import Account, Activity

_BAD = 40010000


def book(broker: Broker, account_id: str, body: Any) -> Activity:
    """
    Write a line by hand, in one of three forms, and move the cash with it.

    `{"activity_type", "net_amount"}` and, if wanted, `symbol`, `qty`, `per_share_amount`,
    `description`, `at`; `{"correct": id, "net_amount"}` puts a line in the place of another;
    `{"cancel": id}` takes one back. With `"is_told": false` the stream does not hear of it.

    :raises Refusal: the account, the line or a value is not known.
    """
    account = broker.account(account_id)
    if not isinstance(body, dict):
        raise Refusal(400, _BAD, "request body format is invalid")
    is_told = body.get("is_told", True) is not False
    if "correct" in body:
        line = _correct(broker, account, body, is_told=is_told)
    elif "cancel" in body:
        line = _cancel(broker, account, body, is_told=is_told)
    else:
        line = _new(broker, account, body, is_told=is_told)
    broker.world.effects.record(
        VENDOR, "activity.booked", line.id, account_id=account.id, amount=line.cash
    )
    return line


def _new(broker: Broker, account: Account, body: dict[str, Any], *, is_told: bool) -> Activity:
    kind = body.get("activity_type")
    if not isinstance(kind, str) or not kind or kind == "FILL":
        raise Refusal(400, _BAD, "activity_type must be a text other than FILL")
    more: dict[str, Any] = {"symbol": body.get("symbol")}
    for name, key in (("qty", "qty"), ("price", "per_share_amount")):
        if key in body:
            more[name] = _number(body, key)
    if "description" in body:
        more["description"] = str(body["description"])
    return activities.book_cash(
        broker,
        account.id,
        kind.upper(),
        _amount(body, "net_amount"),
        moment(broker, body),
        is_told=is_told,
        **more,
    )


def _correct(broker: Broker, account: Account, body: dict[str, Any], *, is_told: bool) -> Activity:
    amount = _amount(body, "net_amount")
    previous = _standing(broker, account, body["correct"])
    at = moment(broker, body)
    line = replace(
        previous,
        id=activities.new_id(at),
        at=at,
        cash=amount,
        status="correct",
        previous_id=previous.id,
    )
    strike(broker, account, previous)
    activities.book(broker, line, is_told=is_told)
    return line


def _cancel(broker: Broker, account: Account, body: dict[str, Any], *, is_told: bool) -> Activity:
    previous = _standing(broker, account, body["cancel"])
    at = moment(broker, body)
    line = replace(
        previous, id=activities.new_id(at), at=at, status="canceled", previous_id=previous.id
    )
    strike(broker, account, previous)
    activities.book(broker, line, is_told=is_told)
    return line


def _standing(broker: Broker, account: Account, activity_id: object) -> Activity:
    for line in broker.books.activities.get(account.id, []):
        is_cash_only = not line.is_fill and not line.moves_shares
        if line.id == activity_id and is_cash_only and line.status != "canceled":
            return line
    raise Refusal(404, 40410000, "there is no such line that stands and moves cash alone")


def strike(broker: Broker, account: Account, line: Activity) -> None:
    """Take a line's cash out again; the line stays in the book, marked."""
    account.cash -= line.moved
    line.status = "canceled"
    broker.books.rewrite(line)


def drift(broker: Broker, account_id: str, body: Any) -> Account:
    """
    Change the cash without a line in the book, as a mistake of the broker would.

    :raises Refusal: the account or the amount is not known.
    """
    account = broker.account(account_id)
    account.cash += _amount(body if isinstance(body, dict) else {}, "change")
    broker.books.save(account)
    return account


def _amount(body: dict[str, Any], name: str) -> Decimal:
    number = _number(body, name)
    if number != figures.cents(number):
        raise Refusal(400, _BAD, f"{name} must have at most two decimal places")
    return number


def _number(body: dict[str, Any], name: str) -> Decimal:
    number = as_decimal(body.get(name))
    if number is None:
        raise Refusal(400, _BAD, f"{name} must be a number")
    return number


def moment(broker: Broker, body: dict[str, Any]) -> datetime:
    """
    Read when something shall have happened; now, unless a body says otherwise.

    :raises Refusal: it is no time.
    """
    if "at" not in body:
        return broker.now()
    try:
        at = datetime.fromisoformat(str(body["at"]))
    except ValueError as error:
        raise Refusal(400, _BAD, "at must be a time such as 2026-01-31T12:00:00Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
