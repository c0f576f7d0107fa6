"""Alpaca's account activities and balances."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from core.errors import VendorUnavailable
from core.feeds import Feed
from core.money import Money, NotAnAmount, Price, Quantity
from core.vendors import alpaca
from ledger import activity_types
from ledger.gateways import Activity, Unreadable

PAGE: Final = 100
_VENDOR: Final = "alpaca"
_EVENTS: Final = "/v2beta1/events/activities"
_LONGEST_ID: Final = 100
_LONGEST_WORD: Final = 32
_NOTHING: Final = Decimal("0.00")
# A line's own words may be about a person, and we need none of them.
_KEPT: Final = (
    "account_id",
    "activity_type",
    "at",
    "created_at",
    "cum_qty",
    "date",
    "event_id",
    "event_ulid",
    "id",
    "net_amount",
    "order_id",
    "previous_id",
    "price",
    "qty",
    "ref_id",
    "side",
    "status",
    "symbol",
    "transaction_time",
)
_NONE: Final = (None, "", "0")
_VOID: Final = frozenset({"canceled", "cancelled", "deleted"})
_SIGNS: Final = {"buy": -1, "sell": 1, "sell_short": 1}


class AlpacaBooks:
    """See the port for what each method promises."""

    def __init__(self, *, page_size: int = PAGE) -> None:
        self._page_size = page_size

    def cash_of(self, broker_account_id: str) -> Decimal:
        path = f"/v1/trading/accounts/{quote(broker_account_id, safe='')}/account"
        answer = alpaca.broker().read(path)
        try:
            return Money.rounded(_number(_object(answer), "cash")).amount
        except (Unreadable, NotAnAmount) as error:
            raise VendorUnavailable(_VENDOR, "The account's cash is not readable.") from error

    def list_activities(self, broker_account_id: str, *, after: datetime | None) -> list[Activity]:
        params = {
            "account_id": broker_account_id,
            "direction": "asc",
            "page_size": str(self._page_size),
        }
        if after is not None:
            params["after"] = after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found: dict[str, Activity | None] = {}
        while True:
            page = _page(alpaca.broker().read("/v1/accounts/activities", params=params))
            is_new = any(activity_id not in found for activity_id, _ in page)
            found.update(page)
            # A page with nothing new is the end, should the broker ignore the token.
            if not is_new:
                lines = (activity for activity in found.values() if activity is not None)
                whose = {"", broker_account_id}
                return [line for line in lines if line.broker_account_id in whose]
            params["page_token"] = page[-1][0]

    def feed(self) -> Feed:
        # What came before the first start is read from the list, account by account.
        return alpaca.EventFeed(_EVENTS, cursor="since_id", kept=_kept, begins_now=True)

    def read_news(self, payload: Mapping[str, Any]) -> Activity | None:
        return _activity(payload)


def _kept(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: payload[name] for name in _KEPT if name in payload}


def _page(answer: Any) -> list[tuple[str, Activity | None]]:
    """Read a page; a line that cannot be read spoils it, since cash may be missing without it."""
    unreadable = VendorUnavailable(_VENDOR, "The list of activities is not readable.")
    if not isinstance(answer, list):
        raise unreadable
    try:
        return [(_id(line), _activity(line)) for line in map(_object, answer)]
    except Unreadable as error:
        raise unreadable from error


def _activity(line: Mapping[str, Any]) -> Activity | None:
    activity_type = _text(line, "activity_type").upper()[:_LONGEST_WORD]
    if not activity_type:
        raise Unreadable("An activity without a type.")
    is_fill = activity_type == "FILL"
    moves_shares = activity_types.moves_shares(activity_type) and line.get("qty") not in _NONE
    cash = _fill_cash(line) if is_fill else _cash(line)
    if cash is None and moves_shares:
        cash = _NOTHING
    if cash is None:
        return None
    return Activity(
        activity_id=_id(line),
        broker_account_id=_text(line, "account_id"),
        activity_type=activity_type,
        cash=cash,
        occurred_at=_moment(line),
        symbol=_text(line, "symbol")[:_LONGEST_WORD],
        broker_order_id=_text(line, "order_id")[:_LONGEST_ID],
        quantity=_size(line, "qty") if is_fill else None,
        cumulative=_size(line, "cum_qty") if is_fill and line.get("cum_qty") else None,
        previous_id=_text(line, "previous_id"),
        is_canceled=_text(line, "status").lower() in _VOID,
        moves_shares=moves_shares,
    )


def _object(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise Unreadable("Something that is no object.")
    return answer


def _id(line: Mapping[str, Any]) -> str:
    """Return the line's own id, which an event carries beside its own."""
    found = _text(line, "ref_id") or _text(line, "id")
    if not found or len(found) > _LONGEST_ID:
        raise Unreadable("An activity without a usable id.")
    return found


def _fill_cash(line: Mapping[str, Any]) -> Decimal:
    sign = _SIGNS.get(_text(line, "side").lower())
    if sign is None:
        raise Unreadable("A fill on neither side.")
    try:
        value = Quantity(_size(line, "qty")) * Price(_number(line, "price"))
        return sign * value.to_money().amount
    except NotAnAmount as error:
        raise Unreadable("A fill whose figures are out of all bounds.") from error


def _size(line: Mapping[str, Any], name: str) -> Decimal:
    """Read how much was filled; nobody fills less than nothing."""
    try:
        size = Quantity(_number(line, name)).amount
    except NotAnAmount as error:
        raise Unreadable("A fill whose size is out of all bounds.") from error
    if size < 0:
        raise Unreadable("A fill of less than nothing.")
    return size


def _cash(line: Mapping[str, Any]) -> Decimal | None:
    """Read what a line moves; most of those about shares alone say nothing of cash."""
    if line.get("net_amount") in (None, ""):
        return None if not _text(line, "previous_id") else _NOTHING
    try:
        return Money.rounded(_number(line, "net_amount")).amount
    except NotAnAmount as error:
        raise Unreadable("An amount that is out of all bounds.") from error


def _number(line: Mapping[str, Any], name: str) -> Decimal:
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unreadable(f"An activity's {name} is no number.")
    try:
        number = Decimal(value)
    except ArithmeticError as error:
        raise Unreadable(f"An activity's {name} is no number.") from error
    if not number.is_finite():
        raise Unreadable(f"An activity's {name} is not finite.")
    return number


def _moment(line: Mapping[str, Any]) -> datetime:
    """Read when it happened: to the moment where the broker says so, else to the day."""
    for name in ("transaction_time", "created_at", "at"):
        if (at := alpaca.read_time(line.get(name))) is not None:
            return at
    try:
        day = date.fromisoformat(_text(line, "date"))
    except ValueError as error:
        raise Unreadable("An activity without a time.") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    return value if isinstance(value, str) else ""
