"""What trading needs from a broker: to take orders, to tell of them, and to say who holds what."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from core.feeds import Feed
from trading.states import MovementKind
from trading.tickets import Changes, Ticket


@dataclass(frozen=True, kw_only=True)
class BrokerOrder:
    """
    An order as the broker tells it; `record` keeps its own fields and texts for the reader.

    `legs` are the exits that hang on it, and `replaces` and `replaced_by` the broker's ids of the
    orders before and after it.
    """

    broker_order_id: str
    client_order_id: str
    status: str
    filled_quantity: Decimal
    average_price: Decimal | None
    symbol: str = ""
    side: str = ""
    order_type: str = ""
    time_in_force: str = ""
    order_class: str = ""
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    replaces: str = ""
    replaced_by: str = ""
    legs: tuple["BrokerOrder", ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class TradeNews:
    """One event of the life of an order; the figures of a fill only when it is one."""

    kind: str
    event_id: str
    broker_account_id: str
    order: BrokerOrder
    at: datetime
    # When it was traded, which may be long before it is told or corrected.
    executed_at: datetime | None = None
    execution_id: str = ""
    previous_execution_id: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None
    position_quantity: Decimal | None = None

    @property
    def is_fill(self) -> bool:
        return self.kind in {"fill", "partial_fill"}

    @property
    def is_correction(self) -> bool:
        """Say whether an execution we may have booked was taken back or changed."""
        return self.kind in {"trade_bust", "trade_correct"}


@dataclass(frozen=True, kw_only=True)
class BrokerPosition:
    """What an account holds of one symbol."""

    symbol: str
    asset_id: str
    asset_class: str
    exchange: str
    quantity: Decimal
    available_quantity: Decimal
    average_entry_price: Decimal
    cost_basis: Decimal
    is_marginable: bool | None
    previous_close: Decimal | None


@dataclass(frozen=True, kw_only=True)
class BrokerShares:
    """
    A line of the broker's books about shares that came (`quantity` above zero) or went.

    `cost` is what they have cost or, when a fraction was paid out, brought. A line that
    `is_canceled` moves nothing, and `previous_id` names one that no longer stands.
    """

    activity_id: str
    activity_type: str
    kind: MovementKind
    symbol: str
    quantity: Decimal
    at: datetime
    cost: Decimal | None = None
    group: str = ""
    previous_id: str = ""
    is_canceled: bool = False


@dataclass(frozen=True, kw_only=True)
class BrokerCash:
    """What an account has to spend."""

    cash: Decimal
    buying_power: Decimal
    withdrawable: Decimal | None
    currency: str


class Broker(Protocol):
    """
    A broker that knows orders by an id of ours and refuses to take the same id twice.

    Every method raises `VendorUnavailable` when nothing was reached and `VendorRejected` when the
    broker said no; those that change something also `VendorUnclear` when only reading can tell.
    """

    def submit(
        self, ticket: Ticket, *, broker_account_id: str, client_order_id: str
    ) -> BrokerOrder:
        """Hand in the order, exactly once."""
        ...

    def replace(
        self,
        changes: Changes,
        *,
        broker_account_id: str,
        broker_order_id: str,
        client_order_id: str,
    ) -> BrokerOrder:
        """Put a changed order, with an id of its own, in the place of an open one."""
        ...

    def find(self, *, broker_account_id: str, client_order_id: str) -> BrokerOrder | None:
        """Look an order up by our id; nothing when the broker has never heard of it."""
        ...

    def get(self, *, broker_account_id: str, broker_order_id: str) -> BrokerOrder | None:
        """Look an order up by the broker's own id; nothing when there is none."""
        ...

    def cancel(self, *, broker_account_id: str, broker_order_id: str) -> None:
        """Ask for the order to be canceled; it may yet be filled."""
        ...

    def list_orders(self, *, broker_account_id: str) -> Sequence[BrokerOrder]:
        """List the account's latest orders in any state."""
        ...

    def list_positions(self, *, broker_account_id: str) -> Sequence[BrokerPosition]:
        """List what the account holds."""
        ...

    def list_share_movements(self, *, broker_account_id: str) -> Sequence[BrokerShares]:
        """List what has moved the account's shares without a trade, the oldest first."""
        ...

    def get_cash(self, *, broker_account_id: str) -> BrokerCash:
        """Read what the account has to spend."""
        ...

    def trade_feed(self) -> Feed:
        """Return the stream of what happens to orders."""
        ...

    def read_news(self, payload: Mapping[str, Any]) -> TradeNews:
        """
        Understand one event of the stream.

        :raises Unreadable: it is not an event about an order.
        """
        ...


class Unreadable(ValueError):
    """The broker sent something that is not what its documentation says."""


_chosen: Broker | None = None


def get_broker() -> Broker:
    """Return the broker that this process trades with."""
    global _chosen  # noqa: PLW0603 - one broker per process
    if _chosen is None:
        from trading.gateways.alpaca import AlpacaBroker  # noqa: PLC0415 - it imports this port

        _chosen = AlpacaBroker()
    return _chosen


@contextmanager
def use(broker: Broker) -> Iterator[None]:
    """Trade with another broker, in every thread, until the block ends."""
    global _chosen  # noqa: PLW0603
    before, _chosen = _chosen, broker
    try:
        yield
    finally:
        _chosen = before
