"""The JSON of an account's cash."""

from typing import Any

from rest_framework import serializers

from core.api.fields import StrictSerializer
from ledger.models import Entry
from ledger.selectors import Cash


class CashAnswer(serializers.Serializer[Cash]):
    """All of it, what is held back, and what is free; `as_of` is null before the first check."""

    total = serializers.DecimalField(max_digits=18, decimal_places=2, read_only=True)
    held = serializers.DecimalField(max_digits=18, decimal_places=2, read_only=True)
    available = serializers.DecimalField(max_digits=18, decimal_places=2, read_only=True)
    currency = serializers.SerializerMethodField()
    as_of = serializers.DateTimeField(read_only=True, allow_null=True)
    is_complete = serializers.BooleanField(read_only=True)

    def get_currency(self, _cash: Cash) -> str:
        """Return the one currency there is."""
        return "USD"


class LedgerQuery(StrictSerializer):
    ignores_unknown = True
    limit = serializers.IntegerField(min_value=1, max_value=200, required=False, default=50)
    before = serializers.UUIDField(required=False, default=None, allow_null=True)


class EntryAnswer(serializers.Serializer[Entry]):
    """A movement of cash; the amount is above zero when it came into the account."""

    id = serializers.UUIDField(read_only=True)
    kind = serializers.CharField(read_only=True)
    amount = serializers.DecimalField(
        source="cash_effect", max_digits=18, decimal_places=2, read_only=True
    )
    symbol = serializers.SerializerMethodField()
    reference = serializers.UUIDField(read_only=True, allow_null=True)
    occurred_at = serializers.DateTimeField(read_only=True)

    def get_symbol(self, entry: Entry) -> str | None:
        """Return nothing for what is about no security."""
        return entry.symbol or None


class LedgerAnswer(serializers.Serializer[Any]):
    """A page of entries; `next` is the `before` of the next page, or null on the last one."""

    entries = EntryAnswer(many=True, read_only=True)
    next = serializers.UUIDField(source="before", read_only=True, allow_null=True)
