"""Words, tickers and texts that several shapes share."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import (
    StrictCharField,
)
from core.money import Money, Price, Quantity


class Word(StrictCharField):
    """One of a few words, however its letters and the gaps in it are written."""

    def __init__(self, words: list[str], **kwargs: Any) -> None:
        self.words = words
        self._known = {_plain(word): word for word in words}
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        word = self._known.get(_plain(super().to_internal_value(data)))
        if word is None:
            raise serializers.ValidationError(f"Must be one of {', '.join(self.words)}.")
        return word


def _plain(word: str) -> str:
    return re.sub(r"[ _-]", "", word).upper()


@extend_schema_field({"type": "string", "format": "date-time"})
class Moment(serializers.Field[datetime, Any, Any, Any]):
    """A date or a time; one without a zone is meant in UTC."""

    default_error_messages = {"moment": "Write a date or a time, like 2026-01-31T15:00:00Z."}

    def to_internal_value(self, data: Any) -> datetime:
        try:
            at = datetime.fromisoformat(data)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            self.fail("moment")


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
