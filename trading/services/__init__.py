"""Everything that trading does; other apps call it as `services.place_order(...)`."""

from trading.services.cancels import OrderNotOpen, OrderUndecided, cancel_all, cancel_order
from trading.services.couriers import OrderRejected
from trading.services.holding import release_due
from trading.services.holdings import request_sync, sync_holdings
from trading.services.lot_choices import LotsNotThere
from trading.services.news import apply_events, follow_events
from trading.services.orders import place_order
from trading.services.preview import Preview, preview_order
from trading.services.replacements import NotReplaceable, NotReplaceableNow, replace_order
from trading.services.switches import obey as obey_switches
from trading.services.upkeep import heal_accounts, sweep_orders
from trading.tickets import Changes, Ticket

__all__ = [
    "Changes",
    "LotsNotThere",
    "NotReplaceable",
    "NotReplaceableNow",
    "OrderNotOpen",
    "OrderRejected",
    "OrderUndecided",
    "Preview",
    "Ticket",
    "apply_events",
    "cancel_all",
    "cancel_order",
    "follow_events",
    "heal_accounts",
    "obey_switches",
    "place_order",
    "preview_order",
    "release_due",
    "replace_order",
    "request_sync",
    "sweep_orders",
    "sync_holdings",
]
