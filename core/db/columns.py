"""Columns for money, prices and quantities, and the checks that keep NaN out of them."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q

NAN = Decimal("NaN")


class MoneyColumn(models.DecimalField[Any, Any]):
    """US dollars with two places."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 18, "decimal_places": 2} | kwargs)


class PriceColumn(models.DecimalField[Any, Any]):
    """US dollars per share with nine places, so that crypto fits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 24, "decimal_places": 9} | kwargs)


class QuantityColumn(models.DecimalField[Any, Any]):
    """Shares or coins with nine places."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 24, "decimal_places": 9} | kwargs)


def positive(column: str, *, name: str) -> models.CheckConstraint:
    """Demand a value above zero. NaN sorts above every number in PostgreSQL, so it is named."""
    return models.CheckConstraint(
        condition=Q(**{f"{column}__gt": 0}) & Q(**{f"{column}__lt": NAN}), name=name
    )


def finite(column: str, *, name: str) -> models.CheckConstraint:
    """Demand any number but NaN."""
    return models.CheckConstraint(condition=Q(**{f"{column}__lt": NAN}), name=name)
