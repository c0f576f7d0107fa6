"""The JSON of orders, in and out."""

from typing import Any, ClassVar

from rest_framework import serializers

from core.api.fields import StrictCharField, StrictSerializer
from core.money import Money, Price, Quantity
from trading.models import RISK_REFUSED, Order
from trading.selectors import OrderFilter
from trading.serializers.base import Moment, Word, text
from trading.states import OrderClass, Side

MOST_SYMBOLS = 50


class OrderQuery(StrictSerializer):
    """The query of the list of orders, in the reference's words."""

    ignores_unknown: ClassVar[bool] = True

    status = Word(["open", "closed", "all"], default="open")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=50)
    after = Moment(required=False)
    until = Moment(required=False)
    direction = Word(["asc", "desc"], default="desc")
    side = Word(list(Side.values), required=False)
    nested = serializers.BooleanField(
        default=False, help_text="Show the exits of an order inside it, and not by themselves."
    )
    symbols = StrictCharField(required=False, max_length=2000)
    page_token = serializers.UUIDField(
        required=False, help_text="The `next_page_token` of the page before."
    )

    def validate_symbols(self, symbols: str) -> list[str]:
        """Take the list apart; one that is too long is refused rather than cut."""
        wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
        if len(wanted) > MOST_SYMBOLS:
            raise serializers.ValidationError(f"Name at most {MOST_SYMBOLS} symbols.")
        return wanted

    def to_filter(self) -> OrderFilter:
        """Say the same in trading's own words."""
        query = self.validated_data
        return OrderFilter(
            status=query["status"],
            limit=query["limit"],
            after=query.get("after"),
            until=query.get("until"),
            is_ascending=query["direction"] == "asc",
            side=query.get("side", ""),
            is_nested=query["nested"],
            symbols=query.get("symbols", ()),
            after_order=query.get("page_token"),
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
    order_type = serializers.CharField(help_text="market, limit, stop, stop_limit, trailing_stop.")
    order_class = serializers.CharField(help_text="Empty, or bracket, oco, oto.")
    time_in_force = serializers.CharField(help_text="day, gtc, ioc, fok, opg, cls.")
    notional = serializers.CharField(allow_null=True, help_text="Dollars, if these were asked for.")
    qty = serializers.CharField(allow_null=True, help_text="Shares, if these were asked for.")
    filled_qty = serializers.CharField()
    filled_avg_price = serializers.CharField(allow_null=True)
    limit_price = serializers.CharField(allow_null=True)
    stop_price = serializers.CharField(allow_null=True)
    trail_price = serializers.CharField(allow_null=True)
    trail_percent = serializers.CharField(allow_null=True)
    extended_hours = serializers.BooleanField()
    source = serializers.CharField(  # type: ignore[assignment]  # a field's own `source` is another
        help_text="CUSTOMER, PROPOSAL, CLOSURE, or BROKER for an exit."
    )
    held_for = serializers.CharField(
        help_text="What it waits for here: OPEN, KILL_SWITCH or nothing."
    )
    opens_at = serializers.DateTimeField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    clera_replaces = serializers.UUIDField(
        allow_null=True, help_text="Our id of the order whose place it takes."
    )
    clera_parent = serializers.UUIDField(
        allow_null=True, help_text="Our id of the order that it hangs on."
    )
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    filled_at = serializers.DateTimeField(allow_null=True)
    canceled_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Order) -> dict[str, Any]:
        told = instance.broker_record
        return {
            **{name: told.get(name) for name in BROKER_FIELDS},
            **_words_of(instance),
            **_figures_of(instance),
            "id": instance.public_id,
            "client_order_id": instance.client_order_id,
            "created_at": told.get("created_at") or instance.created_at,
            "legs": self._legs_of(instance),
            "clera_order_id": str(instance.pk),
            "state": instance.state,
            "reason": instance.reason,
            "source": instance.source,
            "held_for": instance.held_for,
            "opens_at": instance.opens_at,
            "cancel_requested_at": instance.cancel_asked_at,
            "clera_replaces": instance.replaces_id and str(instance.replaces_id),
            "clera_parent": instance.parent_id and str(instance.parent_id),
        }

    def _legs_of(self, order: Order) -> list[dict[str, Any]] | None:
        """Show the exits where the selector has brought them along."""
        legs = getattr(order, "_prefetched_objects_cache", {}).get("legs")
        return [self.to_representation(leg) for leg in legs] if legs else None


def _words_of(order: Order) -> dict[str, Any]:
    is_simple = order.order_class == OrderClass.SIMPLE
    return {
        "symbol": order.symbol,
        "order_type": order.order_type.lower(),
        "type": order.order_type.lower(),
        "order_class": "" if is_simple else order.order_class.lower(),
        "side": order.side.lower(),
        "time_in_force": order.time_in_force.lower(),
        "status": order.vendor_status if order.is_accepted else _waiting(order),
        "extended_hours": order.extended_hours,
    }


def _figures_of(order: Order) -> dict[str, str | None]:
    return {
        "notional": text(order.notional, Money),
        "qty": text(order.quantity, Quantity) or order.broker_record.get("qty"),
        "filled_qty": text(order.filled_quantity, Quantity),
        "filled_avg_price": text(order.average_price, Price),
        "limit_price": text(order.own_limit, Price),
        "stop_price": text(order.stop_price, Price),
        "trail_price": text(order.trail_price, Price),
        "trail_percent": text(order.trail_percent, Quantity),
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
    words = {"REJECTED": "rejected", "CANCELED": "canceled", "HELD": "held"}
    return words.get(order.state, "pending_new")


class TradeAnswer(serializers.Serializer[dict[str, Any]]):
    """The answer of POST /api/trade."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    queued = serializers.BooleanField(help_text="It waits here for the market to open.")
    order = OrderDetail()


class CancelAnswer(serializers.Serializer[dict[str, Any]]):
    """The answer of canceling an order."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    order_id = serializers.CharField()
    account_id = serializers.CharField()


class OrderPage(serializers.Serializer[dict[str, Any]]):
    """A page of orders."""

    orders = OrderDetail(many=True)
    next_page_token = serializers.UUIDField(allow_null=True)


class OrdersCanceled(serializers.Serializer[dict[str, Any]]):
    """Every order that was to be canceled, as it now stands."""

    orders = OrderDetail(many=True)
