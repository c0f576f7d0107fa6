"""
How a price moves: a pure function of (seed, symbol, time), so that a restart continues the path.

The logarithm of a price is a slow drift plus noise in octaves from a year down to a second, part of
it shared by the whole market in proportion to the asset's beta. Prices count in units of 1/10,000.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Protocol, SupportsInt

import numpy as np
from numpy.typing import NDArray

from sandbox.assets import Asset

Floats = NDArray[np.float64]
Units = NDArray[np.int64]
Key = np.uint64 | NDArray[np.uint64]

UNITS_PER_DOLLAR = 10_000
_QUANTUM = Decimal(1) / UNITS_PER_DOLLAR
_TWO_PLACES = Decimal("0.01")
_CENT = 100  # in units; below a dollar prices move by one unit
_DAY = 86_400.0
_YEAR = 365 * _DAY
_REFERENCE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()  # when prices stand near their base
_PERIODS: Floats = _YEAR / np.power(3.5, np.arange(15, dtype=np.float64))
_PERIODS_TWICE: Floats = np.concatenate((_PERIODS, _PERIODS))  # the market's, then its own
# Chosen so that measured daily returns have the volatility that the symbols file asks for.
_AMPLITUDES: Floats = 1.05 * np.sqrt(_PERIODS / _YEAR)
_MARKET_VOLATILITY = 0.15
_YEARLY_DRIFT_PER_VOLATILITY = 0.35
_ROWS_AT_ONCE = 20_000
_TICK_NOISE = 0.6e-4  # of the price: a cent or two for a 200 dollar share

# (average daily volume, seconds between ticks, spread as a part of the price), most liquid first
_LIQUIDITY = (
    (20_000_000, 0.25, 0.4e-4),
    (5_000_000, 0.25, 1e-4),
    (1_000_000, 0.5, 3e-4),
    (0, 2.0, 8e-4),
)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Prices in units at many moments: what buyers bid, sellers ask, and the last trade."""

    bid: Units
    ask: Units
    last: Units


class Path(Protocol):
    """What gives the prices of one symbol at any moments (seconds since 1970)."""

    tick_seconds: float

    def ticks(self, seconds: Floats) -> Ticks: ...


def mixed(key: Key, numbers: Units) -> NDArray[np.uint64]:
    """Scramble whole numbers into evenly spread ones (the splitmix64 finaliser)."""
    mixing = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ key
    mixing = (mixing ^ (mixing >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixing = (mixing ^ (mixing >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixing ^ (mixing >> np.uint64(31))


def between_zero_and_one(key: Key, numbers: Units) -> Floats:
    """Give an evenly spread fraction for each number."""
    fractions: Floats = (mixed(key, numbers) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return fractions


def key_of(seed: int, *names: str) -> np.uint64:
    """Derive the 64-bit key of a random choice from the seed and what it is for."""
    text = ":".join((str(seed), *names)).encode()
    return np.uint64(int.from_bytes(blake2b(text, digest_size=8).digest()))


def around(middle: Floats, last: Floats | None, spread: float) -> Ticks:
    """Round prices to what may be quoted and put a bid and an ask around them."""
    step = np.where(middle >= 1.0, _CENT, 1).astype(np.int64)
    units = middle * UNITS_PER_DOLLAR
    half = units * spread / 2
    bid = np.maximum(np.floor((units - half) / step).astype(np.int64), 1) * step
    ask = np.maximum(np.ceil((units + half) / step).astype(np.int64) * step, bid + step)
    if last is None:
        return Ticks(bid, ask, np.maximum(np.rint(units / step).astype(np.int64), 1) * step)
    return Ticks(bid, ask, np.where(last < 0.5, bid, ask))  # noqa: PLR2004 - a fair coin


def dollars(units: SupportsInt) -> Decimal:
    """Turn units into the exact price."""
    price = int(units) * _QUANTUM
    return price.quantize(_TWO_PLACES) if price >= 1 else price.quantize(_QUANTUM)


def liquidity_of(asset: Asset) -> tuple[float, float]:
    """Give the seconds between ticks and the relative spread of an asset."""
    return next(
        (tick, spread) for least, tick, spread in _LIQUIDITY if asset.average_volume >= least
    )


class NoisePath:
    """The endless random path of one asset."""

    def __init__(self, seed: int, asset: Asset) -> None:
        self.tick_seconds, self._spread = liquidity_of(asset)
        self._base = float(asset.base_price)
        self._drift = _YEARLY_DRIFT_PER_VOLATILITY * min(asset.volatility, 0.30)
        self._side_key = key_of(seed, asset.symbol, "side")
        self._tick_key = key_of(seed, asset.symbol, "tick")
        shared = asset.beta * _MARKET_VOLATILITY
        own = max(asset.volatility**2 - shared**2, (0.1 * asset.volatility) ** 2) ** 0.5
        self._keys = np.concatenate(
            (_octave_keys(seed, "the whole market"), _octave_keys(seed, asset.symbol))
        )
        self._amplitudes = np.concatenate((shared * _AMPLITUDES, own * _AMPLITUDES))

    def ticks(self, seconds: Floats) -> Ticks:
        """Give the prices at these moments."""
        ticks = np.floor(seconds / self.tick_seconds).astype(np.int64)
        middle = np.empty(len(ticks))
        for start in range(0, len(ticks), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            middle[rows] = self._middle(ticks[rows])
        return around(middle, between_zero_and_one(self._side_key, ticks), self._spread)

    def _middle(self, ticks: Units) -> Floats:
        seconds = ticks * self.tick_seconds
        position = seconds[:, None] / _PERIODS_TWICE
        knot = np.floor(position)
        along = position - knot
        knots = knot.astype(np.int64)
        before, after = _heights(self._keys, knots), _heights(self._keys, knots + 1)
        noise = before + (after - before) * (along * along * (3.0 - 2.0 * along))
        jitter = 2.0 * between_zero_and_one(self._tick_key, ticks) - 1.0
        log_price = noise @ self._amplitudes + _TICK_NOISE * jitter
        log_price += self._drift * (seconds - _REFERENCE) / _YEAR
        prices: Floats = self._base * np.exp(log_price)
        return prices


def _octave_keys(seed: int, name: str) -> NDArray[np.uint64]:
    keys = [key_of(seed, name, str(octave)) for octave in range(len(_PERIODS))]
    return np.array(keys, dtype=np.uint64)


def _heights(keys: NDArray[np.uint64], knots: Units) -> Floats:
    return 2.0 * between_zero_and_one(keys, knots) - 1.0
