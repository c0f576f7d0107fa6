"""A made-up tape of trades, quotes and bars, some of which are bad, and what is true after it."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeVar

from market.facts import Band, Bar, BestPrices, Trade

SECOND_NS: Final = 1_000_000_000
_START_NS: Final = 1_772_812_800 * SECOND_NS
_STEP_NS: Final = 400_000
_TICKS_A_BATCH: Final = 100
_BATCHES_A_BAND: Final = 200
_QUOTES, _BARS = 12, 2  # of a batch
# Prices are whole ten-thousandths of a dollar, which floats and decimals name alike.
_PLACES: Final = 4
_NO_PRICES: Final = (0, 0.0, -0.01, -25.5, math.nan, math.inf, -math.inf, 1e308, None, "9", True)
_NO_TIMES: Final[tuple[Callable[[int], object], ...]] = (
    lambda now_ns: now_ns + 61 * SECOND_NS,
    lambda now_ns: now_ns - 25 * 3600 * SECOND_NS,
    lambda _: 0,
    lambda _: None,
    str,
)


Said = TypeVar("Said", Trade, BestPrices, Bar)


@dataclass(frozen=True)
class Batch:
    """What comes at once, and when."""

    now_ns: int
    trades: list[Trade] = field(default_factory=list)
    quotes: list[BestPrices] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.trades) + len(self.quotes) + len(self.bars)


@dataclass
class Truth:
    """What whoever reads the tape with care knows at its end."""

    prices: dict[str, Decimal] = field(default_factory=dict)
    doubted: set[str] = field(default_factory=set)
    injected: Counter[str] = field(default_factory=Counter)


class Tape:
    """
    Writes batches one by one, and keeps the truth.

    The first quarter of the symbols has bands, and the last two have been halted.
    """

    def __init__(self, symbols: list[str], *, bad_share: float, seed: int) -> None:
        self.truth = Truth()
        self.halted = symbols[-2:]
        self._random = random.Random(seed)
        self._traded = symbols[:-2]
        self._banded = symbols[: len(symbols) // 4]
        self._bad_share = bad_share
        self._prices = {symbol: self._random.randint(50_000, 5_000_000) for symbol in symbols}
        self._at_ns = dict.fromkeys(symbols, _START_NS)
        self._limits: dict[str, tuple[int, int]] = {}
        self._now_ns = _START_NS
        self.closes = {symbol: _decimal(price) for symbol, price in self._prices.items()}
        self.truth.prices = dict(self.closes)

    @property
    def now_ns(self) -> int:
        """The time on the tape."""
        return self._now_ns

    def batches(self, ticks: int) -> Iterator[Batch]:
        """Write so many ticks."""
        for index in range(ticks // _TICKS_A_BATCH):
            is_band_due = index % _BATCHES_A_BAND == 0
            bands = [self._band(symbol) for symbol in self._banded] if is_band_due else []
            trades = _TICKS_A_BATCH - _QUOTES - _BARS
            yield Batch(
                bands=bands,
                trades=[self._write(self._trade, self._bad_trade) for _ in range(trades)],
                quotes=[self._write(self._quote, self._bad_quote) for _ in range(_QUOTES)],
                bars=[self._write(self._bar, self._bad_bar) for _ in range(_BARS)],
                now_ns=self._now_ns,
            )

    def _write(self, good: Callable[[str], Said], bad: Callable[[str], Said]) -> Said:
        self._now_ns += _STEP_NS
        is_bad = self._random.random() < self._bad_share
        return (bad if is_bad else good)(self._random.choice(self._traded))

    def _bad(self, why: str, symbol: str = "") -> None:
        self.truth.injected[why] += 1
        if symbol:
            self.truth.doubted.add(symbol)

    def _choose(self, *kinds: Callable[[str], Any]) -> Callable[[str], Any]:
        return self._random.choice(kinds)

    # What is true

    def _trade(self, symbol: str) -> Trade:
        self._at_ns[symbol] = self._now_ns
        return Trade(symbol, _float(self._move(symbol)), self._now_ns)

    def _quote(self, symbol: str) -> BestPrices:
        price = self._prices[symbol]
        return BestPrices(symbol, _float(price - 1), _float(price + 1), self._now_ns)

    def _bar(self, symbol: str) -> Bar:
        start_ns = self._minute()
        self._at_ns[symbol] = max(self._at_ns[symbol], start_ns)
        return Bar(symbol, _float(self._move(symbol)), start_ns)

    def _band(self, symbol: str) -> Band:
        price = self._prices[symbol]
        low, high = self._limits[symbol] = price * 9 // 10, price * 11 // 10
        return Band(symbol, _float(low), _float(high), self._now_ns)

    def _move(self, symbol: str) -> int:
        low, high = self._limits.get(symbol, (50_000, 5_000_000))
        price = self._prices[symbol]
        price += round(price * self._random.uniform(-0.002, 0.002))
        self._prices[symbol] = price = min(max(price, low), high)
        self.truth.prices[symbol] = _decimal(price)
        self.truth.doubted.discard(symbol)
        return price

    # What is not

    def _bad_trade(self, symbol: str) -> Trade:
        kinds = (
            self._worthless, self._jumped, self._late, self._impossible, self._stopped,
            self._outside, self._unknown,
        )  # fmt: skip
        trade: Trade = self._choose(*kinds)(symbol)
        return trade

    def _worthless(self, symbol: str) -> Trade:
        self._bad("price")
        return Trade(symbol, self._random.choice(_NO_PRICES), self._now_ns)

    def _jumped(self, symbol: str) -> Trade:
        self._bad("jump", symbol)
        return Trade(symbol, _float(self._far(symbol)), self._now_ns)

    def _late(self, symbol: str) -> Trade:
        self._bad("older")
        at_ns = self._at_ns[symbol] - self._random.choice((1, SECOND_NS, 3600 * SECOND_NS))
        return Trade(symbol, _float(self._prices[symbol]), at_ns)

    def _impossible(self, symbol: str) -> Trade:
        self._bad("time")
        at_ns = self._random.choice(_NO_TIMES)(self._now_ns + SECOND_NS)
        return Trade(symbol, _float(self._prices[symbol]), at_ns)

    def _stopped(self, _symbol: str) -> Trade:
        self._bad("halted")
        symbol = self._random.choice(self.halted)
        return Trade(symbol, _float(self._prices[symbol] + 7), self._now_ns)

    def _outside(self, _symbol: str) -> Trade:
        symbol = self._random.choice(self._banded)
        self._bad("band", symbol)
        low, high = self._limits[symbol]
        return Trade(symbol, _float(self._random.choice((low - 1, high + 1))), self._now_ns)

    def _unknown(self, _symbol: str) -> Trade:
        self._bad("not_followed")
        return Trade("NOBODY", 10.0, self._now_ns)

    def _bad_quote(self, symbol: str) -> BestPrices:
        price, worthless = self._prices[symbol], self._random.choice(_NO_PRICES)
        bid, ask = _float(price - 1), _float(price + 1)
        far = _float(self._far(symbol))
        kinds: tuple[tuple[str, object, object], ...] = (
            ("price", worthless, ask),
            ("price", bid, worthless),
            ("crossed", ask, bid),
            ("jump", min(bid, far), max(ask, far)),
        )
        why, bid_said, ask_said = self._random.choice(kinds)
        self._bad(why)
        return BestPrices(symbol, bid_said, ask_said, self._now_ns)

    def _bad_bar(self, symbol: str) -> Bar:
        kind = self._random.choice(("price", "jump", "time"))
        self._bad(kind, symbol if kind == "jump" else "")
        if kind == "price":
            return Bar(symbol, self._random.choice(_NO_PRICES), self._minute())
        if kind == "jump":
            return Bar(symbol, _float(self._far(symbol)), self._minute())
        return Bar(symbol, _float(self._prices[symbol]), self._now_ns + 62 * SECOND_NS)

    def _far(self, symbol: str) -> int:
        price = self._prices[symbol]
        return self._random.choice((price * 10 + 1, price * 99, (price - 10) // 10, price // 50))

    def _minute(self) -> int:
        return self._now_ns // (60 * SECOND_NS) * 60 * SECOND_NS


def _float(price: int) -> float:
    return price / 10**_PLACES


def _decimal(price: int) -> Decimal:
    return Decimal(price).scaleb(-_PLACES)
