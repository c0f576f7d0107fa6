"""The JSON of what is under way, in the shapes that the original's frontend expects."""

from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers

from trading.models import Order
from trading.states import HeldFor

_AT_THE_BROKER: Final = "Clera brokerage account"
_QUEUED: Final = "Queued (Market Closed)"


class PendingOrder(serializers.Serializer[Any]):
    """An order that is not over; one that waits for the opening says so."""

    order_id = serializers.CharField()
    account_id = serializers.CharField(help_text="The broker's id of the account.")
    account_name = serializers.CharField()
    symbol = serializers.CharField()
    quantity = serializers.DecimalField(
        max_digits=24, decimal_places=9, coerce_to_string=False, allow_null=True
    )
    notional_value = serializers.DecimalField(
        max_digits=18, decimal_places=2, coerce_to_string=False, allow_null=True
    )
    filled_quantity = serializers.DecimalField(
        max_digits=24, decimal_places=9, coerce_to_string=False
    )
    order_type = serializers.CharField()
    side = serializers.CharField()
    status = serializers.CharField()
    price = serializers.DecimalField(
        max_digits=24, decimal_places=9, coerce_to_string=False, allow_null=True
    )
    stop_price = serializers.DecimalField(
        max_digits=24, decimal_places=9, coerce_to_string=False, allow_null=True
    )
    created_at = serializers.DateTimeField()
    time_in_force = serializers.CharField()
    is_queued = serializers.BooleanField()
    queued_message = serializers.CharField(allow_null=True)

    def to_representation(self, instance: Order) -> dict[str, Any]:
        is_queued = instance.held_for == HeldFor.OPEN
        return {
            "order_id": str(instance.pk) if is_queued else instance.public_id,
            "account_id": instance.broker_account_id,
            "account_name": _QUEUED if is_queued else _AT_THE_BROKER,
            "symbol": instance.symbol,
            "quantity": _number(instance.quantity),
            "notional_value": _number(instance.notional),
            "filled_quantity": _number(instance.filled_quantity),
            "order_type": instance.order_type,
            "side": instance.side,
            "status": "queued" if is_queued else instance.vendor_status or "pending",
            "price": _number(instance.own_limit),
            "stop_price": _number(instance.stop_price),
            "created_at": instance.created_at,
            "time_in_force": instance.time_in_force,
            "is_queued": is_queued,
            "queued_message": _waits(instance) if is_queued else None,
        }


def _number(value: Decimal | None) -> Decimal | None:
    """Write a number as the original does, without needless zeros."""
    return None if value is None else Decimal(format(value.normalize(), "f"))


def _waits(order: Order) -> str:
    if order.opens_at is None:
        return "Will be sent when the market opens."
    return f"Will be sent when the market opens ({order.opens_at:%Y-%m-%d %H:%M} UTC)."


class PendingOrders(serializers.Serializer[dict[str, Any]]):
    """The answer of GET /api/snaptrade/pending-orders."""

    success = serializers.BooleanField()
    orders = PendingOrder(many=True)


class QueuedOrderCanceled(serializers.Serializer[dict[str, Any]]):
    """The answer of canceling a queued order."""

    success = serializers.BooleanField()
    message = serializers.CharField()


class MarketStatusDetail(serializers.Serializer[Any]):
    """Whether the market trades now."""

    is_open = serializers.BooleanField()
    status = serializers.ChoiceField(
        choices=["open", "pre_market", "after_hours", "closed", "unknown"]
    )
    message = serializers.CharField()
    next_open = serializers.DateTimeField(allow_null=True)
    orders_accepted = serializers.BooleanField(
        help_text="While it is false, `after_hours_policy` says what becomes of an order."
    )


class MarketStatusAnswer(serializers.Serializer[dict[str, Any]]):
    """The answer of GET /api/snaptrade/market-status."""

    success = serializers.BooleanField()
    market = MarketStatusDetail()
