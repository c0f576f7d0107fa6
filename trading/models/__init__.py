"""Every table of trading."""

from trading.models.holdings import CashBalance, Position
from trading.models.orders import RISK_REFUSED, Execution, Order
from trading.models.proposals import Approval, Proposal

__all__ = [
    "RISK_REFUSED",
    "Approval",
    "CashBalance",
    "Execution",
    "Order",
    "Position",
    "Proposal",
]
