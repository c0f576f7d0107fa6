"""Dollars, prices and quantities that cannot be mixed up, or rounded by accident."""

import decimal
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import ClassVar, Self

# Products of two 24-digit columns have 48 digits. Within this context nothing is ever rounded:
# a result that does not fit raises instead.
_EXACT = Context(
    prec=80,
    traps=[
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.FloatOperation,
        decimal.Inexact,
    ],
)
_ROUNDING = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[decimal.InvalidOperation])
_LIMIT = Decimal(10) ** 15
_UNITS = {places: Decimal(1).scaleb(-places) for places in (2, 4, 9)}
_GRAMMAR = {
    places: re.compile(rf"\d{{1,12}}(?:\.\d{{1,{places}}})?", re.ASCII) for places in (2, 4, 9)
}


class NotAnAmount(ValueError):
    """The value is not an exact, finite, sufficiently small decimal number."""


def parse_decimal(text: str, *, places: int) -> Decimal:
    """
    Read plain digits with at most `places` decimals: no sign, exponent, underscore or space.

    :raises NotAnAmount: anything else, digits of other scripts included.
    """
    if not isinstance(text, str) or not _GRAMMAR[places].fullmatch(text):
        raise NotAnAmount(f"Write up to 12 digits and at most {places} decimal places.")
    return Decimal(text)


def plain(number: Decimal, *, least_places: int = 0) -> str:
    """Write a number with all its digits, and no zeros at the end beyond so many places."""
    whole, _, fraction = format(number, "f").partition(".")
    fraction = fraction.rstrip("0").ljust(least_places, "0")
    return f"{whole}.{fraction}" if fraction else whole


def install_decimal_traps() -> None:
    """Make mixing `float` and `Decimal` raise, in this thread and in all that start later."""
    for context in (decimal.DefaultContext, decimal.getcontext()):
        context.traps[decimal.FloatOperation] = True


@dataclass(frozen=True, order=True, slots=True, init=False)
class _Figure:
    """An exact number of one kind; arithmetic and comparison stay within the kind."""

    amount: Decimal
    places: ClassVar[int] = 9
    least_places: ClassVar[int] = 0
    may_be_negative: ClassVar[bool] = True

    def __init__(self, amount: Decimal | int) -> None:
        object.__setattr__(self, "amount", self._tidied(self._checked(amount)))

    @classmethod
    def _checked(cls, amount: object) -> Decimal:
        """Refuse what is not exact, finite and of a sensible size; types do not bind callers."""
        if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
            raise NotAnAmount(f"{cls.__name__} is made of Decimal or int.")
        exact = Decimal(amount)
        if not exact.is_finite() or abs(exact) >= _LIMIT:
            raise NotAnAmount(f"{cls.__name__} must be finite and below 10^15.")
        if exact < 0 and not cls.may_be_negative:
            raise NotAnAmount(f"{cls.__name__} is not negative.")
        return exact

    @classmethod
    def _tidied(cls, exact: Decimal) -> Decimal:
        """Write equal numbers equally: no needless zeros, no negative zero."""
        try:
            tidy = exact.quantize(_UNITS[cls.places], context=_EXACT)
        except decimal.Inexact:
            raise NotAnAmount(f"{cls.__name__} has at most {cls.places} places.") from None
        if cls.least_places < cls.places:
            tidy = Decimal(plain(tidy, least_places=cls.least_places))
        return tidy or abs(tidy)  # there is no negative zero

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read text as clients and vendors write it.

        :raises NotAnAmount: when it is not plain digits with few enough decimals.
        """
        return cls(parse_decimal(text, places=cls.places))

    def __str__(self) -> str:
        return format(self.amount, "f")

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(_EXACT.add(self.amount, other.amount))

    def __sub__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(_EXACT.subtract(self.amount, other.amount))

    def __neg__(self) -> Self:
        return type(self)(_EXACT.minus(self.amount))

    def __abs__(self) -> Self:
        return type(self)(_EXACT.abs(self.amount))


@dataclass(frozen=True, order=True, slots=True, init=False)
class Money(_Figure):
    """US dollars with two places; negative where something is owed."""

    places: ClassVar[int] = 2
    least_places: ClassVar[int] = 2

    @classmethod
    def rounded(cls, amount: Decimal) -> Self:
        """Round half to even; the one place where a fraction of a cent may be lost."""
        if not isinstance(amount, Decimal) or not amount.is_finite():
            raise NotAnAmount("Only a finite Decimal can be rounded to money.")
        if abs(amount) >= _LIMIT:
            raise NotAnAmount(f"{cls.__name__} must be finite and below 10^15.")
        return cls(amount.quantize(Decimal("0.01"), context=_ROUNDING))

    def __mul__(self, count: int) -> Self:
        if isinstance(count, bool) or not isinstance(count, int):
            return NotImplemented
        return type(self)(_EXACT.multiply(self.amount, Decimal(count)))


@dataclass(frozen=True, order=True, slots=True)
class Unrounded:
    """Dollars between a product and its rounding: exact, to be summed and rounded once."""

    amount: Decimal

    def __add__(self, other: "Unrounded") -> "Unrounded":
        if not isinstance(other, Unrounded):
            return NotImplemented
        return Unrounded(_EXACT.add(self.amount, other.amount))

    def times(self, multiplier: Decimal) -> "Unrounded":
        """Count contracts for what each of them stands for."""
        return Unrounded(_EXACT.multiply(self.amount, multiplier))

    def to_money(self) -> Money:
        """Round half to even to whole cents."""
        return Money.rounded(self.amount)

    def to_nine_places(self) -> Decimal:
        """Round half to even to what an intermediate column holds."""
        return self.amount.quantize(Decimal("1e-9"), context=_ROUNDING)


@dataclass(frozen=True, order=True, slots=True, init=False)
class Price(_Figure):
    """Dollars for one share or coin. Stocks are quoted with four places, crypto with nine."""

    places: ClassVar[int] = 9
    least_places: ClassVar[int] = 2
    may_be_negative: ClassVar[bool] = False

    @classmethod
    def parse(cls, text: str, *, places: int = 4) -> Self:
        """
        Read a price; pass `places=9` for crypto.

        :raises NotAnAmount: when it is not plain digits with few enough decimals.
        """
        return cls(parse_decimal(text, places=places))


@dataclass(frozen=True, order=True, slots=True, init=False)
class Quantity(_Figure):
    """Shares or coins with nine places; negative where they are owed."""

    places: ClassVar[int] = 9

    def __mul__(self, price: Price) -> Unrounded:
        if not isinstance(price, Price):
            return NotImplemented
        return Unrounded(_EXACT.multiply(self.amount, price.amount))
