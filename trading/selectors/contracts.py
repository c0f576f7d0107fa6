"""What one contract of a symbol stands for, by which fills are worth more than price times size."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from market import selectors as market

ONE: Final = Decimal(1)


def multipliers_of(symbols: Collection[str]) -> Mapping[str, Decimal]:
    """Say for how many of what its price is told one of each symbol stands: 1 for shares."""
    listed = market.list_instruments(symbols=symbols)
    return {name: listed[name].multiplier if name in listed else ONE for name in symbols}


def multiplier_of(symbol: str) -> Decimal:
    """Say the same of one symbol."""
    return multipliers_of([symbol])[symbol]
