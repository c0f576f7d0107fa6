"""Every table of trading."""

from trading.models.controls import KillSwitch, RestrictedSymbol, RiskLimit
from trading.models.drifts import PositionDrift
from trading.models.executions import Execution, OrderReport, VoidExecution
from trading.models.holdings import CashBalance, Position
from trading.models.lots import Lot, LotBook, LotClosing, LotPreference, ShareMovement
from trading.models.orders import RISK_REFUSED, Order
from trading.models.proposals import Approval, ApprovedLine, Proposal, ProposalLine
from trading.models.wording import columns_of

__all__ = [
    "RISK_REFUSED",
    "Approval",
    "ApprovedLine",
    "CashBalance",
    "Execution",
    "KillSwitch",
    "Lot",
    "LotBook",
    "LotClosing",
    "LotPreference",
    "Order",
    "OrderReport",
    "Position",
    "PositionDrift",
    "Proposal",
    "ProposalLine",
    "RestrictedSymbol",
    "RiskLimit",
    "ShareMovement",
    "VoidExecution",
    "columns_of",
]
