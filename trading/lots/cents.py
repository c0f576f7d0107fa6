"""Dividing dollars and shares so that the parts always make up the whole."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
NANO: Final = Decimal("1e-9")
ZERO: Final = Decimal(0)
# Products of two columns have up to 48 digits, and a quotient is cut far behind the last cent.
_WIDE: Final = Context(prec=80, rounding=ROUND_HALF_EVEN)


def value_of(quantity: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
    """Multiply, rounded half to even to whole cents as the cash ledger does."""
    exact = _WIDE.multiply(_WIDE.multiply(quantity, price), multiplier)
    return exact.quantize(CENT, context=_WIDE)


def part_of(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Take a part of so many dollars, in whole cents; the rest is what is left of the total."""
    return _WIDE.divide(_WIDE.multiply(total, part), whole).quantize(CENT, context=_WIDE)


def per_share(total: Decimal, quantity: Decimal) -> Decimal:
    """Divide dollars by shares, to nine places."""
    return _WIDE.divide(total, quantity).quantize(NANO, context=_WIDE)


def spread(total: Decimal, weights: Sequence[Decimal], *, unit: Decimal) -> list[Decimal]:
    """
    Divide a total by weights into multiples of `unit` that make it up exactly.

    What rounding down leaves goes, a unit each, to the largest fractions (the first of equals).
    """
    whole = sum(weights, ZERO)
    exact = [_WIDE.divide(_WIDE.multiply(total, weight), whole) for weight in weights]
    parts = [part.quantize(unit, rounding=ROUND_DOWN, context=_WIDE) for part in exact]
    missing = total - sum(parts, ZERO)
    step = unit.copy_sign(missing)
    places = sorted(range(len(parts)), key=lambda place: -abs(exact[place] - parts[place]))
    for place in places[: int(abs(missing) / unit)]:
        parts[place] += step
    return parts
