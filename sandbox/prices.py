"""What everything costs: quotes now, closes and bars before, the same after every restart."""

import threading
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np

from sandbox import bars
from sandbox.assets import TEST_SYMBOL, Asset, Catalogue
from sandbox.bars import Bar, Window
from sandbox.clock import SimClock
from sandbox.paths import (
    Floats,
    NoisePath,
    Path,
    Ticks,
    around,
    key_of,
    liquidity_of,
    mixed,
    scale_of,
)
from sandbox.replay import Replay
from sandbox.sessions import CoinDays, Session, Sessions

HISTORY_BEGINS = date(2016, 1, 1)
_MOST_OVERRIDES = 10_000

Watcher = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a symbol costs at one moment; `at` is when this price was made."""

    symbol: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    at: datetime
    bid_size: int
    ask_size: int
    last_size: int
    tick: int  # counts up with every price made


@dataclass(frozen=True, slots=True, order=True)
class _Override:
    since: float
    price: Decimal | None


_NEVER = _Override(float("inf"), None)


class PriceBook:
    """Prices by symbol: noise or a recording, and on top of it what a person has set by hand."""

    def __init__(
        self,
        seed: int,
        clock: SimClock,
        catalogue: Catalogue | None = None,
        market_mode: str = "open",
        *,
        replay: Replay | None = None,
    ) -> None:
        self.sessions, self._coin_days = Sessions(market_mode), CoinDays()
        self._seed, self._clock, self._replay = seed, clock, replay
        self._catalogue = catalogue or Catalogue()
        self._started_at = clock.now()
        self._paths: dict[str, Path] = {}
        self._size_keys: dict[str, np.uint64] = {}
        self._overrides: dict[str, list[_Override]] = {}
        self._latest: dict[str, Quote] = {}
        self._full_days: dict[tuple[str, date], Bar] = {}
        self._watchers: list[Watcher] = []
        self._lock = threading.Lock()

    # Now

    def quote(self, symbol: str, at: datetime | None = None) -> Quote | None:
        """Give the current quote, or the one at an earlier moment; None for what does not trade."""
        asset = self._asset(symbol)
        if asset is None:
            return None
        actual = at or self._clock.now()
        known = self._latest.get(asset.symbol)
        seconds = self._trading_seconds(asset, actual)
        tick_seconds = self._path(asset).tick_seconds
        is_still = asset.is_halted or (
            known is not None and known.tick == int(seconds // tick_seconds)
        )
        if known is not None and at is None and is_still:
            return known
        made = self._quote_at(asset.symbol, seconds, actual.timestamp(), tick_seconds)
        if at is None:
            self._latest[asset.symbol] = made
        return made

    def previous_close(self, symbol: str) -> Decimal | None:
        """Give the close of the trading day before the current one."""
        asset = self._asset(symbol)
        if asset is None:
            return None
        sessions = self.sessions_of(asset)
        today = sessions.started(self._clock.now()).date
        return self.close_on(symbol, sessions.before(today).date)

    def set_price(self, symbol: str, price: Decimal | None) -> None:
        """Hold a symbol at a price from now on; None lets it move by itself again."""
        asset = self._asset(symbol)
        if asset is None:
            msg = f"there is no price to set for {symbol}"
            raise ValueError(msg)
        least = scale_of(asset).least
        if price is not None and (not price.is_finite() or price < least):
            msg = f"a price of {asset.symbol} is at least {least:f}"
            raise ValueError(msg)
        override = _Override(self._clock.now().timestamp(), price)
        with self._lock:
            kept = self._overrides.get(asset.symbol, [])[-_MOST_OVERRIDES:]
            insort(kept, override, key=_since)
            self._overrides[asset.symbol] = kept
            self._forget(asset.symbol)
        for watcher in tuple(self._watchers):
            watcher(asset.symbol)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher(symbol)` on every price set by hand; the result takes it off again."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    # Before

    def close_on(self, symbol: str, day: date) -> Decimal | None:
        """Give the closing price of a date; None if there was no session or it is not over."""
        asset = self._asset(symbol)
        session = None if asset is None else self.sessions_of(asset).on(day)
        if asset is None or session is None or day < HISTORY_BEGINS:
            return None
        if session.close > self._clock.now():
            return None
        ticks = self._ticks(asset.symbol, np.array([session.close.timestamp()]))
        return ticks.scale.dollars(ticks.last[0])

    def bars(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> list[Bar]:
        """
        List the bars that begin from `start` to `end`, oldest first.

        :raises ValueError: the timeframe is not one of 1-59Min, 1-23Hour, 1Day, 1Week, 1-12Month.
        """
        frame = bars.Timeframe.parse(timeframe)
        asset = self._asset(symbol)
        if asset is None:
            return []
        now = self._clock.now()
        start = max(start, datetime.combine(HISTORY_BEGINS, datetime.min.time(), tzinfo=UTC))
        end = min(end, now)
        if start > end:
            return []
        if frame.seconds is not None:
            sessions = self.sessions_of(asset)
            windows = bars.intraday_windows(sessions, frame.seconds, start, end, now)
            return self._measure(asset, windows)
        days = bars.days_of(frame, start, end)
        found = self._daily(asset, self.sessions_of(asset).between(*days), now)
        return [bar for bar in bars.grouped(found, frame) if start <= bar.at <= end]

    def daily_bar(self, symbol: str, day: date) -> Bar | None:
        """Give the bar of a date; the current day's covers what has happened so far."""
        asset, now = self._asset(symbol), self._clock.now()
        session = None if asset is None else self.sessions_of(asset).on(day)
        if asset is None or session is None or session.open > now:
            return None
        return self._daily(asset, [session], now)[0]

    # Sessions

    def sessions_of(self, asset: Asset) -> Sessions:
        """Give the calendar that an asset trades by: the exchange's, or none at all."""
        return self._coin_days if asset.is_coin else self.sessions

    def is_open(self, at: datetime) -> bool:
        """Say whether the market is open at that moment."""
        return self.sessions.is_open(at)

    def calendar(self, start: date, end: date) -> list[Session]:
        """List the sessions of these dates, both included."""
        return self.sessions.between(start, end)

    def next_open(self, at: datetime) -> datetime:
        """Give the first opening after that moment."""
        return self.sessions.next_open(at)

    def next_close(self, at: datetime) -> datetime:
        """Give the first closing after that moment."""
        return self.sessions.next_close(at)

    # Restarts

    def state(self) -> dict[str, list[tuple[float, str | None]]]:
        """Give what a restart needs: the prices set by hand."""
        return {
            symbol: [(o.since, None if o.price is None else str(o.price)) for o in overrides]
            for symbol, overrides in self._overrides.items()
        }

    def restore(self, state: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        """Go on from a remembered state; an empty one forgets every price set by hand."""
        with self._lock:
            self._overrides = {
                symbol: [_Override(s, None if p is None else Decimal(p)) for s, p in overrides]
                for symbol, overrides in state.items()
            }
            self._latest.clear()
            self._full_days.clear()

    # Inside

    def _asset(self, symbol: str) -> Asset | None:
        asset = self._catalogue.get(symbol)
        return asset if asset is not None and asset.status == "active" else None

    def _path(self, asset: Asset) -> Path:
        path = self._paths.get(asset.symbol)
        if path is None:
            path = self._recorded(asset) or NoisePath(self._seed, asset)
            self._size_keys[asset.symbol] = key_of(self._seed, asset.symbol, "size")
            self._paths[asset.symbol] = path
        return path

    def _recorded(self, asset: Asset) -> Path | None:
        if self._replay is None:
            return None
        return self._replay.path_of(asset, now=self._started_at)

    def _trading_seconds(self, asset: Asset, at: datetime) -> float:
        if asset.symbol == TEST_SYMBOL:
            return at.timestamp()
        return self.sessions_of(asset).trading_moment(at).timestamp()

    def _ticks(self, symbol: str, seconds: Floats, actual: Floats | None = None) -> Ticks:
        asset = self._catalogue.get(symbol)
        assert asset is not None  # noqa: S101 - the callers have looked it up
        ticks = self._path(asset).ticks(seconds)
        overrides = self._overrides.get(symbol, [])
        if not overrides:
            return ticks
        actual = seconds if actual is None else actual
        first = max(bisect_right(overrides, float(actual.min()), key=_since) - 1, 0)
        last = bisect_right(overrides, float(actual.max()), key=_since)
        _, spread = liquidity_of(asset)
        for override, after in pairwise([*overrides[first:last], _NEVER]):
            held = (actual >= override.since) & (actual < after.since)
            if override.price is not None and held.any():
                _hold(ticks, held, float(override.price), spread)
        return ticks

    def _quote_at(self, symbol: str, seconds: float, actual: float, tick_seconds: float) -> Quote:
        ticks = self._ticks(symbol, np.array([seconds]), np.array([actual]))
        tick = int(seconds // tick_seconds)
        made_at = max(tick * tick_seconds, self._held_since(symbol, actual))
        sizes = int(mixed(self._size_keys[symbol], np.array([tick]))[0])
        return Quote(
            symbol=symbol,
            bid=ticks.scale.dollars(ticks.bid[0]),
            ask=ticks.scale.dollars(ticks.ask[0]),
            last=ticks.scale.dollars(ticks.last[0]),
            at=datetime.fromtimestamp(made_at, UTC),
            bid_size=100 * (1 + sizes % 9),
            ask_size=100 * (1 + (sizes >> 8) % 9),
            last_size=1 + (sizes >> 16) % 250,
            tick=tick,
        )

    def _held_since(self, symbol: str, seconds: float) -> float:
        overrides = self._overrides.get(symbol, [])
        position = bisect_right(overrides, seconds, key=_since)
        return overrides[position - 1].since if position else 0.0

    def _daily(self, asset: Asset, sessions: Iterable[Session], now: datetime) -> list[Bar]:
        begun = [session for session in sessions if session.open <= now]
        found = {s.date: self._full_days.get((asset.symbol, s.date)) for s in begun}
        missing = [session for session in begun if found[session.date] is None]
        measured = self._measure(asset, [bars.day_window(s, now) for s in missing])
        with self._lock:
            for session, bar in zip(missing, measured, strict=True):
                found[session.date] = bar
                if session.close <= now:
                    self._full_days[asset.symbol, session.date] = bar
        return [bar for bar in found.values() if bar is not None]

    def _measure(self, asset: Asset, windows: list[Window]) -> list[Bar]:
        key = key_of(self._seed, asset.symbol, "volume")
        day_seconds = bars.seconds_per_day(self.sessions_of(asset).mode)
        per_second = asset.average_volume / day_seconds
        measured = []
        for samples in bars.sampled(windows):
            ticks = self._ticks(asset.symbol, samples.seconds)
            measured += bars.summed(samples, ticks, per_second, key)
        return measured

    def _forget(self, symbol: str) -> None:
        self._latest.pop(symbol, None)
        for known in [known for known in self._full_days if known[0] == symbol]:
            del self._full_days[known]


def _since(override: _Override) -> float:
    return override.since


def _hold(
    ticks: Ticks, held: np.ndarray[Any, np.dtype[np.bool_]], price: float, spread: float
) -> None:
    fixed = around(np.array([price]), None, spread, scale=ticks.scale)
    ticks.bid[held], ticks.ask[held] = fixed.bid[0], fixed.ask[0]
    ticks.last[held] = round(price * ticks.scale.units_per_dollar)
