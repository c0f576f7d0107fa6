"""Everything that trading does; other apps call it as `services.place_order(...)`."""

from trading.services.couriers import OrderRejected
from trading.services.holdings import request_sync, sync_holdings
from trading.services.news import apply_events, follow_events
from trading.services.orders import (
    OrderNotOpen,
    OrderUndecided,
    cancel_order,
    place_order,
)
from trading.services.upkeep import heal_accounts, sweep_orders
from trading.tickets import Ticket

__all__ = [
    "OrderNotOpen",
    "OrderRejected",
    "OrderUndecided",
    "Ticket",
    "apply_events",
    "cancel_order",
    "follow_events",
    "heal_accounts",
    "place_order",
    "request_sync",
    "sweep_orders",
    "sync_holdings",
]
