"""Alpaca's prices of coins on request, and what each cost when the day began in New York."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import structlog
from django.conf import settings

from core.errors import VendorRejected
from core.vendors import alpaca
from market.facts import NEW_YORK, Snapshot, read_price, read_time
from market.gateways.alpaca_prices import batches, part, read_snapshot, unreadable
from market.gateways.alpaca_stream import AlpacaStream

logger = structlog.get_logger()
# No exchange halts coins, or keeps them within bands.
_CHANNELS: Final = frozenset({"trades", "quotes", "bars", "updatedBars"})
_SNAPSHOTS: Final = "/v1beta3/crypto/us/snapshots"
_BARS: Final = "/v1beta3/crypto/us/bars"
# One name that the vendor cannot read makes it refuse the whole call.
_READABLE: Final = re.compile(r"[A-Z]{1,12}/[A-Z]{2,6}", re.ASCII)
_MOST_BARS: Final = 10_000
# How far back a coin may have been traded last, and still have a price at midnight.
_LOOK_BACK: Final = timedelta(days=3)

# Prices at midnight by place, day and symbol; those of other days are forgotten.
_kept: dict[tuple[str, date, str], Decimal | None] = {}


def stream() -> AlpacaStream | None:
    """Return the socket of coins, or nothing where they are switched off."""
    url = settings.ALPACA_CRYPTO_STREAM_URL
    channels = [name for name in settings.MARKET_CHANNELS if name in _CHANNELS]
    return AlpacaStream(url, channels or ["trades"]) if url else None


def snapshots(symbols: Sequence[str], *, today: date) -> dict[str, Snapshot]:
    """
    Read the latest prices of coins with those at the midnight that today began with.

    Coins that nobody knows are left out; so are all where coins are switched off, or not for us.

    :raises VendorUnavailable: they could not be read.
    """
    if not settings.ALPACA_CRYPTO_STREAM_URL:
        return {}
    try:
        return _snapshots(symbols, today=today)
    except VendorRejected as error:
        # Asking again changes nothing, and must not cost those who ask for shares as well.
        logger.warning("coins.refused", vendor_code=error.vendor_code)
        return {}


def _snapshots(symbols: Sequence[str], *, today: date) -> dict[str, Snapshot]:
    found: dict[str, Snapshot] = {}
    for some in batches(symbol for symbol in symbols if _READABLE.fullmatch(symbol)):
        told = _read(_SNAPSHOTS, {"symbols": ",".join(some)}, "snapshots")
        entries = {symbol: told[symbol] for symbol in some if isinstance(told.get(symbol), dict)}
        closes = _closes(list(entries), today=today)
        for symbol, entry in entries.items():
            now = read_snapshot(symbol, entry, previous_close=None)
            # As long as nothing of today has been measured, the last trade is that of midnight.
            found[symbol] = replace(now, previous_close=closes.get(symbol, now.last))
    return found


def _closes(symbols: Sequence[str], *, today: date) -> dict[str, Decimal | None]:
    """
    Find what coins cost at midnight, which may be unknown, asking once a day for each.

    The vendor's own days of coins begin at another hour, so that its daily bars do not tell. Those
    of which nothing is measured yet of today are left out: their last hour may be incomplete.
    """
    place = settings.ALPACA_DATA_URL
    closes = {s: _kept[place, today, s] for s in symbols if (place, today, s) in _kept}
    missing = [symbol for symbol in symbols if symbol not in closes]
    if not missing:
        return closes
    midnight = datetime.combine(today, time(), tzinfo=NEW_YORK).astimezone(UTC)
    for symbol, hours in _hours_around(missing, midnight).items():
        if any(at >= midnight for at in hours):
            before = [at for at in hours if at < midnight]
            closes[symbol] = hours[max(before)] if before else None
            _keep(place, today, symbol, closes[symbol])
    return closes


def _keep(place: str, today: date, symbol: str, close: Decimal | None) -> None:
    for key in [key for key in list(_kept) if key[:2] != (place, today)]:
        _kept.pop(key, None)
    _kept[place, today, symbol] = close


def _hours_around(
    symbols: Sequence[str], midnight: datetime
) -> Mapping[str, Mapping[datetime, Decimal]]:
    """
    Read the closes of the hours before midnight and of the one after it, by symbol and beginning.

    Midnight in New York is the beginning of an hour all over the world.
    """
    params = {
        "symbols": ",".join(symbols),
        "timeframe": "1Hour",
        "start": _text(midnight - _LOOK_BACK),
        "end": _text(midnight),
        "limit": str(_MOST_BARS),
    }
    found: dict[str, dict[datetime, Decimal]] = {}
    for page in _pages(params):
        for symbol, bars in page.items():
            found.setdefault(symbol, {}).update(_closes_of(bars))
    return found


def _pages(params: dict[str, str]) -> Iterator[Mapping[str, Any]]:
    while True:
        answer = alpaca.data().read(_BARS, params=params)
        if not isinstance(answer, dict):
            raise unreadable("bars")
        yield part(answer, "bars")
        token = answer.get("next_page_token")
        if not isinstance(token, str) or token in {"", params.get("page_token")}:
            return
        params = params | {"page_token": token}


def _closes_of(bars: object) -> Iterable[tuple[datetime, Decimal]]:
    for bar in bars if isinstance(bars, list) else ():
        entry = bar if isinstance(bar, dict) else {}
        at, close = read_time(entry.get("t")), read_price(entry.get("c"))
        if at is not None and close is not None:
            yield at, close


def _read(path: str, params: dict[str, str], name: str) -> Mapping[str, Any]:
    answer = alpaca.data().read(path, params=params)
    if not isinstance(answer, dict) or not isinstance(answer.get(name), dict):
        raise unreadable(name)
    return part(answer, name)


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
