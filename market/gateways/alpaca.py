"""Alpaca's asset list and clock (Broker API) and its snapshots (data API)."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import structlog
from django.conf import settings

from core.errors import VendorRejected
from core.vendors import alpaca
from market.facts import (
    NEW_YORK,
    Asset,
    Day,
    Session,
    Snapshot,
    is_coin,
    new_york_date,
    read_price,
    read_time,
)
from market.gateways import alpaca_coins
from market.gateways.alpaca_prices import batches, part, read_snapshot, unreadable

logger = structlog.get_logger()

_NOT_FOUND: Final = 404
# One name that the vendor cannot read makes it refuse the whole call. Classes, warrants and
# preferred shares have up to three letters behind a dot, as in BRK.B and BAC.PRL.
_READABLE: Final = re.compile(r"[A-Z]{1,6}(\.[A-Z]{1,3})?", re.ASCII)


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
        return [*_assets(), *_coins()]

    def session(self) -> Session:
        answer = alpaca.broker().read("/v1/clock")
        fields = answer if isinstance(answer, dict) else {}
        now = read_time(fields.get("timestamp"))
        changes = [at for key in ("next_open", "next_close") if (at := read_time(fields.get(key)))]
        if now is None or not changes or not isinstance(fields.get("is_open"), bool):
            raise unreadable("clock")
        return Session(asked_at=now, is_open=fields["is_open"], changes_at=min(changes))

    def calendar(self, start: date, end: date) -> list[Day]:
        params = {"start": start.isoformat(), "end": end.isoformat()}
        answer = alpaca.broker().read("/v1/calendar", params=params)
        # One day that cannot be read would look like a day off.
        try:
            days = [_day(entry) for entry in answer]
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable("its calendar") from error
        found = [day for day in days if start <= day.on <= end]
        if not found:
            raise unreadable("its calendar")
        return found


class AlpacaData:
    """See the port for what each method promises."""

    def snapshots(self, symbols: Sequence[str], *, today: date) -> Mapping[str, Snapshot]:
        found = _of_shares([symbol for symbol in symbols if _READABLE.fullmatch(symbol)], today)
        coins = [symbol for symbol in symbols if is_coin(symbol)]
        return found | alpaca_coins.snapshots(coins, today=today) if coins else found


def _of_shares(symbols: Sequence[str], today: date) -> dict[str, Snapshot]:
    found = {}
    for some in batches(symbols):
        answer = alpaca.data().read("/v2/stocks/snapshots", params={"symbols": ",".join(some)})
        if not isinstance(answer, dict):
            raise unreadable("snapshots")
        for symbol, entry in answer.items():
            if symbol in some and isinstance(entry, dict):
                close = _previous_close(entry, today=today)
                found[symbol] = read_snapshot(symbol, entry, previous_close=close)
    return found


def _assets(**filters: str) -> list[Asset]:
    answer = alpaca.broker().read("/v1/assets", params={"status": "active", **filters})
    if not isinstance(answer, list):
        raise unreadable("assets")
    return [asset for entry in answer if (asset := _asset(entry)) is not None]


def _coins() -> list[Asset]:
    """List the coins, which the broker tells only when asked for them, and not everybody."""
    if not settings.ALPACA_CRYPTO_STREAM_URL:
        return []
    try:
        return [asset for asset in _assets(asset_class="crypto") if is_coin(asset.symbol)]
    except VendorRejected as error:
        logger.warning("coins.not_listed", vendor_code=error.vendor_code)
        return []


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


def _previous_close(entry: Mapping[str, Any], *, today: date) -> Decimal | None:
    """
    Find the close of the last session before today.

    Until today's first trade, and on days without a session, the vendor's `dailyBar` is still
    that of the last session and `prevDailyBar` the one before it.
    """
    daily = part(entry, "dailyBar")
    daily_at = read_time(daily.get("t"))
    is_of_earlier_day = daily_at is not None and new_york_date(daily_at) < today
    return read_price((daily if is_of_earlier_day else part(entry, "prevDailyBar")).get("c"))
