"""Serializer fields that accept one spelling of a value and refuse to guess."""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.money import Money, NotAnAmount, Price, Quantity, parse_decimal

_MOST_COMBINING_MARKS = 8
_JOINERS = "\u200c\u200d"  # needed by emoji and by several scripts
_MANY_UNKNOWN_KEYS = 5
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class _ExactNumber(serializers.Field[Decimal, Any, Any, Any]):
    """
    A number above zero, as a string or a JSON number; its validated value is a Decimal.

    The text is what counts: no sign, exponent, underscore, space or foreign digits, and never
    more decimals than the kind has.
    """

    default_error_messages = {
        "invalid": "Write plain digits with at most {places} decimal places.",
        "zero": "Must be more than zero.",
        "min": "Must be at least {limit}.",
        "max": "Must be at most {limit}.",
    }
    places: int = 2

    def __init__(
        self,
        *,
        minimum: Decimal | None = None,
        maximum: Decimal | None = None,
        allow_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.allow_zero = allow_zero
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            amount = parse_decimal(_text_of(data), places=self.places)
        except NotAnAmount:
            self.fail("invalid", places=self.places)
        if not amount and not self.allow_zero:
            self.fail("zero")
        if self.minimum is not None and amount < self.minimum:
            self.fail("min", limit=self.minimum)
        if self.maximum is not None and amount > self.maximum:
            self.fail("max", limit=self.maximum)
        return self.stored(amount)

    def stored(self, amount: Decimal) -> Decimal:
        """Write equal amounts equally, so that equal requests have equal fingerprints."""
        return Quantity(amount).amount


def _text_of(data: Any) -> str:
    """Take the text of a string, or of a number as `core.exact_json` reads it; a float has none."""
    if not isinstance(data, str | int | Decimal):
        raise NotAnAmount("Not a number.")
    return str(data)


@extend_schema_field({"type": "string", "pattern": r"^\d{1,12}(\.\d{1,2})?$", "example": "100.00"})
class MoneyField(_ExactNumber):
    """US dollars; answered as a string with two places."""

    def stored(self, amount: Decimal) -> Decimal:
        return Money(amount).amount

    def to_representation(self, value: Any) -> Any:
        return str(_money(value))


@extend_schema_field({"type": "number", "format": "decimal", "example": 100.00})
class ReferenceMoney(MoneyField):
    """US dollars in a reference shape; answered as a JSON number with its exact text."""

    def to_representation(self, value: Any) -> Any:
        return _money(value).amount


@extend_schema_field({"type": "string", "pattern": r"^\d{1,12}(\.\d{1,9})?$", "example": "1.5"})
class QuantityField(_ExactNumber):
    """Shares or coins; answered as a string without needless zeros."""

    places = 9

    def to_representation(self, value: Any) -> Any:
        return str(value if isinstance(value, Quantity) else Quantity(value))


@extend_schema_field({"type": "string", "pattern": r"^\d{1,12}(\.\d{1,9})?$", "example": "189.87"})
class PriceField(_ExactNumber):
    """Dollars per share; pass `places=9` where crypto is meant."""

    def __init__(self, *, places: int = 4, **kwargs: Any) -> None:
        self.places = places
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> Any:
        return str(value if isinstance(value, Price) else Price(value))


def _money(value: Any) -> Money:
    """Refuse to round on the way out: a column of two places never needs it."""
    return value if isinstance(value, Money) else Money(value)


class StrictCharField(serializers.CharField):
    """
    Text in its composed Unicode form, without characters that hide or reorder others.

    `multiline` lets line breaks and tabs through; `prose` also the joiners of emoji.
    """

    default_error_messages = {
        "invalid": "Must be a text.",
        "characters": "Has a control, invisible or direction-changing character.",
        "marks": "Has too many combining marks on one character.",
    }

    def __init__(self, *, multiline: bool = False, prose: bool = False, **kwargs: Any) -> None:
        self._allowed = ("\n\r\t" if multiline else "") + (_JOINERS if prose else "")
        super().__init__(**kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Refuse before trimming, which would hide some of these characters."""
        if isinstance(data, str):
            data = unicodedata.normalize("NFC", data)
            self._refuse_characters(data)
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def _refuse_characters(self, text: str) -> None:
        if text.isascii() and text.isprintable():
            return
        marks = 0
        for character in text:
            category = unicodedata.category(character)
            if character not in self._allowed and category in _HIDDEN:
                self.fail("characters")
            marks = marks + 1 if category in {"Mn", "Me"} else 0
            if marks > _MOST_COMBINING_MARKS:
                self.fail("marks")


# Control, format (zero-width and bidirectional), surrogate, private use, line and paragraph breaks.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class StrictEmailField(StrictCharField, serializers.EmailField):
    """
    An e-mail address in the one spelling that can be compared, but for its case.

    Django takes letters that only look like others, or become others in lower case, and quotes
    around a name that is the same without them.
    """

    default_error_messages = {
        "invalid": "Write an e-mail address, such as ada@example.com.",
        "spelling": "Write it without quotes, in the letters a to z; a foreign domain as xn--….",
    }

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.isascii() or '"' in text:
            self.fail("spelling")
        return text


class StrictListField(serializers.ListField):
    """A list that is measured before its items are looked at: each wrong one costs an answer."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`; DRF's own also takes 1, "yes" and "off"."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input="")
        return data


class StrictSerializer(serializers.Serializer[Any]):
    """
    Refuses keys it does not know, so that a misspelled field is not silently without effect.

    Reference shapes set `ignores_unknown = True`: the original's frontend sends more than it needs.
    """

    ignores_unknown: ClassVar[bool] = False

    def to_internal_value(self, data: Any) -> Any:
        unknown = {} if self.ignores_unknown else self._unknown_keys(data)
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if unknown and isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **unknown}) from error
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return value

    def _unknown_keys(self, data: Any) -> dict[str, list[str]]:
        if not isinstance(data, Mapping):
            return {}
        known = {name for name, field in self.fields.items() if not field.read_only}
        unknown = sorted(str(key) for key in data if key not in known)[:_MANY_UNKNOWN_KEYS]
        return {
            key if _PLAIN_KEY.fullmatch(key) else "(unreadable key)": ["This field is not known."]
            for key in unknown
        }
