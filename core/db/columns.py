"""Columns for money, prices and quantities, and the checks that keep NaN out of them."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

# More than any column holds. PostgreSQL sorts NaN above every number, so this bound keeps it out;
# a bound of NaN itself would differ from itself at every `makemigrations`.
BEYOND = Decimal(10) ** 16

if TYPE_CHECKING:  # only the stubs know that the field is generic
    _DecimalField = models.DecimalField[Any, Any]
else:
    _DecimalField = models.DecimalField


class MoneyColumn(_DecimalField):
    """US dollars with two places."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 18, "decimal_places": 2} | kwargs)


class PriceColumn(_DecimalField):
    """US dollars per share with nine places, so that crypto fits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 24, "decimal_places": 9} | kwargs)


class QuantityColumn(_DecimalField):
    """Shares or coins with nine places."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 24, "decimal_places": 9} | kwargs)


def positive(column: str, *, name: str) -> models.CheckConstraint:
    """Demand a value above zero that is not NaN."""
    return models.CheckConstraint(
        condition=Q(**{f"{column}__gt": 0}) & Q(**{f"{column}__lt": BEYOND}), name=name
    )


def finite(column: str, *, name: str) -> models.CheckConstraint:
    """Demand any number but NaN."""
    return models.CheckConstraint(condition=Q(**{f"{column}__lt": BEYOND}), name=name)
