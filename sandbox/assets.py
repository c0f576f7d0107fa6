"""The instruments that exist in the sandbox."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, cast
from uuid import NAMESPACE_URL, uuid5

_DATA = Path(__file__).parent / "data"
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:clera-sandbox:assets")

# The symbol of the data socket's test feed; nobody can hold it.
TEST_SYMBOL = "FAKEPACA"

# What a test may change of an asset.
CHANGEABLE = ("tradable", "fractionable", "is_halted")


def joined(symbol: str) -> str:
    """Write a symbol as positions and activities do: that of a coin without its slash."""
    return symbol.replace("/", "")


def class_of(symbol: str) -> str:
    """Tell the class of an asset by its symbol: only a coin's has a slash."""
    return "crypto" if "/" in symbol else "us_equity"


def id_of(symbol: str) -> str:
    """Give the id an asset of this symbol has in every sandbox."""
    return str(uuid5(_NAMESPACE, symbol))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One instrument; `volatility` is per year, `beta` says how much it moves with the market."""

    symbol: str
    name: str
    exchange: str
    kind: str  # "stock", "etf", "coin" or "test"
    base_price: Decimal
    volatility: float = 0.30
    beta: float = 1.0
    average_volume: int = 1_000_000
    shares_outstanding: int = 0
    sector: str = ""
    industry: str = ""
    status: str = "active"
    tradable: bool = True
    fractionable: bool = True
    marginable: bool = True
    shortable: bool = True
    asset_class: str = "us_equity"
    # Orders are taken, but nothing is traded until the exchange goes on.
    is_halted: bool = False

    @property
    def id(self) -> str:
        """The same UUID for the same symbol, in every sandbox."""
        return id_of(self.symbol)

    @property
    def is_etf(self) -> bool:
        """Say whether it is a fund."""
        return self.kind == "etf"

    @property
    def is_coin(self) -> bool:
        """Say whether it is a coin, which trades all the time."""
        return self.kind == "coin"

    @property
    def easy_to_borrow(self) -> bool:
        """Say whether it can be lent; here all that can be shorted can."""
        return self.shortable

    @property
    def description(self) -> str:
        """One plain sentence about it, made from the other fields."""
        if self.is_etf:
            return f"{self.name} is an exchange-traded fund ({self.industry})."
        if not self.sector:
            return f"{self.name} trades on {self.exchange}."
        return f"{self.name} belongs to the {self.sector} sector ({self.industry})."

    @classmethod
    def from_row(cls, row: dict[str, str]) -> Self:
        """Read one line of a symbols file; only `symbol` and `price` are required."""
        flags = set((row.get("flags") or "").split())
        symbol = row["symbol"].strip().upper()
        is_active = "inactive" not in flags
        is_coin = row.get("kind") == "coin"
        return cls(
            symbol=symbol,
            name=row.get("name") or symbol,
            exchange=row.get("exchange") or "NASDAQ",
            kind=row.get("kind") or "stock",
            base_price=Decimal(row["price"]),
            volatility=float(row.get("volatility") or 30) / 100,
            beta=float(row.get("beta") or 1),
            average_volume=round(float(row.get("volume_thousands") or 1000) * 1000),
            shares_outstanding=round(float(row.get("shares_millions") or 0) * 1_000_000),
            sector=row.get("sector") or "",
            industry=row.get("industry") or "",
            status="active" if is_active else "inactive",
            tradable=is_active and "untradable" not in flags,
            fractionable=is_active and "whole" not in flags,
            shortable=is_active and not is_coin,
            marginable=is_active and not is_coin,
            asset_class=class_of(symbol),
        )


class Catalogue:
    """All assets, by symbol or id; a directory may add more (`symbols.csv`, `SYMBOL.csv` bars)."""

    def __init__(self, extra: Path | None = None) -> None:
        self._by_symbol: dict[str, Asset] = {}
        self._by_id: dict[str, Asset] = {}
        self._by_joined: dict[str, str] = {}
        self._originals: dict[str, Asset] = {}
        # Who wants to hear that an asset is halted, or goes on.
        self.halt_watchers: list[Callable[[Asset], None]] = []
        self._add(_rows_of(_DATA / "symbols.csv"))
        self._add(_rows_of(_DATA / "coins.csv"))
        if extra is not None:
            self._add(_rows_of(extra / "symbols.csv"))
            self._add(_from_bars(extra, known=self.get))

    def __len__(self) -> int:
        return len(self._by_symbol)

    def __iter__(self) -> Iterator[Asset]:
        return iter(self.all())

    def get(self, symbol_or_id: str) -> Asset | None:
        """Find an asset by its symbol (any case; a coin's with or without slash) or its id."""
        symbol = symbol_or_id.upper()
        found = self._by_symbol.get(self._by_joined.get(symbol, symbol))
        return found or self._by_id.get(symbol_or_id.lower())

    def change(self, symbol: str, **flags: bool) -> Asset:
        """Change what can be done with an asset; `restore` undoes it."""
        before = self._by_symbol[symbol]
        self._originals.setdefault(symbol, before)
        asset = replace(before, **cast("dict[str, Any]", flags))
        self._put(asset)
        return asset

    def _put(self, asset: Asset) -> None:
        was_halted = self._by_symbol[asset.symbol].is_halted
        self._add([asset])
        if asset.is_halted != was_halted:
            for watcher in self.halt_watchers:
                watcher(asset)

    def state(self) -> dict[str, dict[str, bool]]:
        """Give what a restart needs: the flags of the changed assets."""
        return {
            symbol: {flag: getattr(self._by_symbol[symbol], flag) for flag in CHANGEABLE}
            for symbol in self._originals
        }

    def restore(self, state: Mapping[str, Mapping[str, bool]]) -> None:
        """Go on from a remembered state; an empty one forgets all changes."""
        for asset in self._originals.values():
            self._put(asset)
        self._originals.clear()
        for symbol, flags in state.items():
            if symbol in self._by_symbol:
                self.change(symbol, **flags)

    def all(self) -> list[Asset]:
        """List every asset, sorted by symbol."""
        return [self._by_symbol[symbol] for symbol in sorted(self._by_symbol)]

    def _add(self, assets: Iterable[Asset]) -> None:
        for asset in assets:
            self._by_symbol[asset.symbol] = asset
            self._by_id[asset.id] = asset
            if asset.is_coin:
                self._by_joined[joined(asset.symbol)] = asset.symbol


def _rows_of(path: Path) -> Iterator[Asset]:
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Asset.from_row(row)


def _from_bars(directory: Path, *, known: Callable[[str], Asset | None]) -> list[Asset]:
    found = []
    for path in sorted(directory.glob("*.csv")):
        symbol = path.stem.upper()
        if symbol == "SYMBOLS" or known(symbol) is not None:
            continue
        with path.open(newline="", encoding="utf-8") as file:
            first = next(csv.DictReader(file), None)
        if first is not None:
            columns = {name.strip().lower(): value for name, value in first.items()}
            found.append(Asset.from_row({"symbol": symbol, "price": columns["close"]}))
    return found
