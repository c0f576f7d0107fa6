"""A broker in memory, for tests of everything above the port."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

from core.errors import VendorError, VendorRejected, VendorUnclear
from core.feeds import DataLost, Feed, VendorEvent
from trading.gateways import BrokerCash, BrokerOrder, BrokerPosition, TradeNews, alpaca
from trading.states import TERMINAL, is_open
from trading.tickets import Ticket

ZERO = Decimal(0)
AT = "2026-11-23T15:00:00Z"


@dataclass
class _Plan:
    """How the next call ends: with this error, after the broker has done its work or before."""

    error: VendorError
    is_done: bool


@dataclass
class FakeBroker:
    """
    Takes each id once, and fills only when told to.

    `submitted` lists every call that arrived, `orders` what it has taken. `cash` and `positions`
    belong to every account alike.
    """

    cash: Decimal = Decimal("1000.00")
    positions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    readings: int = 0
    # How many of the latest orders one listing shows.
    page: int = 500
    _plans: list[_Plan] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # What a test says

    def plan(self, error: VendorError, *, is_done: bool = False) -> None:
        """Let the next submission end with this error, with or without its effect."""
        self._plans.append(_Plan(error, is_done))

    def tell(self, client_order_id: str, kind: str, **figures: Any) -> dict[str, Any]:
        """Make an event about an order as it now is."""
        order = self.orders[client_order_id]
        number = len(self.events) + 1
        event = {
            "event": kind,
            "event_ulid": f"01KE6Z3M5Q{number:016d}",
            "account_id": str(order.record["account_id"]),
            "at": AT,
            "order": {**order.record, "status": order.status, **_figures_of(order)},
            **figures,
        }
        self.events.append(event)
        return event

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> dict[str, Any]:
        """Fill a part of an order, move cash and position, and return the event of it."""
        with self._lock:
            order, ticket = self.orders[client_order_id], self.tickets[client_order_id]
            filled = order.filled_quantity + quantity
            spent = (order.average_price or ZERO) * order.filled_quantity + quantity * price
            whole = ticket.quantity
            is_whole = whole is None or filled >= whole
            self.orders[client_order_id] = replace(
                order,
                status="filled" if is_whole else "partially_filled",
                filled_quantity=filled,
                average_price=spent / filled,
            )
            sign = 1 if ticket.is_buy else -1
            held, cost = self.positions.get(ticket.symbol, (ZERO, ZERO))
            left = held + sign * quantity
            self.positions[ticket.symbol] = (left, cost + sign * quantity * price)
            if not left:
                del self.positions[ticket.symbol]
            self.cash -= sign * quantity * price
            return self.tell(
                client_order_id,
                "fill" if is_whole else "partial_fill",
                execution_id=str(uuid4()),
                price=format(price, "f"),
                qty=format(quantity, "f"),
                position_qty=format(left, "f"),
            )

    def move(self, client_order_id: str, status: str) -> dict[str, Any]:
        """Give an order another status and return the event of it."""
        self.orders[client_order_id] = replace(self.orders[client_order_id], status=status)
        return self.tell(client_order_id, status)

    # The port

    def submit(
        self, ticket: Ticket, *, broker_account_id: str, client_order_id: str
    ) -> BrokerOrder:
        with self._lock:
            self.submitted.append(client_order_id)
            planned = self._plans.pop(0) if self._plans else None
            if planned is not None and not planned.is_done:
                raise planned.error
            if client_order_id in self.orders:
                raise VendorUnclear("fake", "client_order_id must be unique")
            order = _new_order(ticket, broker_account_id, client_order_id)
            self.orders[client_order_id], self.tickets[client_order_id] = order, ticket
            if planned is not None:
                raise planned.error
            return order

    def find(self, *, broker_account_id: str, client_order_id: str) -> BrokerOrder | None:
        order = self.orders.get(client_order_id)
        is_theirs = order is not None and order.record["account_id"] == broker_account_id
        return order if is_theirs else None

    def cancel(self, *, broker_account_id: str, broker_order_id: str) -> None:
        for order in self._of(broker_account_id):
            if order.broker_order_id == broker_order_id and is_open(order.status):
                self.canceled.append(broker_order_id)
                return
        raise VendorRejected("fake", "order is not cancelable", http_status=422)

    def list_orders(self, *, broker_account_id: str) -> Sequence[BrokerOrder]:
        latest_first = self._of(broker_account_id)[::-1]
        return latest_first[: self.page]

    def list_positions(
        self,
        *,
        broker_account_id: str,  # noqa: ARG002 - the port's signature
    ) -> Sequence[BrokerPosition]:
        self.readings += 1
        return [
            BrokerPosition(
                symbol=symbol,
                asset_id="",
                asset_class="us_equity",
                exchange="NASDAQ",
                quantity=quantity,
                available_quantity=quantity,
                average_entry_price=cost / quantity,
                cost_basis=cost,
                is_marginable=True,
                previous_close=None,
            )
            for symbol, (quantity, cost) in self.positions.items()
        ]

    def get_cash(self, *, broker_account_id: str) -> BrokerCash:
        taken = sum(
            (
                self.tickets[order.client_order_id].notional or ZERO
                for order in self._of(broker_account_id)
                if order.status not in TERMINAL and self.tickets[order.client_order_id].is_buy
            ),
            ZERO,
        )
        return BrokerCash(
            cash=self.cash,
            buying_power=self.cash - taken,
            withdrawable=self.cash - taken,
            currency="USD",
        )

    def trade_feed(self) -> Feed:
        return _FakeFeed(self.events)

    def read_news(self, payload: Mapping[str, Any]) -> TradeNews:
        return alpaca.read_news(payload)

    def _of(self, broker_account_id: str) -> list[BrokerOrder]:
        orders = list(self.orders.values())
        return [order for order in orders if order.record["account_id"] == broker_account_id]


def _new_order(ticket: Ticket, broker_account_id: str, client_order_id: str) -> BrokerOrder:
    broker_order_id = str(uuid4())
    return BrokerOrder(
        broker_order_id=broker_order_id,
        client_order_id=client_order_id,
        status="pending_new",
        filled_quantity=ZERO,
        average_price=None,
        record={
            "id": broker_order_id,
            "client_order_id": client_order_id,
            "account_id": broker_account_id,
            "symbol": ticket.symbol,
            "created_at": AT,
            "status": "pending_new",
        },
    )


def _figures_of(order: BrokerOrder) -> dict[str, Any]:
    average = order.average_price
    return {
        "filled_qty": format(order.filled_quantity, "f"),
        "filled_avg_price": None if average is None else format(average, "f"),
    }


class _FakeFeed:
    """Sends the events it was given and ends."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._events = events

    @contextmanager
    def open(self, since: str | None) -> Iterator["_OpenFeed"]:
        later = [event for event in self._events if event["event_ulid"] > (since or "")]
        yield _OpenFeed(later)


class _OpenFeed:
    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[VendorEvent | DataLost | None]:
        for event in self._events:
            yield VendorEvent(event["event_ulid"], event)

    def close(self) -> None:
        self._events = []
