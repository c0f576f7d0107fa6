"""What the answers of Alpaca's data API about shares and about coins have in common."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from core.errors import VendorUnavailable
from market.facts import Snapshot, read_price, read_time
from market.gateways.alpaca_news import is_last

_SYMBOLS_A_CALL: Final = 100


def batches(symbols: Iterable[str]) -> Iterator[list[str]]:
    """Cut symbols, each once, into as many as one call may name."""
    different = list(dict.fromkeys(symbols))
    for start in range(0, len(different), _SYMBOLS_A_CALL):
        yield different[start : start + _SYMBOLS_A_CALL]


def read_snapshot(
    symbol: str, entry: Mapping[str, Any], *, previous_close: Decimal | None
) -> Snapshot:
    """Read the latest trade and quote; what is missing or no price is not known."""
    best = part(entry, "latestQuote")
    last, last_at = _last(entry)
    return Snapshot(
        symbol=symbol,
        last=last,
        last_at=last_at,
        bid=read_price(best.get("bp")),
        ask=read_price(best.get("ap")),
        quoted_at=read_time(best.get("t")),
        previous_close=previous_close,
    )


def _last(entry: Mapping[str, Any]) -> tuple[Decimal | None, datetime | None]:
    """
    Read the last price, and when it was paid.

    A sale that was late, averaged or derived says nothing about the market at its moment, as on the
    socket; then the last minute that sales counted in does, from when it began.
    """
    trade, minute = part(entry, "latestTrade"), part(entry, "minuteBar")
    close, began_at = read_price(minute.get("c")), read_time(minute.get("t"))
    if not _is_last(trade) and close is not None and began_at is not None:
        return close, began_at
    return read_price(trade.get("p")), read_time(trade.get("t"))


def _is_last(trade: Mapping[str, Any]) -> bool:
    """Say so of a sale; of one whose conditions cannot be read nobody can."""
    try:
        return is_last(trade)
    except TypeError:
        return False


def part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object inside an answer, empty when there is none."""
    found = entry.get(name)
    return found if isinstance(found, dict) else {}


def unreadable(what: str) -> VendorUnavailable:
    """Make the error for an answer that is not what the vendor promises."""
    return VendorUnavailable("alpaca", f"The vendor's answer about {what} is not readable.")
