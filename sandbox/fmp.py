"""The company-data vendor: profiles, quotes, daily prices and a symbol search."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import simplejson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.assets import Asset
from sandbox.bars import Bar
from sandbox.sessions import NEW_YORK
from sandbox.world import World

API_KEY = "sandbox-fmp"
_EXCHANGES = {
    "NASDAQ": "NASDAQ Global Select",
    "NYSE": "New York Stock Exchange",
    "ARCA": "New York Stock Exchange Arca",
    "BATS": "CBOE BZX Exchange",
}
_YEAR = timedelta(days=365)
_MOST_FOUND = 50
_CENTS = Decimal("0.01")

Row = dict[str, Any]
Handler = Callable[[World, Request], list[Row]]


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the vendor's host."""
    handlers: dict[str, Handler] = {
        "profile": profile,
        "quote": quote,
        "historical-price-eod/full": history,
        "search-symbol": search,
    }
    return [Route(f"/stable/{path}", _serve(world, handlers[path])) for path in handlers]


def _serve(world: World, handler: Handler) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        given = request.headers.get("apikey") or request.query_params.get("apikey")
        if given != API_KEY:
            return _answer({"Error Message": "Invalid API KEY."}, 401)
        return _answer(handler(world, request))

    return endpoint


def profile(world: World, request: Request) -> list[Row]:
    """Describe one company or fund."""
    asset = _asset(world, request)
    if asset is None:
        return []
    price, before = _price_and_before(world, asset)
    year = _bars_since(world, asset, _YEAR)
    return [
        {
            "symbol": asset.symbol,
            "price": price,
            "marketCap": _market_cap(asset, price),
            "beta": asset.beta,
            "lastDividend": None,  # the sandbox pays none
            "range": f"{_low(year)}-{_high(year)}" if year else None,
            "change": _change(price, before),
            "changePercentage": _change_percentage(price, before),
            "volume": year[-1].volume if year else None,
            "averageVolume": asset.average_volume,
            "companyName": asset.name,
            "currency": "USD",
            "exchangeFullName": _EXCHANGES.get(asset.exchange, asset.exchange),
            "exchange": asset.exchange,
            "industry": asset.industry,
            "sector": asset.sector,
            "description": asset.description,
            "country": "US",
            "isEtf": asset.is_etf,
            "isActivelyTrading": asset.tradable,
            "isAdr": False,
            "isFund": False,
        }
    ]


def quote(world: World, request: Request) -> list[Row]:
    """Give the current price of one symbol and how it got there."""
    asset = _asset(world, request)
    price, before = _price_and_before(world, asset) if asset else (None, None)
    if asset is None or price is None:
        return []
    now = world.clock.now()
    today = world.prices.daily_bar(asset.symbol, world.prices.sessions.started(now).date)
    year = _bars_since(world, asset, _YEAR)
    return [
        {
            "symbol": asset.symbol,
            "name": asset.name,
            "price": price,
            "changePercentage": _change_percentage(price, before),
            "change": _change(price, before),
            "volume": today.volume if today else None,
            "dayLow": min(today.low, price) if today else None,
            "dayHigh": max(today.high, price) if today else None,
            "yearHigh": _high(year),
            "yearLow": _low(year),
            "marketCap": _market_cap(asset, price),
            "priceAvg50": _average(year[-50:]),
            "priceAvg200": _average(year[-200:]),
            "exchange": asset.exchange,
            "open": today.open if today else None,
            "previousClose": before,
            "timestamp": int(now.timestamp()),
        }
    ]


def history(world: World, request: Request) -> list[Row]:
    """List daily prices, the newest first."""
    asset = _asset(world, request)
    if asset is None:
        return []
    today = world.clock.now().astimezone(NEW_YORK).date()
    first = _date(request, "from") or today - 5 * _YEAR
    last = _date(request, "to") or today
    days = (session.date for session in world.prices.calendar(first, min(last, today)))
    bars = [b for day in days if (b := world.prices.daily_bar(asset.symbol, day)) is not None]
    return [_history_row(asset, bar) for bar in reversed(bars)]


def search(world: World, request: Request) -> list[Row]:
    """Find symbols by their beginning."""
    wanted = request.query_params.get("query", "").upper()
    found = [a for a in world.catalogue.all() if wanted and a.symbol.startswith(wanted)]
    return [
        {
            "symbol": asset.symbol,
            "name": asset.name,
            "currency": "USD",
            "exchangeFullName": _EXCHANGES.get(asset.exchange, asset.exchange),
            "exchange": asset.exchange,
        }
        for asset in found[:_MOST_FOUND]
    ]


def _history_row(asset: Asset, bar: Bar) -> Row:
    return {
        "symbol": asset.symbol,
        "date": bar.at.astimezone(NEW_YORK).date().isoformat(),
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "change": _change(bar.close, bar.open),
        "changePercent": _change_percentage(bar.close, bar.open),
        "vwap": bar.vwap,
    }


def _asset(world: World, request: Request) -> Asset | None:
    return world.catalogue.get(request.query_params.get("symbol", ""))


def _price_and_before(world: World, asset: Asset) -> tuple[Decimal | None, Decimal | None]:
    now = world.prices.quote(asset.symbol)
    return (now.last if now else None), world.prices.previous_close(asset.symbol)


def _bars_since(world: World, asset: Asset, ago: timedelta) -> list[Bar]:
    now = world.clock.now()
    return world.prices.bars(asset.symbol, "1Day", now - ago, now)


def _high(bars: list[Bar]) -> Decimal | None:
    return max((bar.high for bar in bars), default=None)


def _low(bars: list[Bar]) -> Decimal | None:
    return min((bar.low for bar in bars), default=None)


def _average(bars: list[Bar]) -> Decimal | None:
    if not bars:
        return None
    return (sum((bar.close for bar in bars), Decimal(0)) / len(bars)).quantize(_CENTS)


def _market_cap(asset: Asset, price: Decimal | None) -> int | None:
    if price is None or not asset.shares_outstanding:
        return None
    return round(price * asset.shares_outstanding)


def _change(price: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if price is None or before is None else price - before


def _change_percentage(price: Decimal | None, before: Decimal | None) -> Decimal | None:
    change = _change(price, before)
    if change is None or not before:
        return None
    return (100 * change / before).quantize(_CENTS)


def _date(request: Request, name: str) -> date | None:
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        return None


def _answer(body: object, status: int = 200) -> Response:
    text = simplejson.dumps(body, use_decimal=True)
    return Response(text, status, media_type="application/json")
