"""What the rules need to know of the market."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from core.errors import CleraError, NotFound
from market import selectors as market
from trading.risk import MarketQuote, Traits

if TYPE_CHECKING:
    pass


ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class MarketView:
    """What the market says about one symbol, read before any transaction."""

    instrument: Traits | None
    quote: MarketQuote | None
    asset_id: str = ""


def look_at_market(*, symbol: str, at: datetime) -> MarketView:
    """Read what the risk rules need of the market; it may call a vendor, so no transaction."""
    try:
        instrument = market.get_instrument(symbol=symbol)
    except NotFound:
        return MarketView(instrument=None, quote=None)
    traits = Traits(is_tradable=instrument.tradable, is_fractionable=instrument.fractionable)
    asset_id = instrument.broker_asset_id
    try:
        quote = quote_of(market.get_quote(symbol=symbol, at=at))
    except CleraError:
        return MarketView(instrument=traits, quote=None, asset_id=asset_id)
    return MarketView(instrument=traits, quote=quote, asset_id=asset_id)


def quote_of(told: market.Quote) -> MarketQuote | None:
    """Put a market's quote into what the rules weigh; nothing without a price."""
    if not told.last or told.as_of is None:
        return None
    return MarketQuote(bid=told.bid or ZERO, ask=told.ask or ZERO, last=told.last, as_of=told.as_of)
