"""Every table of trading."""

from trading.models.controls import KillSwitch, RestrictedSymbol, RiskLimit
from trading.models.executions import Execution, OrderReport
from trading.models.holdings import CashBalance, Position
from trading.models.orders import RISK_REFUSED, Order, columns_of
from trading.models.proposals import Approval, Proposal

__all__ = [
    "RISK_REFUSED",
    "Approval",
    "CashBalance",
    "Execution",
    "KillSwitch",
    "Order",
    "OrderReport",
    "Position",
    "Proposal",
    "RestrictedSymbol",
    "RiskLimit",
    "columns_of",
]
