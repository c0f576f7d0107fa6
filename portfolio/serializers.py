"""The JSON of the portfolio app; the record itself is written by `portfolio.live.records`."""

from typing import Any

from rest_framework import serializers


class PositionValue(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    quantity = serializers.CharField()
    average_entry_price = serializers.CharField()
    price = serializers.CharField(allow_null=True)
    previous_close = serializers.CharField(allow_null=True)
    market_value = serializers.CharField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)


class LiveRecord(serializers.Serializer[Any]):
    """What an account is worth; `null` where that is not known."""

    type = serializers.ChoiceField(["snapshot", "update"])
    account_id = serializers.CharField()
    total_value = serializers.CharField(allow_null=True, help_text="For display: `$12345.67`.")
    today_return = serializers.CharField(
        allow_null=True, help_text="For display: `+$12.34 (0.56%)`."
    )
    raw_value = serializers.DecimalField(18, 2, allow_null=True, coerce_to_string=False)
    raw_return = serializers.DecimalField(18, 2, allow_null=True, coerce_to_string=False)
    raw_return_percent = serializers.DecimalField(9, 2, allow_null=True, coerce_to_string=False)
    timestamp = serializers.DateTimeField()
    seq = serializers.IntegerField()
    epoch = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField()
    currency = serializers.CharField()
    unpriced = serializers.ListField(child=serializers.CharField())
    cash = serializers.CharField(allow_null=True)
    positions = PositionValue(many=True)


class ValueQuery(serializers.Serializer[Any]):
    """Whose value is asked for."""

    accountId = serializers.CharField(max_length=64)  # noqa: N815 - the reference's name
