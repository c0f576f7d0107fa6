"""The market-data REST API of shares: snapshots, latest prices and bars, with its paging."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import Any

import simplejson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import ticker
from sandbox.assets import Asset
from sandbox.bars import Bar, Timeframe
from sandbox.sessions import NEW_YORK, midnight
from sandbox.ticker import Fields
from sandbox.world import World

_SYMBOL = re.compile(r"[A-Z]{1,5}([.][A-Z]{1,3})?|FAKEPACA")
_USUAL_LIMIT, _HIGHEST_LIMIT = 1000, 10_000
_MOMENT = timedelta(seconds=1)
_ADJUSTMENTS = {"raw", "split", "dividend", "all"}

Handler = Callable[[World, Request], Any]
Writer = Callable[[World, Asset], Fields | None]


class BadRequest(Exception):
    """The request is refused with the vendor's message."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the data host."""

    def route(path: str, handler: Handler) -> Route:
        return Route(f"/v2/stocks/{path}", serve(world, handler))

    found = [route("snapshots", snapshots), route("bars", bars)]
    for name, write in LATEST.items():
        found += [
            route(f"{name}/latest", _latest_of_many(name, write)),
            route(f"{{symbol}}/{name}/latest", _latest_of_one(name[:-1], write)),
        ]
    return [*found, route("{symbol}/snapshot", snapshot), route("{symbol}/bars", bars_of_one)]


def serve(world: World, handler: Handler) -> Callable[[Request], Response]:
    """Let a handler answer whoever has the key, in the vendor's words."""

    # A plain function: Starlette runs it in a thread, so that measuring bars delays no one else.
    @wraps(handler)
    def endpoint(request: Request) -> Response:
        key, secret = ticker.credentials(request.headers)
        if not ticker.holds_key(world, key, secret):
            missing = key is None
            message = "unauthorized." if missing else "forbidden."
            return _answer({"message": message}, 401 if missing else 403)
        try:
            return _answer(handler(world, request))
        except BadRequest as error:
            return _answer({"message": str(error)}, error.status)

    return endpoint


# Snapshots and latest prices


def snapshots(world: World, request: Request) -> dict[str, Fields]:
    """Give the snapshots of many symbols; unknown ones are left out."""
    assets = known(world, _symbols(request))
    return {a.symbol: found for a in assets if (found := snapshot_of(world, a)) is not None}


def snapshot(world: World, request: Request) -> Fields:
    """Give the snapshot of one symbol."""
    asset = _only_asset(world, request)
    found = snapshot_of(world, asset)
    if found is None:
        raise BadRequest(f"no snapshot found for {asset.symbol}", 404)
    return {"symbol": asset.symbol} | found


def snapshot_of(world: World, asset: Asset) -> Fields | None:
    """Write the latest prices of an asset and the bars of its last two days."""
    prices, sessions = world.prices, world.prices.sessions_of(asset)
    quote = prices.quote(asset.symbol)
    if quote is None:
        return None
    today = sessions.started(world.clock.now()).date
    before = sessions.before(today).date
    return {
        "latestTrade": ticker.trade(quote, asset),
        "latestQuote": ticker.best_prices(quote, asset),
        "minuteBar": latest_bar(world, asset),
        "dailyBar": _bar_or_none(prices.daily_bar(asset.symbol, today)),
        "prevDailyBar": _bar_or_none(prices.daily_bar(asset.symbol, before)),
    }


def latest_trade(world: World, asset: Asset) -> Fields | None:
    """Write the last trade of an asset."""
    quote = world.prices.quote(asset.symbol)
    return None if quote is None else ticker.trade(quote, asset)


def latest_quote(world: World, asset: Asset) -> Fields | None:
    """Write the best prices of an asset."""
    quote = world.prices.quote(asset.symbol)
    return None if quote is None else ticker.best_prices(quote, asset)


def latest_bar(world: World, asset: Asset) -> Fields | None:
    """Write the last finished minute of an asset."""
    until = world.prices.sessions_of(asset).trading_moment(world.clock.now())
    found = world.prices.bars(asset.symbol, "1Min", until - timedelta(minutes=3), until)
    return ticker.bar(found[-1]) if found else None


LATEST: dict[str, Writer] = {"trades": latest_trade, "quotes": latest_quote, "bars": latest_bar}


def _latest_of_many(name: str, write: Writer) -> Handler:
    def latest(world: World, request: Request) -> Fields:
        assets = known(world, _symbols(request))
        return {name: {a.symbol: f for a in assets if (f := write(world, a)) is not None}}

    return latest


def _latest_of_one(name: str, write: Writer) -> Handler:
    def latest(world: World, request: Request) -> Fields:
        asset = _only_asset(world, request)
        return {"symbol": asset.symbol, name: write(world, asset)}

    return latest


# Bars


def bars(world: World, request: Request) -> Fields:
    """Give a page of the bars of many symbols, sorted by symbol, then by time."""
    return bars_of(world, request, known(world, _symbols(request)))


def bars_of(world: World, request: Request, assets: list[Asset]) -> Fields:
    """Give a page of the bars of these assets."""
    page, token = _page(world, request, assets)
    grouped: dict[str, list[Fields]] = {}
    for symbol, found in page:
        grouped.setdefault(symbol, []).append(ticker.bar(found))
    return {"bars": grouped, "next_page_token": token}


def bars_of_one(world: World, request: Request) -> Fields:
    """Give a page of the bars of one symbol."""
    asset = _only_asset(world, request)
    page, token = _page(world, request, [asset])
    found = [ticker.bar(bar) for _, bar in page]
    return {"symbol": asset.symbol, "bars": found, "next_page_token": token}


def _page(
    world: World, request: Request, assets: list[Asset]
) -> tuple[list[tuple[str, Bar]], str | None]:
    query = request.query_params
    limit = _limit(query.get("limit"))
    after = _read_token(query.get("page_token"))
    page: list[tuple[str, Bar]] = []
    for symbol, bar in _all_bars(world, request, assets, after):
        if len(page) == limit:
            last_symbol, last = page[-1]
            return page, _write_token(last_symbol, last.at)
        page.append((symbol, bar))
    return page, None


def _all_bars(
    world: World, request: Request, assets: list[Asset], after: tuple[str, datetime] | None
) -> Iterator[tuple[str, Bar]]:
    query = request.query_params
    frame = _timeframe(query.get("timeframe"))
    start, end = _span(world, query.get("start"), query.get("end"))
    is_newest_first = query.get("sort", "asc") == "desc"
    if query.get("adjustment", "raw") not in _ADJUSTMENTS:
        raise BadRequest("invalid adjustment")
    for asset in sorted(assets, key=lambda asset: asset.symbol):
        begins, ends = start, end
        if after is not None and asset.symbol < after[0]:
            continue
        if after is not None and asset.symbol == after[0]:
            begins, ends = _rest(start, end, after[1], is_newest_first=is_newest_first)
        found = world.prices.bars(asset.symbol, frame, begins, ends)
        for bar in reversed(found) if is_newest_first else found:
            yield asset.symbol, bar


def _rest(
    start: datetime, end: datetime, given: datetime, *, is_newest_first: bool
) -> tuple[datetime, datetime]:
    """Cut off what earlier pages have given."""
    if is_newest_first:
        return start, given - _MOMENT
    return given + _MOMENT, end


def _timeframe(text: str | None) -> str:
    if text is None:
        raise BadRequest("timeframe is required")
    try:
        Timeframe.parse(text)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return text


def _span(world: World, start: str | None, end: str | None) -> tuple[datetime, datetime]:
    now = world.clock.now()
    begins = midnight(now.astimezone(NEW_YORK).date()) if start is None else _moment(start, "start")
    ends = now if end is None else _moment(end, "end")
    if begins > ends:
        raise BadRequest("end should not be before start")
    return begins, ends


def _moment(text: str, name: str) -> datetime:
    try:
        if len(text) == len("2026-01-05"):
            return midnight(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"Invalid format for parameter {name}: {text}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _limit(text: str | None) -> int:
    try:
        limit = _USUAL_LIMIT if text is None else int(text)
    except ValueError as error:
        raise BadRequest("invalid limit") from error
    if not 1 <= limit <= _HIGHEST_LIMIT:
        raise BadRequest(f"limit must be between 1 and {_HIGHEST_LIMIT}")
    return limit


def _write_token(symbol: str, at: datetime) -> str:
    return base64.urlsafe_b64encode(f"{symbol}|{at.timestamp():.0f}".encode()).decode()


def _read_token(token: str | None) -> tuple[str, datetime] | None:
    if not token:
        return None
    try:
        symbol, _, seconds = base64.urlsafe_b64decode(token).decode().partition("|")
        return symbol, datetime.fromtimestamp(int(seconds), UTC)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("invalid page_token") from error


# Asking and answering


def _symbols(request: Request) -> list[str]:
    symbols = [text.strip() for text in request.query_params.get("symbols", "").split(",")]
    if not any(symbols):
        raise BadRequest("symbols is required")
    _check_feed(request)
    return [_checked(symbol) for symbol in symbols if symbol]


def _checked(symbol: str) -> str:
    if not _SYMBOL.fullmatch(symbol):
        raise BadRequest(f"invalid symbol: {symbol}")
    return symbol


def _check_feed(request: Request) -> None:
    feed = request.query_params.get("feed")
    if feed is not None and feed not in ticker.FEEDS:
        raise BadRequest(f"invalid feed: {feed}")


def known(world: World, symbols: list[str]) -> list[Asset]:
    """Find the assets of symbols, each once; unknown ones are left out."""
    found = (world.catalogue.get(symbol) for symbol in dict.fromkeys(symbols))
    return [asset for asset in found if asset is not None]


def _only_asset(world: World, request: Request) -> Asset:
    _check_feed(request)
    symbol = _checked(request.path_params["symbol"])
    asset = world.catalogue.get(symbol)
    if asset is None:
        raise BadRequest(f"asset not found for {symbol}", 404)
    return asset


def _bar_or_none(measured: Bar | None) -> Fields | None:
    return None if measured is None else ticker.bar(measured)


def _answer(body: object, status: int = 200) -> Response:
    # Prices are JSON numbers at this vendor; a Decimal keeps its exact digits as one.
    text = simplejson.dumps(body, use_decimal=True, default=ticker.timestamp)
    return Response(text, status, media_type="application/json")
