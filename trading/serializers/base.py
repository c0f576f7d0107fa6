"""Words, tickers and texts that several shapes share."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from core.api.fields import (
    StrictCharField,
)
from core.money import Money, Price, Quantity


class Word(StrictCharField):
    """One of a few words, in any case of letters."""

    def __init__(self, words: list[str], **kwargs: Any) -> None:
        self.words = words
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        word = super().to_internal_value(data).upper()
        if word not in self.words:
            raise serializers.ValidationError(f"Must be one of {', '.join(self.words)}.")
        return word


class Ticker(StrictCharField):
    """A symbol in capitals; a letter that only turns into a Latin one is refused."""

    default_error_messages = {"ticker": "Use plain letters, digits and signs, like AAPL."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.isascii():
            self.fail("ticker")
        return text.upper()


def text(value: Decimal | None, kind: type[Money] | type[Quantity] | type[Price]) -> str | None:
    return None if value is None else str(kind(value))
