"""An account's book: writing lines into it, and answering them page by page."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from sandbox.answers import Refusal, decimal_text, whole_number
from sandbox.assets import joined
from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.events import read_time
from sandbox.broker.records import Activity, Order, stamp

_PAGE = 100
_DESCRIPTIONS = {
    "CIL": "Cash in lieu of a fraction of a share",
    "CSD": "Cash deposit",
    "CSW": "Cash withdrawal",
    "DIV": "Cash dividend",
    "FEE": "Fee",
    "INT": "Interest",
    "JNLC": "Cash journal",
}


def new_id(at: datetime, own: str = "") -> str:
    """Make an activity id: the time to the millisecond, then a UUID, which may be given."""
    moment = f"{at.astimezone(UTC):%Y%m%d%H%M%S}{at.microsecond // 1000:03}"
    return f"{moment}::{own or uuid.uuid4()}"


def book(broker: Broker, activity: Activity, *, is_told: bool = True) -> None:
    """Write one line and move the cash with it; the only place where cash changes."""
    account = broker.books.accounts[activity.account_id]
    account.cash += activity.moved
    broker.books.save(account)
    broker.books.save(activity)
    if is_told:
        broker.hub.publish("activities", account.id, activity.at, event_json(activity))


def book_cash(
    broker: Broker,
    account_id: str,
    activity_type: str,
    amount: Decimal,
    at: datetime,
    *,
    is_told: bool = True,
    **more: Any,
) -> Activity:
    """Write that money came or went; `more` are further fields of the line."""
    activity = Activity(
        id=new_id(at),
        account_id=account_id,
        activity_type=activity_type,
        at=at,
        cash=amount,
        **{"description": _DESCRIPTIONS.get(activity_type, "")} | more,
    )
    book(broker, activity, is_told=is_told)
    return activity


def book_fill(
    broker: Broker,
    order: Order,
    *,
    qty: Decimal,
    price: Decimal,
    cash: Decimal,
    at: datetime,
    is_told: bool = True,
    execution_id: str = "",
) -> Activity:
    """
    Write an execution, after the order itself has been updated.

    The line's id ends with the id of the execution, so that both can be known to be one.
    """
    execution_id = execution_id or str(uuid.uuid4())
    activity = Activity(
        id=new_id(at, execution_id),
        account_id=order.account_id,
        activity_type="FILL",
        at=at,
        cash=cash,
        symbol=order.symbol,
        side=order.side,
        price=price,
        qty=qty,
        cum_qty=order.filled_qty,
        leaves_qty=order.remaining_qty,
        order_id=order.id,
        order_status=order.status,
        execution_id=execution_id,
    )
    book(broker, activity, is_told=is_told)
    return activity


def event_json(activity: Activity) -> dict[str, Any]:
    """Show a line as the stream tells it: with its stable id, and what it was made of."""
    more: dict[str, Any] = {"ref_id": activity.id, "previous_id": activity.previous_id}
    if activity.sub_type:
        more["activity_subtype"] = activity.sub_type
    if activity.details:
        more["details"] = activity.details
    return activity_json(activity) | more


def activity_json(activity: Activity) -> dict[str, Any]:
    """Show a line as a trade or as another activity."""
    head = {
        "id": activity.id,
        "account_id": activity.account_id,
        "activity_type": activity.activity_type,
    }
    if not activity.is_fill:
        return head | {
            "date": activity.at.astimezone(NEW_YORK).date().isoformat(),
            "created_at": stamp(activity.at),
            "net_amount": format(activity.cash, ".2f"),
            "description": activity.description,
            "symbol": activity.symbol and joined(activity.symbol),
            "qty": decimal_text(activity.qty),
            "per_share_amount": decimal_text(activity.price),
            "price": decimal_text(activity.price) if activity.moves_shares else None,
            "status": activity.status,
            "previous_id": activity.previous_id,
            "activity_sub_type": activity.sub_type or None,
            "group_id": activity.group_id,
        }
    return head | {
        "transaction_time": stamp(activity.executed_at or activity.at),
        "type": "fill" if activity.order_status == "filled" else "partial_fill",
        "price": decimal_text(activity.price),
        "qty": decimal_text(activity.qty),
        "side": activity.side,
        "symbol": activity.symbol and joined(activity.symbol),
        "leaves_qty": decimal_text(activity.leaves_qty),
        "order_id": activity.order_id,
        "cum_qty": decimal_text(activity.cum_qty),
        "order_status": activity.order_status,
        "status": activity.status,
        "previous_id": activity.previous_id,
    }


async def list_all(broker: Broker, request: Request) -> Any:
    """Answer one page; `page_token` is the last id of the page before."""
    query = request.query_params
    found = _wanted(broker, request)
    is_newest_first = query.get("direction", "desc") != "asc"
    found.sort(key=lambda activity: (activity.at, activity.id), reverse=is_newest_first)
    if token := query.get("page_token"):
        places = [place for place, activity in enumerate(found) if activity.id == token]
        if not places:
            raise Refusal(422, 40010001, "invalid page_token")
        found = found[places[0] + 1 :]
    size = min(whole_number(query, "page_size", _PAGE), _PAGE)
    return [activity_json(activity) for activity in found[:size]]


def _wanted(broker: Broker, request: Request) -> list[Activity]:
    query = request.query_params
    books = broker.books.activities
    if account_id := query.get("account_id"):
        candidates = books.get(broker.account(account_id).id, [])
    else:
        candidates = [activity for lines in books.values() for activity in lines]
    kinds = request.path_params.get("activity_type") or query.get("activity_types", "")
    wanted = set(filter(None, kinds.upper().split(",")))
    category = query.get("category")
    return [
        activity
        for activity in candidates
        if (not wanted or activity.activity_type in wanted)
        and category in {None, "trade_activity" if activity.is_fill else "non_trade_activity"}
        and _is_within(activity, query)
    ]


def _is_within(activity: Activity, query: Any) -> bool:
    if (day := query.get("date")) and activity.at.astimezone(NEW_YORK).date() != _date(day):
        return False
    if (after := query.get("after")) and activity.at <= read_time(after):
        return False
    return not ((until := query.get("until")) and activity.at > read_time(until, is_end=True))


def _date(text: str) -> date:
    return read_time(text).date()
