"""
How a price moves: a pure function of (seed, symbol, time), so that a restart continues the path.

The logarithm of a price is a slow drift plus noise in octaves from a year down to a second, part of
it shared by the whole market in proportion to the asset's beta. Prices count in small units, of
which a share's dollar has 10,000 and a coin's a billion.
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

_COIN_UNITS = 1_000_000_000
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
_COIN_LIQUIDITY = (0.5, 4e-4)


@dataclass(frozen=True, slots=True)
class Scale:
    """How finely a price is told: the units of a dollar, and by how many of them it moves."""

    units_per_dollar: int
    step: int
    step_below_a_dollar: int

    @property
    def least(self) -> Decimal:
        """The smallest price there is."""
        return Decimal(self.step_below_a_dollar) / self.units_per_dollar

    def dollars(self, units: SupportsInt) -> Decimal:
        """Turn units into the exact price."""
        price = Decimal(int(units)) / self.units_per_dollar
        step = self.step if price >= 1 else self.step_below_a_dollar
        return price.quantize(Decimal(step) / self.units_per_dollar)


# A cent, and a hundredth of one below a dollar.
SHARES = Scale(10_000, 100, 1)


def scale_of(asset: Asset) -> Scale:
    """Give the scale of an asset; a coin is told with nine digits, wherever its point is."""
    if not asset.is_coin:
        return SHARES
    step = 10 ** max(asset.base_price.adjusted() + 1, 0)
    return Scale(_COIN_UNITS, step, step)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Prices in units at many moments: what buyers bid, sellers ask, and the last trade."""

    bid: Units
    ask: Units
    last: Units
    scale: Scale = SHARES


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


def around(middle: Floats, last: Floats | None, spread: float, *, scale: Scale = SHARES) -> Ticks:
    """Round prices to what may be quoted and put a bid and an ask around them."""
    step = np.where(middle >= 1.0, scale.step, scale.step_below_a_dollar).astype(np.int64)
    units = middle * scale.units_per_dollar
    half = units * spread / 2
    bid = np.maximum(np.floor((units - half) / step).astype(np.int64), 1) * step
    ask = np.maximum(np.ceil((units + half) / step).astype(np.int64) * step, bid + step)
    if last is None:
        exact = np.maximum(np.rint(units / step).astype(np.int64), 1) * step
        return Ticks(bid, ask, exact, scale)
    is_sale = last < 0.5  # noqa: PLR2004 - heads or tails
    return Ticks(bid, ask, np.where(is_sale, bid, ask), scale)


def liquidity_of(asset: Asset) -> tuple[float, float]:
    """Give the seconds between ticks and the relative spread of an asset."""
    if asset.is_coin:  # their volumes are no measure: a bitcoin is dear
        return _COIN_LIQUIDITY
    return next(
        (tick, spread) for least, tick, spread in _LIQUIDITY if asset.average_volume >= least
    )


class NoisePath:
    """The endless random path of one asset."""

    def __init__(self, seed: int, asset: Asset) -> None:
        self.tick_seconds, self._spread = liquidity_of(asset)
        self._base, self._scale = float(asset.base_price), scale_of(asset)
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
        sides = between_zero_and_one(self._side_key, ticks)
        return around(middle, sides, self._spread, scale=self._scale)

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
