"""The rules an order must obey before the broker hears of it; a pure function of the facts."""

from trading.risk.facts import Facts, Limits, MarketQuote, Rival, Session, Traits, Used
from trading.risk.judging import STALE, judge, require_sense
from trading.risk.refusals import PriceStale, RiskRefused
from trading.risk.shape import SHAPE_RULES, is_symbol
from trading.risk.verdicts import Verdict
from trading.risk.weight import HOLDINGS_RULES

__all__ = [
    "HOLDINGS_RULES",
    "SHAPE_RULES",
    "STALE",
    "Facts",
    "Limits",
    "MarketQuote",
    "PriceStale",
    "RiskRefused",
    "Rival",
    "Session",
    "Traits",
    "Used",
    "Verdict",
    "is_symbol",
    "judge",
    "require_sense",
]
