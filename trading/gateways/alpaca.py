"""Orders, positions and trade events at Alpaca's Broker API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from core.errors import VendorRejected, VendorUnavailable, VendorUnclear
from core.feeds import Feed
from core.vendors import alpaca
from trading.gateways import (
    BrokerCash,
    BrokerOrder,
    BrokerPosition,
    BrokerShares,
    TradeNews,
    Unreadable,
    bodies,
    coins,
    shares,
)
from trading.tickets import Changes, Ticket

NOT_FOUND = 404
UNPROCESSABLE = 422
ID_TAKEN = "40010001"
MOST_ORDERS = 500
# Seconds after which an order no longer leaves: a kill switch was read before it waited its turn.
BEGINS_WITHIN = 0.9
_WORDS = {
    "symbol": "symbol",
    "side": "side",
    "order_type": "type",
    "time_in_force": "time_in_force",
    "order_class": "order_class",
    "replaces": "replaces",
    "replaced_by": "replaced_by",
}
_NUMBERS = {
    "quantity": "qty",
    "notional": "notional",
    "limit_price": "limit_price",
    "stop_price": "stop_price",
    "trail_price": "trail_price",
    "trail_percent": "trail_percent",
}
TRADE_EVENTS = "/v2/events/trades"


class AlpacaBroker:
    """The port, spoken as Alpaca does: amounts are strings, and every order carries our id."""

    def submit(
        self, ticket: Ticket, *, broker_account_id: str, client_order_id: str
    ) -> BrokerOrder:
        try:
            answer = alpaca.broker().write(
                "POST",
                _path(broker_account_id, "/orders"),
                json=bodies.of_ticket(ticket, client_order_id),
                begins_within=BEGINS_WITHIN,
            )
        except VendorRejected as error:
            _doubt_if_taken(error)
            raise
        return _trusted(answer, VendorUnclear)

    def replace(
        self,
        changes: Changes,
        *,
        broker_account_id: str,
        broker_order_id: str,
        client_order_id: str,
    ) -> BrokerOrder:
        try:
            answer = alpaca.broker().write(
                "PATCH",
                _order_path(broker_account_id, broker_order_id),
                json=bodies.of_changes(changes, client_order_id),
                begins_within=BEGINS_WITHIN,
            )
        except VendorRejected as error:
            _doubt_if_taken(error)
            raise
        return _trusted(answer, VendorUnclear)

    def find(self, *, broker_account_id: str, client_order_id: str) -> BrokerOrder | None:
        return _look_up(
            _path(broker_account_id, "/orders:by_client_order_id"),
            {"client_order_id": client_order_id},
        )

    def get(self, *, broker_account_id: str, broker_order_id: str) -> BrokerOrder | None:
        return _look_up(_order_path(broker_account_id, broker_order_id), {})

    def cancel(self, *, broker_account_id: str, broker_order_id: str) -> None:
        alpaca.broker().write("DELETE", _order_path(broker_account_id, broker_order_id))

    def list_orders(self, *, broker_account_id: str) -> Sequence[BrokerOrder]:
        answer = alpaca.broker().read(
            _path(broker_account_id, "/orders"),
            params={"status": "all", "limit": str(MOST_ORDERS), "direction": "desc"},
        )
        return [_trusted(item, VendorUnavailable) for item in _list(answer)]

    def list_positions(self, *, broker_account_id: str) -> Sequence[BrokerPosition]:
        answer = alpaca.broker().read(_path(broker_account_id, "/positions"))
        try:
            return [_position(item) for item in _list(answer)]
        except Unreadable as error:
            raise VendorUnavailable("alpaca", str(error)) from error

    def list_share_movements(self, *, broker_account_id: str) -> Sequence[BrokerShares]:
        return shares.list_all(broker_account_id)

    def get_cash(self, *, broker_account_id: str) -> BrokerCash:
        answer = alpaca.broker().read(_path(broker_account_id, "/account"))
        try:
            return BrokerCash(
                cash=_number(answer, "cash"),
                buying_power=_number(answer, "buying_power"),
                withdrawable=_optional(answer, "cash_withdrawable"),
                currency=str(answer.get("currency") or "USD"),
            )
        except (Unreadable, AttributeError) as error:
            raise VendorUnavailable("alpaca", "The account is not readable.") from error

    def trade_feed(self) -> Feed:
        return alpaca.EventFeed(TRADE_EVENTS, cursor="since_id")

    def read_news(self, payload: Mapping[str, Any]) -> TradeNews:
        return read_news(payload)


def read_news(payload: Mapping[str, Any]) -> TradeNews:
    """
    Understand one event of the trade stream.

    :raises Unreadable: it is not an event about an order.
    """
    try:
        return TradeNews(
            kind=str(payload["event"]),
            event_id=str(payload.get("event_ulid") or payload.get("event_id") or ""),
            broker_account_id=str(payload["account_id"]),
            order=_order(payload["order"]),
            at=_moment(payload.get("at") or payload["timestamp"]),
            executed_at=_moment(payload.get("timestamp") or payload["at"]),
            execution_id=str(payload.get("execution_id") or ""),
            previous_execution_id=str(payload.get("previous_execution_id") or ""),
            price=_optional(payload, "price"),
            quantity=_optional(payload, "qty"),
            position_quantity=_optional(payload, "position_qty"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"A trade event lacks {error}.") from error


def _path(broker_account_id: str, rest: str) -> str:
    return f"/v1/trading/accounts/{quote(broker_account_id, safe='')}{rest}"


def _order_path(broker_account_id: str, broker_order_id: str) -> str:
    return _path(broker_account_id, f"/orders/{quote(broker_order_id, safe='')}")


def _look_up(path: str, params: dict[str, str]) -> BrokerOrder | None:
    try:
        answer = alpaca.broker().read(path, params={**params, "nested": "true"})
    except VendorRejected as error:
        if error.http_status == NOT_FOUND:
            return None
        raise
    return _trusted(answer, VendorUnavailable)


def _doubt_if_taken(error: VendorRejected) -> None:
    """Call it no clear answer when the broker has the order from a call we never saw answered."""
    if _is_taken(error):
        raise VendorUnclear("alpaca", error.detail, vendor_code=ID_TAKEN) from error


def _is_taken(error: VendorRejected) -> bool:
    return (
        error.http_status == UNPROCESSABLE
        and error.vendor_code == ID_TAKEN
        and "client_order_id" in error.detail
    )


def _trusted(answer: Any, otherwise: type[VendorUnavailable] | type[VendorUnclear]) -> BrokerOrder:
    """Read an order out of an answer; what is unreadable is as good as no answer."""
    try:
        return _order(answer)
    except Unreadable as error:
        raise otherwise("alpaca", str(error)) from error


def _order(answer: Any) -> BrokerOrder:
    if not isinstance(answer, Mapping) or not answer.get("id") or not answer.get("status"):
        raise Unreadable("The order has no id or no status.")
    return BrokerOrder(
        broker_order_id=str(answer["id"]),
        client_order_id=str(answer.get("client_order_id") or ""),
        status=str(answer["status"]),
        filled_quantity=_optional(answer, "filled_qty") or Decimal(0),
        average_price=_optional(answer, "filled_avg_price"),
        **_details(answer),
        legs=tuple(_order(leg) for leg in answer.get("legs") or ()),
        record={name: _text(value) for name, value in answer.items()},
    )


def _details(answer: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: str(answer.get(told) or "") for name, told in _WORDS.items()}
    return words | {name: _optional(answer, told) for name, told in _NUMBERS.items()}


def _position(item: Any) -> BrokerPosition:
    if not isinstance(item, Mapping) or not item.get("symbol"):
        raise Unreadable("A position has no symbol.")
    quantity = _number(item, "qty")
    available = _optional(item, "qty_available")
    marginable = item.get("asset_marginable")
    asset_class = str(item.get("asset_class") or "")
    return BrokerPosition(
        symbol=coins.with_slash(str(item["symbol"]), asset_class=asset_class),
        asset_id=str(item.get("asset_id") or ""),
        asset_class=asset_class,
        exchange=str(item.get("exchange") or ""),
        quantity=quantity,
        available_quantity=quantity if available is None else available,
        average_entry_price=_number(item, "avg_entry_price"),
        cost_basis=_number(item, "cost_basis"),
        is_marginable=marginable if isinstance(marginable, bool) else None,
        previous_close=_optional(item, "lastday_price"),
    )


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise VendorUnavailable("alpaca", "The answer is not a list.")
    return answer


def _number(answer: Mapping[str, Any], name: str) -> Decimal:
    value = _optional(answer, name)
    if value is None:
        raise Unreadable(f"{name} is missing.")
    return value


def _optional(answer: Mapping[str, Any], name: str) -> Decimal | None:
    value = answer.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise Unreadable(f"{name} is not a number.")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise Unreadable(f"{name} is not a number.") from None
    if not number.is_finite():
        raise Unreadable(f"{name} is not finite.")
    return number


def _text(value: Any) -> Any:
    """Keep the exact text of every number, since the record is stored as JSON."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {name: _text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_text(inner) for inner in value]
    return value


def _moment(value: Any) -> datetime:
    at = alpaca.read_time(value)
    if at is None:
        raise Unreadable("A time is not readable.")
    return at
