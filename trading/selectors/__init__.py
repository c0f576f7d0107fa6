"""Questions about orders, holdings and proposals; each says whose it is asking for."""

from trading.selectors.facts import facts_for
from trading.selectors.holdings import (
    Balance,
    Holding,
    Holdings,
    PricedPosition,
    Traded,
    get_balance,
    get_cash,
    list_held_symbols,
    list_positions,
    list_priced_positions,
    traded_since,
)
from trading.selectors.limits import limits
from trading.selectors.market import MarketView, look_at_market
from trading.selectors.orders import (
    OrderFilter,
    OrderHistory,
    get_history,
    get_order,
    list_orders,
    list_pending,
)
from trading.selectors.proposals import (
    get_proposal,
    list_proposals,
    list_proposals_of_runs,
)
from trading.selectors.sessions import MarketStatus, get_market_status
from trading.selectors.today import changed_since, holdings_today
from trading.selectors.whole_book import BookPart, list_book_symbols, read_book

__all__ = [
    "Balance",
    "BookPart",
    "Holding",
    "Holdings",
    "MarketStatus",
    "MarketView",
    "OrderFilter",
    "OrderHistory",
    "PricedPosition",
    "Traded",
    "changed_since",
    "facts_for",
    "get_balance",
    "get_cash",
    "get_history",
    "get_market_status",
    "get_order",
    "get_proposal",
    "holdings_today",
    "limits",
    "list_book_symbols",
    "list_held_symbols",
    "list_orders",
    "list_pending",
    "list_positions",
    "list_priced_positions",
    "list_proposals",
    "list_proposals_of_runs",
    "look_at_market",
    "read_book",
    "traded_since",
]
