"""What operations staff sees of trading, and what it may do about it; rows are never edited."""

from trading.admin import drifts, holdings, limits, lots, orders, proposals, restrictions, switches

__all__ = [
    "drifts",
    "holdings",
    "limits",
    "lots",
    "orders",
    "proposals",
    "restrictions",
    "switches",
]
