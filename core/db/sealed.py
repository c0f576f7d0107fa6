"""Columns that hold sealed values, and the words that bind each value to its place."""

from typing import TYPE_CHECKING, Any

from django.db import models

from core import crypto

if TYPE_CHECKING:  # only the stubs know that the field is generic
    _BinaryField = models.BinaryField[Any, Any]
else:
    _BinaryField = models.BinaryField


class SealedColumn(_BinaryField):
    """
    Bytes that `core.crypto.seal` made; `core.resealing` finds them by this class.

    Seal with `seal_into` and open with `open_from`, which bind a value to table, column and row.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"editable": False} | kwargs)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Look like the plain column it is in the database."""
        name, _, positional, named = super().deconstruct()
        return name, "django.db.models.BinaryField", list(positional), named


def bound_to(row: models.Model, column: str) -> str:
    """Name the place of a sealed value, so that it opens nowhere else."""
    return place(row._meta.label, column, row.pk)  # noqa: SLF001 - Django's name for it


def place(label: str, column: str, key: object) -> str:
    """Name the place of a sealed value by model, column and primary key."""
    return f"{label}.{column}.{key}"


def seal_into(row: models.Model, column: str, plain: bytes) -> None:
    """Seal a value for this place of this row; the caller saves."""
    setattr(row, column, crypto.seal(plain, bound_to=bound_to(row, column)))


def open_from(row: models.Model, column: str) -> bytes:
    """
    Open the sealed value in this place.

    :raises Unsealable: it was erased, changed, or made for another place.
    """
    sealed = getattr(row, column)
    if not sealed:
        raise crypto.Unsealable("The sealed value has been erased.")
    return crypto.unseal(bytes(sealed), bound_to=bound_to(row, column))
