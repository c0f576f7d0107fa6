"""Questions about orders, holdings and proposals; each says whose it is asking for."""

from trading.selectors.facts import facts_for, limits
from trading.selectors.holdings import (
    Balance,
    Holding,
    Holdings,
    PricedPosition,
    Traded,
    get_balance,
    get_cash,
    holdings_of,
    list_held_symbols,
    list_positions,
    list_priced_positions,
    traded_since,
)
from trading.selectors.market import MarketView, look_at_market
from trading.selectors.orders import OrderFilter, get_order, list_orders
from trading.selectors.proposals import get_proposal, list_proposals

__all__ = [
    "Balance",
    "Holding",
    "Holdings",
    "MarketView",
    "OrderFilter",
    "PricedPosition",
    "Traded",
    "facts_for",
    "get_balance",
    "get_cash",
    "get_order",
    "get_proposal",
    "holdings_of",
    "limits",
    "list_held_symbols",
    "list_orders",
    "list_positions",
    "list_priced_positions",
    "list_proposals",
    "look_at_market",
    "traded_since",
]
