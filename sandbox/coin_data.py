"""The market-data REST API of coins: as that of shares, with answers under one more name."""

import re

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from sandbox import market_data
from sandbox.assets import Asset
from sandbox.market_data import BadRequest, Handler, Writer
from sandbox.ticker import Fields
from sandbox.world import World

PREFIX = "/alpaca/data/v1beta3/crypto"
_SYMBOL = re.compile(r"[A-Z]+/[A-Z]+")


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the coins' part of the data host."""

    def route(path: str, handler: Handler) -> Route:
        return Route(f"/us/{path}", market_data.serve(world, handler))

    latest = [
        route(f"latest/{name}", _latest(name, write)) for name, write in market_data.LATEST.items()
    ]
    return [route("snapshots", snapshots), route("bars", bars), *latest]


def snapshots(world: World, request: Request) -> Fields:
    """Give the snapshots of many coins; unknown ones are left out."""
    found = {a.symbol: market_data.snapshot_of(world, a) for a in _asked(world, request)}
    return {"snapshots": {symbol: told for symbol, told in found.items() if told is not None}}


def bars(world: World, request: Request) -> Fields:
    """Give a page of the bars of many coins, sorted by symbol, then by time."""
    return market_data.bars_of(world, request, _asked(world, request))


def _latest(name: str, write: Writer) -> Handler:
    def latest(world: World, request: Request) -> Fields:
        found = {a.symbol: write(world, a) for a in _asked(world, request)}
        return {name: {symbol: told for symbol, told in found.items() if told is not None}}

    return latest


def _asked(world: World, request: Request) -> list[Asset]:
    """Find the coins that are asked for; one name that is none spoils the whole request."""
    symbols = [text.strip() for text in request.query_params.get("symbols", "").split(",")]
    if not any(symbols):
        raise BadRequest("symbols is required")
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            raise BadRequest(f"invalid symbol: {symbol} does not match ^[A-Z]+/[A-Z]+$")
    return [asset for asset in market_data.known(world, symbols) if asset.is_coin]
