"""Alpaca's asset list and clock (Broker API) and its snapshots (data API)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from core.errors import VendorRejected, VendorUnavailable
from core.vendors import alpaca
from market.facts import (
    NEW_YORK,
    Asset,
    Day,
    Session,
    Snapshot,
    new_york_date,
    read_price,
    read_time,
)

_NOT_FOUND: Final = 404
_SYMBOLS_A_CALL: Final = 100
# One name that the vendor cannot read makes it refuse the whole call.
_READABLE: Final = re.compile(r"[A-Z]{1,6}(\.[A-Z]{1,2})?", re.ASCII)


class AlpacaBroker:
    """See the port for what each method promises."""

    def find_asset(self, symbol: str) -> Asset | None:
        try:
            answer = alpaca.broker().read(f"/v1/assets/{quote(symbol, safe='')}")
        except VendorRejected as error:
            if error.http_status == _NOT_FOUND:
                return None
            raise
        return _asset(answer)

    def list_assets(self) -> list[Asset]:
        answer = alpaca.broker().read("/v1/assets", params={"status": "active"})
        if not isinstance(answer, list):
            raise _unreadable("assets")
        return [asset for entry in answer if (asset := _asset(entry)) is not None]

    def session(self) -> Session:
        answer = alpaca.broker().read("/v1/clock")
        fields = answer if isinstance(answer, dict) else {}
        now = read_time(fields.get("timestamp"))
        changes = [at for key in ("next_open", "next_close") if (at := read_time(fields.get(key)))]
        if now is None or not changes or not isinstance(fields.get("is_open"), bool):
            raise _unreadable("clock")
        return Session(asked_at=now, is_open=fields["is_open"], changes_at=min(changes))

    def calendar(self, start: date, end: date) -> list[Day]:
        params = {"start": start.isoformat(), "end": end.isoformat()}
        answer = alpaca.broker().read("/v1/calendar", params=params)
        # One day that cannot be read would look like a day off.
        try:
            days = [_day(entry) for entry in answer]
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable("its calendar") from error
        found = [day for day in days if start <= day.on <= end]
        if not found:
            raise _unreadable("its calendar")
        return found


class AlpacaData:
    """See the port for what each method promises."""

    def snapshots(self, symbols: Sequence[str], *, today: date) -> Mapping[str, Snapshot]:
        found: dict[str, Snapshot] = {}
        for some in _batches(symbol for symbol in symbols if _READABLE.fullmatch(symbol)):
            answer = alpaca.data().read("/v2/stocks/snapshots", params={"symbols": ",".join(some)})
            if not isinstance(answer, dict):
                raise _unreadable("snapshots")
            for symbol, entry in answer.items():
                if symbol in some and isinstance(entry, dict):
                    found[symbol] = _snapshot(symbol, entry, today=today)
        return found


def _batches(symbols: Iterable[str]) -> Iterator[list[str]]:
    different = list(dict.fromkeys(symbols))
    for start in range(0, len(different), _SYMBOLS_A_CALL):
        yield different[start : start + _SYMBOLS_A_CALL]


def _asset(answer: Any) -> Asset | None:
    """Read one asset; without id and symbol it is none."""
    if not isinstance(answer, dict) or not answer.get("id") or not answer.get("symbol"):
        return None
    return Asset(
        broker_asset_id=str(answer["id"])[:64],
        symbol=str(answer["symbol"])[:24],
        name=str(answer.get("name") or "")[:255],
        exchange=str(answer.get("exchange") or "")[:32],
        asset_class=str(answer.get("class") or "")[:32],
        status=str(answer.get("status") or "")[:32],
        tradable=answer.get("tradable") is True,
        fractionable=answer.get("fractionable") is True,
    )


def _day(entry: Mapping[str, Any]) -> Day:
    """Read a day whose times are those of New York."""
    day = date.fromisoformat(entry["date"])
    settles = entry.get("settlement_date")
    opens_at, closes_at = (
        datetime.combine(day, time.fromisoformat(entry[name]), tzinfo=NEW_YORK)
        for name in ("open", "close")
    )
    if closes_at <= opens_at:
        raise ValueError("A session that ends before it begins.")
    return Day(day, opens_at, closes_at, date.fromisoformat(settles) if settles else None)


def _snapshot(symbol: str, entry: Mapping[str, Any], *, today: date) -> Snapshot:
    trade, best = _part(entry, "latestTrade"), _part(entry, "latestQuote")
    return Snapshot(
        symbol=symbol,
        last=read_price(trade.get("p")),
        last_at=read_time(trade.get("t")),
        bid=read_price(best.get("bp")),
        ask=read_price(best.get("ap")),
        quoted_at=read_time(best.get("t")),
        previous_close=_previous_close(entry, today=today),
    )


def _previous_close(entry: Mapping[str, Any], *, today: date) -> Decimal | None:
    """
    Find the close of the last session before today.

    Until today's first trade, and on days without a session, the vendor's `dailyBar` is still
    that of the last session and `prevDailyBar` the one before it.
    """
    daily = _part(entry, "dailyBar")
    daily_at = read_time(daily.get("t"))
    is_of_earlier_day = daily_at is not None and new_york_date(daily_at) < today
    return read_price((daily if is_of_earlier_day else _part(entry, "prevDailyBar")).get("c"))


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = entry.get(name)
    return part if isinstance(part, dict) else {}


def _unreadable(what: str) -> VendorUnavailable:
    return VendorUnavailable("alpaca", f"The vendor's answer about {what} is not readable.")
