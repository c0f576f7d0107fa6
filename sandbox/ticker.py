"""Trades, quotes and bars in the market-data vendor's short field names, for REST and socket."""

import base64
import binascii
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.datastructures import Headers

from sandbox.assets import Asset
from sandbox.bars import Bar
from sandbox.prices import Quote
from sandbox.world import World

FEEDS = ("iex", "sip", "delayed_sip", "test")
COIN_FEED = "us"
_TAPES = {"NASDAQ": "C", "NYSE": "A"}
_OTHER_TAPE = "B"
_VENUE = "V"
_BAND_WIDTH, _BAND_STEP = Decimal("0.05"), Decimal("0.01")
# Coins change hands in parts.
_COIN_PARTS = 1000

Fields = dict[str, Any]


def trade(quote: Quote, asset: Asset) -> Fields:
    """Write the last trade; of a coin with who began it, the buyer or the seller."""
    if asset.is_coin:
        side = "B" if quote.last >= quote.ask else "S"
        return {
            "t": quote.at,
            "p": quote.last,
            "s": quote.last_size / _COIN_PARTS,
            "i": quote.tick,
            "tks": side,
        }
    return {
        "t": quote.at,
        "x": _VENUE,
        "p": quote.last,
        "s": quote.last_size,
        "c": ["@"],
        "i": quote.tick,
        "z": _tape(asset),
    }


def correction(told: Fields) -> Fields:
    """Write that a trade of before was of half as many shares."""
    return {
        "x": told["x"],
        "oi": told["i"],
        "op": told["p"],
        "os": told["s"],
        "oc": told["c"],
        "ci": told["i"],
        "cp": told["p"],
        "cs": max(told["s"] // 2, 1),
        "cc": told["c"],
        "t": told["t"],
        "z": told["z"],
    }


def cancel(told: Fields) -> Fields:
    """Write that a trade of before does not count."""
    return {key: told[key] for key in ("i", "x", "p", "s", "t", "z")} | {"a": "C"}


class Bands:
    """Between which prices each symbol may trade; a band moves with the price, in steps."""

    def __init__(self) -> None:
        self._middles: dict[str, Decimal] = {}

    def moved(self, quote: Quote, asset: Asset) -> Fields | None:
        """Write the band of a symbol when it is new, or the price has gone far enough from it."""
        middle = self._middles.get(quote.symbol)
        if middle is not None and abs(quote.last - middle) < middle * _BAND_STEP:
            return None
        self._middles[quote.symbol] = quote.last
        return {
            "u": round(quote.last * (1 + _BAND_WIDTH), 2),
            "d": round(quote.last * (1 - _BAND_WIDTH), 2),
            "i": "B",
            "t": quote.at,
            "z": _tape(asset),
        }


def best_prices(quote: Quote, asset: Asset) -> Fields:
    """Write the best bid and ask; sizes are in shares or coins."""
    if asset.is_coin:
        bid_size, ask_size = quote.bid_size / _COIN_PARTS, quote.ask_size / _COIN_PARTS
        return {"t": quote.at, "ap": quote.ask, "as": ask_size, "bp": quote.bid, "bs": bid_size}
    return {
        "t": quote.at,
        "ax": _VENUE,
        "ap": quote.ask,
        "as": quote.ask_size,
        "bx": _VENUE,
        "bp": quote.bid,
        "bs": quote.bid_size,
        "c": ["R"],
        "z": _tape(asset),
    }


def bar(measured: Bar) -> Fields:
    """Write one bar."""
    return {
        "t": measured.at,
        "o": measured.open,
        "h": measured.high,
        "l": measured.low,
        "c": measured.close,
        "v": measured.volume,
        "n": measured.trade_count,
        "vw": measured.vwap,
    }


def status(asset: Asset, at: datetime) -> Fields:
    """Write that an asset is halted or goes on, in the words of its own tape."""
    tape = _tape(asset)
    halted, resumed = ("H", "T") if tape == _TAPES["NASDAQ"] else ("2", "3")
    return {
        "sc": halted if asset.is_halted else resumed,
        "sm": "Trading Halt" if asset.is_halted else "Trading Resumption",
        "rc": "T1" if asset.is_halted else "",
        "rm": "Halt News Pending" if asset.is_halted else "",
        "t": at,
        "z": tape,
    }


def timestamp(moment: datetime) -> str:
    """Write a moment as the REST answers do."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def holds_key(world: World, key: str | None, secret: str | None) -> bool:
    """Say whether these are the credentials this sandbox accepts."""
    return (key, secret) == (world.settings.broker_key, world.settings.broker_secret)


def credentials(headers: Headers) -> tuple[str | None, str | None]:
    """Read Basic authorization or the vendor's own two headers."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return key, secret


def _tape(asset: Asset) -> str:
    return _TAPES.get(asset.exchange, _OTHER_TAPE)
