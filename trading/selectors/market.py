"""What the rules need to know of the market."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from core.errors import CleraError, NotFound
from market import selectors as market
from trading.risk import MarketQuote, Session, Traits
from trading.selectors.contracts import ONE

ZERO: Final = Decimal(0)
_NANO: Final = Decimal("1e-9")
_COINS: Final = "crypto"


@dataclass(frozen=True, kw_only=True)
class MarketView:
    """What the market says about one symbol, read before any transaction."""

    instrument: Traits | None
    quote: MarketQuote | None
    asset_id: str = ""
    session: Session | None = None
    opens_at: datetime | None = None


def look_at_market(*, symbol: str, at: datetime) -> MarketView:
    """Read what the risk rules need of the market; it may call a vendor, so no transaction."""
    try:
        instrument = market.get_instrument(symbol=symbol)
    except NotFound:
        return MarketView(instrument=None, quote=None)
    try:
        told: market.Quote | None = market.get_quote_of(instrument, at=at)
    except CleraError:
        told = None
    traits = Traits(
        is_tradable=instrument.tradable,
        is_fractionable=instrument.fractionable,
        is_halted=instrument.is_halted(at=at, traded_at=told.traded_at if told else None),
        is_coin=instrument.asset_class == _COINS,
        is_contract=instrument.multiplier != ONE,
    )
    hours = market.get_hours(at=at)
    session = None
    if hours is not None:
        session = Session(
            is_open=hours.is_open, is_extended=hours.is_extended, closed_at=hours.closed_at
        )
    return MarketView(
        instrument=traits,
        quote=None if told is None else quote_of(told),
        asset_id=instrument.broker_asset_id,
        session=session,
        opens_at=market.next_open(at=at) if session and not session.is_open else None,
    )


def quote_of(told: market.Quote) -> MarketQuote | None:
    """Put a market's quote into what the rules weigh; nothing without a price."""
    if not told.last or told.as_of is None:
        return None
    return MarketQuote(
        bid=_exact(told.bid),
        ask=_exact(told.ask),
        last=_exact(told.last),
        previous_close=told.previous_close,
        as_of=told.as_of,
    )


def _exact(price: Decimal | None) -> Decimal:
    """Cut a vendor's price to the places that one of ours can have."""
    return ZERO if price is None else round(price, 9) if price % _NANO else price
