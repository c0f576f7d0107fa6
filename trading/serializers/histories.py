"""The JSON of what has become of an order; the broker's raw words stay with the operators."""

from typing import Any

from rest_framework import serializers

from core.api.fields import MoneyField, PriceField, QuantityField
from trading.serializers.orders import OrderDetail


class Step(serializers.Serializer[Any]):
    """One move from one state to another, or one new word of the broker."""

    at = serializers.DateTimeField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    status = serializers.CharField(source="vendor_status", help_text="The broker's word by then.")
    reason = serializers.CharField()


class Report(serializers.Serializer[Any]):
    """One time that the broker spoke of it."""

    heard_at = serializers.DateTimeField()
    said_at = serializers.DateTimeField(allow_null=True)
    origin = serializers.CharField(help_text="ANSWER to a call, EVENT of the stream, or READING.")
    kind = serializers.CharField(help_text="Of an event, the broker's word for it.")
    status = serializers.CharField()


class Fill(serializers.Serializer[Any]):
    """One execution."""

    execution_id = serializers.CharField()
    at = serializers.DateTimeField()
    qty = QuantityField(source="quantity")
    price = PriceField(places=9)
    is_busted = serializers.BooleanField(help_text="The broker has taken it back.")


class Verdict(serializers.Serializer[Any]):
    """What the rules said when it was placed."""

    allowed = serializers.BooleanField(allow_null=True)
    rule = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    price = serializers.CharField(allow_null=True)
    value = serializers.CharField(allow_null=True)
    quote_as_of = serializers.CharField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())

    def to_representation(self, instance: Any) -> dict[str, Any]:
        if not isinstance(instance, dict):
            instance = instance.as_json()
        names = ("rule", "detail", "price", "value", "quote_as_of")
        return {
            "allowed": instance.get("allowed"),
            **{name: instance.get(name) for name in names},
            "warnings": instance.get("warnings") or [],
        }


class History(serializers.Serializer[Any]):
    """What has become of an order, the oldest first."""

    order = OrderDetail()
    verdict = Verdict(source="order.verdict")
    steps = Step(many=True)
    reports = Report(many=True)
    fills = Fill(many=True)


class PreviewAnswer(serializers.Serializer[Any]):
    """What an order would do at the price of now; what is not known is null."""

    symbol = serializers.CharField()
    side = serializers.SerializerMethodField()
    price = PriceField(places=9, allow_null=True)
    quote_as_of = serializers.DateTimeField(allow_null=True)
    qty = QuantityField(source="quantity", allow_null=True)
    cost = MoneyField(allow_null=True)
    proceeds = MoneyField(allow_null=True)
    buying_power_before = MoneyField(allow_null=True)
    buying_power_after = MoneyField(allow_null=True)
    position_before = QuantityField()
    position_after = QuantityField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    verdict = Verdict()

    def get_side(self, preview: Any) -> str:
        return str(preview.side).lower()
