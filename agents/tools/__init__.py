"""
The model's hands: reading the customer's own portfolio, and proposing a trade.

Who the customer is comes from the turn's context. No tool takes an account, none can order, move
money or approve, and import contracts keep it so.
"""

from langchain_core.tools import BaseTool

from agents.tools.portfolio import get_portfolio_summary
from agents.tools.trading import propose_trade

TOOLS: tuple[BaseTool, ...] = (get_portfolio_summary, propose_trade)
