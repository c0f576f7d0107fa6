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
from trading.gateways import (
    BrokerCash,
    BrokerOrder,
    BrokerPosition,
    BrokerShares,
    TradeNews,
    alpaca,
)
from trading.states import LIVE, TERMINAL, OrderClass, OrderType, Side, is_open
from trading.tickets import Changes, Ticket

ZERO, ONE = Decimal(0), Decimal(1)
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
    belong to every account alike; `multipliers` says what one contract of a symbol stands for.
    """

    cash: Decimal = Decimal("1000.00")
    positions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    multipliers: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    # Of each replacement that arrived, the broker's id of the old order and what was to change.
    replaced: list[tuple[str, Changes]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    movements: list[BrokerShares] = field(default_factory=list)
    readings: int = 0
    # How many of the latest orders one listing shows.
    page: int = 500
    _plans: list[_Plan] = field(default_factory=list)
    _cancel_plans: list[VendorError] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # What a test says

    def plan(self, error: VendorError, *, is_done: bool = False) -> None:
        """Let the next submission or replacement end with this error, its effect done or not."""
        self._plans.append(_Plan(error, is_done))

    def plan_cancel(self, error: VendorError) -> None:
        """Let the next cancellation end with this error and have no effect."""
        self._cancel_plans.append(error)

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
            value = quantity * price * self.multipliers.get(ticket.symbol, ONE)
            # A sale takes its part of the cost along, as the broker's own average says.
            moved = value if ticket.is_buy else cost * quantity / held if held else value
            self.positions[ticket.symbol] = (left, cost + sign * moved)
            if not left:
                del self.positions[ticket.symbol]
            self.cash -= sign * value
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
            planned = self._begin(client_order_id)
            order = self._take(_new_order(ticket, broker_account_id, client_order_id), ticket)
            if planned is not None:
                raise planned.error
            return order

    def replace(
        self,
        changes: Changes,
        *,
        broker_account_id: str,
        broker_order_id: str,
        client_order_id: str,
    ) -> BrokerOrder:
        with self._lock:
            self.replaced.append((broker_order_id, changes))
            planned = self._begin(client_order_id)
            old = self.get(broker_account_id=broker_account_id, broker_order_id=broker_order_id)
            if old is None or old.status not in LIVE | {"partially_filled"}:
                raise VendorRejected("fake", "order is not replaceable", http_status=422)
            ticket = _changed(self.tickets[old.client_order_id], changes, old.filled_quantity)
            new = _new_order(ticket, broker_account_id, client_order_id)
            new = self._take(replace(new, replaces=old.broker_order_id), ticket)
            self.orders[old.client_order_id] = replace(
                old, status="replaced", replaced_by=new.broker_order_id
            )
            if planned is not None:
                raise planned.error
            return new

    def _begin(self, client_order_id: str) -> _Plan | None:
        planned = self._plans.pop(0) if self._plans else None
        if planned is not None and not planned.is_done:
            raise planned.error
        if client_order_id in self.orders:
            raise VendorUnclear("fake", "client_order_id must be unique")
        return planned

    def _take(self, order: BrokerOrder, ticket: Ticket) -> BrokerOrder:
        self.orders[order.client_order_id] = order
        self.tickets[order.client_order_id] = ticket
        for leg, exit_ticket in zip(order.legs, exits_of(ticket), strict=True):
            self._take(leg, exit_ticket)
        return order

    def find(self, *, broker_account_id: str, client_order_id: str) -> BrokerOrder | None:
        order = self.orders.get(client_order_id)
        is_theirs = order is not None and order.record["account_id"] == broker_account_id
        return self._nested(order) if is_theirs and order is not None else None

    def get(self, *, broker_account_id: str, broker_order_id: str) -> BrokerOrder | None:
        theirs = self._of(broker_account_id)
        found = (order for order in theirs if order.broker_order_id == broker_order_id)
        order = next(found, None)
        return None if order is None else self._nested(order)

    def _nested(self, order: BrokerOrder) -> BrokerOrder:
        """Show the exits as they now are."""
        legs = tuple(self.orders[leg.client_order_id] for leg in order.legs)
        return replace(order, legs=legs)

    def cancel(self, *, broker_account_id: str, broker_order_id: str) -> None:
        if self._cancel_plans:
            raise self._cancel_plans.pop(0)
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
                average_entry_price=cost / (quantity * self.multipliers.get(symbol, ONE)),
                cost_basis=cost,
                is_marginable=True,
                previous_close=None,
            )
            for symbol, (quantity, cost) in self.positions.items()
        ]

    def list_share_movements(
        self,
        *,
        broker_account_id: str,  # noqa: ARG002 - the port's signature
    ) -> Sequence[BrokerShares]:
        return list(self.movements)

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


def _new_order(
    ticket: Ticket, broker_account_id: str, client_order_id: str, *, status: str = "pending_new"
) -> BrokerOrder:
    broker_order_id = str(uuid4())
    is_complex = ticket.order_class != OrderClass.SIMPLE
    record = {
        "id": broker_order_id,
        "client_order_id": client_order_id,
        "account_id": broker_account_id,
        "created_at": AT,
        "status": status,
        "symbol": ticket.symbol,
        "side": ticket.side.lower(),
        "type": ticket.order_type.lower(),
        "time_in_force": ticket.time_in_force.lower(),
        "order_class": ticket.order_class.lower() if is_complex else "",
    }
    exits = exits_of(ticket)
    return BrokerOrder(
        broker_order_id=broker_order_id,
        client_order_id=client_order_id,
        status=status,
        filled_quantity=ZERO,
        average_price=None,
        symbol=ticket.symbol,
        side=record["side"],
        order_type=record["type"],
        time_in_force=record["time_in_force"],
        order_class=record["order_class"],
        quantity=ticket.quantity,
        notional=ticket.notional,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        legs=tuple(
            _new_order(leg, broker_account_id, str(uuid4()), status="held") for leg in exits
        ),
        record=record,
    )


def exits_of(ticket: Ticket) -> list[Ticket]:
    """Say which exits the broker makes of an order; of an OCO the order itself is the first."""
    common: dict[str, Any] = {
        "symbol": ticket.symbol,
        "side": Side.SELL if ticket.is_buy else Side.BUY,
        "quantity": ticket.quantity,
        "time_in_force": ticket.time_in_force,
    }
    if ticket.order_class == OrderClass.OCO:
        common["side"] = ticket.side
    exits = []
    if ticket.take_profit_price is not None and ticket.order_class != OrderClass.OCO:
        exits.append(
            Ticket(order_type=OrderType.LIMIT, limit_price=ticket.take_profit_price, **common)
        )
    if ticket.stop_loss_price is not None:
        limit = ticket.stop_loss_limit_price
        exits.append(
            Ticket(
                order_type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
                stop_price=ticket.stop_loss_price,
                limit_price=limit,
                **common,
            )
        )
    return exits


def _changed(ticket: Ticket, changes: Changes, filled: Decimal) -> Ticket:
    quantity = ticket.quantity if changes.quantity is None else changes.quantity
    if quantity is None or quantity <= filled:
        raise VendorRejected("fake", "qty must exceed what is filled", http_status=422)
    is_oco = ticket.order_class == OrderClass.OCO
    wanted: dict[str, Any] = {
        "take_profit_price" if is_oco else "limit_price": changes.limit_price,
        "stop_price": changes.stop_price,
        "time_in_force": changes.time_in_force,
        "trail_price" if ticket.trail_price is not None else "trail_percent": changes.trail,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return replace(ticket, quantity=quantity - filled, **given)


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
