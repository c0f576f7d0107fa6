"""The JSON of orders, in and out."""

from typing import Any, ClassVar

from rest_framework import serializers

from core.api.fields import (
    MoneyField,
    PriceField,
    QuantityField,
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
)
from core.money import Money, Price, Quantity
from trading.models import RISK_REFUSED, Order
from trading.selectors import OrderFilter
from trading.serializers.base import Ticker, Word, text
from trading.states import OrderType, Side, TimeInForce
from trading.tickets import Ticket

MOST_SYMBOLS = 50


class NewTrade(StrictSerializer):
    """The body of POST /api/trade."""

    ignores_unknown: ClassVar[bool] = True

    account_id = StrictCharField(max_length=64)
    ticker = Ticker(max_length=32)
    side = Word(list(Side.values))
    notional_amount = MoneyField(required=False, allow_null=True)
    units = QuantityField(required=False, allow_null=True)
    order_type = Word(list(OrderType.values), default=OrderType.MARKET)
    time_in_force = Word(list(TimeInForce.values), default=TimeInForce.DAY)
    limit_price = PriceField(required=False, allow_null=True)
    allow_duplicate = StrictBooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand exactly one size, and a limit price for limit orders alone."""
        sizes = [attrs.get("units"), attrs.get("notional_amount")]
        if sum(size is not None for size in sizes) != 1:
            rule = "Give either units or notional_amount."
            raise serializers.ValidationError({"notional_amount": [rule], "units": [rule]})
        is_limit = attrs["order_type"] == OrderType.LIMIT
        if is_limit != (attrs.get("limit_price") is not None):
            rule = "A limit order has a limit price, and no other order has one."
            raise serializers.ValidationError({"limit_price": [rule]})
        return attrs

    def to_ticket(self) -> Ticket:
        """Say the same in trading's own words."""
        body = self.validated_data
        return Ticket(
            symbol=body["ticker"],
            side=Side(body["side"]),
            quantity=body.get("units"),
            notional=body.get("notional_amount"),
            order_type=OrderType(body["order_type"]),
            limit_price=body.get("limit_price"),
            time_in_force=TimeInForce(body["time_in_force"]),
        )


class OrderQuery(StrictSerializer):
    """The query of the list of orders."""

    ignores_unknown: ClassVar[bool] = True

    status = serializers.ChoiceField(choices=["open", "closed", "all"], default="open")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=50)
    after = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    direction = serializers.ChoiceField(choices=["asc", "desc"], default="desc")
    symbols = StrictCharField(required=False, max_length=2000)

    def to_filter(self) -> OrderFilter:
        """Say the same in trading's own words."""
        query = self.validated_data
        symbols = [text.strip().upper() for text in query.get("symbols", "").split(",")]
        return OrderFilter(
            status=query["status"],
            limit=query["limit"],
            after=query.get("after"),
            until=query.get("until"),
            is_ascending=query["direction"] == "asc",
            symbols=[symbol for symbol in symbols if symbol][:MOST_SYMBOLS],
        )


class OrderDetail(serializers.Serializer[Any]):
    """
    An order in the broker's own shape, with our id and state beside it.

    What the broker has told is passed on in its own texts; until then the order speaks for itself.
    """

    id = serializers.CharField(
        source="public_id", help_text="The broker's id once it has one, until then ours."
    )
    clera_order_id = serializers.UUIDField(source="pk")
    client_order_id = serializers.CharField()
    state = serializers.CharField(help_text="Ours: what we know about the broker having it.")
    reason = serializers.CharField(help_text="Why it is in that state, where there is a reason.")
    status = serializers.CharField(help_text="The broker's own word for it.")
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=["buy", "sell"])
    order_type = serializers.ChoiceField(choices=["market", "limit"])
    time_in_force = serializers.ChoiceField(choices=["day", "gtc"])
    notional = serializers.CharField(allow_null=True, help_text="Dollars, if these were asked for.")
    qty = serializers.CharField(allow_null=True, help_text="Shares, if these were asked for.")
    filled_qty = serializers.CharField()
    filled_avg_price = serializers.CharField(allow_null=True)
    limit_price = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    filled_at = serializers.DateTimeField(allow_null=True)
    canceled_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Order) -> dict[str, Any]:
        told = instance.broker_record
        return {
            **{name: told.get(name) for name in BROKER_FIELDS},
            "id": instance.public_id,
            "client_order_id": instance.client_order_id,
            "created_at": told.get("created_at") or instance.created_at,
            "symbol": instance.symbol,
            "notional": text(instance.notional, Money),
            "qty": text(instance.quantity, Quantity) or told.get("qty"),
            "filled_qty": text(instance.filled_quantity, Quantity),
            "filled_avg_price": text(instance.average_price, Price),
            "order_type": instance.order_type.lower(),
            "type": instance.order_type.lower(),
            "side": instance.side.lower(),
            "time_in_force": instance.time_in_force.lower(),
            "limit_price": text(instance.limit_price, Price),
            "status": instance.vendor_status if instance.is_accepted else _waiting(instance),
            "extended_hours": bool(told.get("extended_hours", False)),
            "clera_order_id": str(instance.pk),
            "state": instance.state,
            "reason": instance.reason,
        }


# The 33 fields of the reference, in its order.
BROKER_FIELDS = (
    "id",
    "client_order_id",
    "created_at",
    "updated_at",
    "submitted_at",
    "filled_at",
    "expired_at",
    "canceled_at",
    "failed_at",
    "replaced_at",
    "replaced_by",
    "replaces",
    "asset_id",
    "symbol",
    "asset_class",
    "notional",
    "qty",
    "filled_qty",
    "filled_avg_price",
    "order_class",
    "order_type",
    "type",
    "side",
    "time_in_force",
    "limit_price",
    "stop_price",
    "status",
    "extended_hours",
    "legs",
    "trail_percent",
    "trail_price",
    "hwm",
    "commission",
)


def _waiting(order: Order) -> str:
    """Put our state into the broker's kind of word while the broker has not spoken."""
    if order.reason_code == RISK_REFUSED:
        return "rejected"
    words = {"REJECTED": "rejected", "CANCELED": "canceled"}
    return words.get(order.state, "pending_new")


class TradeAnswer(serializers.Serializer[dict[str, Any]]):
    """The answer of POST /api/trade."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    order = OrderDetail()


class CancelAnswer(serializers.Serializer[dict[str, Any]]):
    """The answer of canceling an order."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    order_id = serializers.CharField()
    account_id = serializers.CharField()
