"""The JSON of trading, in and out."""

from decimal import Decimal
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
from trading.models import RISK_REFUSED, Order, Proposal
from trading.selectors import OrderFilter, PricedPosition
from trading.states import OrderType, ProposalState, Side, TimeInForce
from trading.tickets import Ticket

RATIO = Decimal("1e-10")
MOST_SYMBOLS = 50


class _Word(StrictCharField):
    """One of a few words, in any case of letters."""

    def __init__(self, words: list[str], **kwargs: Any) -> None:
        self.words = words
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        word = super().to_internal_value(data).upper()
        if word not in self.words:
            raise serializers.ValidationError(f"Must be one of {', '.join(self.words)}.")
        return word


class _Ticker(StrictCharField):
    """A symbol in capitals; a letter that only turns into a Latin one is refused."""

    default_error_messages = {"ticker": "Use plain letters, digits and signs, like AAPL."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.isascii():
            self.fail("ticker")
        return text.upper()


class NewTrade(StrictSerializer):
    """The body of POST /api/trade."""

    ignores_unknown: ClassVar[bool] = True

    account_id = StrictCharField(max_length=64)
    ticker = _Ticker(max_length=32)
    side = _Word(list(Side.values))
    notional_amount = MoneyField(required=False, allow_null=True)
    units = QuantityField(required=False, allow_null=True)
    order_type = _Word(list(OrderType.values), default=OrderType.MARKET)
    time_in_force = _Word(list(TimeInForce.values), default=TimeInForce.DAY)
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
            **{name: told.get(name) for name in _BROKER_FIELDS},
            "id": instance.public_id,
            "client_order_id": instance.client_order_id,
            "created_at": told.get("created_at") or instance.created_at,
            "symbol": instance.symbol,
            "notional": _text(instance.notional, Money),
            "qty": _text(instance.quantity, Quantity) or told.get("qty"),
            "filled_qty": _text(instance.filled_quantity, Quantity),
            "filled_avg_price": _text(instance.average_price, Price),
            "order_type": instance.order_type.lower(),
            "type": instance.order_type.lower(),
            "side": instance.side.lower(),
            "time_in_force": instance.time_in_force.lower(),
            "limit_price": _text(instance.limit_price, Price),
            "status": instance.vendor_status if instance.is_accepted else _waiting(instance),
            "extended_hours": bool(told.get("extended_hours", False)),
            "clera_order_id": str(instance.pk),
            "state": instance.state,
            "reason": instance.reason,
        }


# The 33 fields of the reference, in its order.
_BROKER_FIELDS = (
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


def _text(value: Decimal | None, kind: type[Money] | type[Quantity] | type[Price]) -> str | None:
    return None if value is None else str(kind(value))


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


class PositionDetail(serializers.Serializer[Any]):
    """A position in the broker's shape, valued at our own live price; null without one."""

    symbol = serializers.CharField()
    qty = serializers.CharField()
    current_price = serializers.CharField(allow_null=True)
    market_value = serializers.CharField(allow_null=True)

    def to_representation(self, instance: PricedPosition) -> dict[str, Any]:
        position = instance.position
        value = instance.market_value
        cost = position.cost_basis
        last = instance.quote.last if instance.quote and value is not None else None
        close = instance.previous_close
        gain = None if value is None else value - cost
        today = None if last is None or not close else position.quantity * (last - close)
        return {
            "asset_id": position.asset_id,
            "symbol": position.symbol,
            "exchange": position.exchange,
            "asset_class": position.asset_class,
            "avg_entry_price": _text(position.average_entry_price, Price),
            "qty": _text(position.quantity, Quantity),
            "qty_available": _text(position.available_quantity, Quantity),
            "side": "long" if position.quantity >= 0 else "short",
            "market_value": _text(value, Money),
            "cost_basis": _plain(cost),
            "unrealized_pl": _plain(gain),
            "unrealized_plpc": _ratio(gain, cost),
            "unrealized_intraday_pl": _plain(today),
            "unrealized_intraday_plpc": _ratio(
                today, None if not close else position.quantity * close
            ),
            "current_price": _text(last, Price),
            "lastday_price": _text(close, Price),
            "change_today": _ratio(None if last is None or not close else last - close, close),
            "asset_marginable": position.is_marginable,
            "asset_shortable": None,
            "asset_easy_to_borrow": None,
        }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else str(Quantity(round(value, 9)))


def _ratio(part: Decimal | None, whole: Decimal | None) -> str | None:
    if part is None or not whole:
        return None
    text = format((part / whole).quantize(RATIO), "f").rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


class BalanceFigures(serializers.Serializer[Any]):
    """Cash and worth, as JSON numbers with their exact text; null is "not known"."""

    buying_power = serializers.DecimalField(None, 2, allow_null=True, coerce_to_string=False)
    cash = serializers.DecimalField(None, 2, allow_null=True, coerce_to_string=False)
    portfolio_value = serializers.DecimalField(None, 2, allow_null=True, coerce_to_string=False)
    currency = serializers.CharField()


class BalanceAnswer(serializers.Serializer[dict[str, Any]]):
    """The answer of an account's balance."""

    success = serializers.BooleanField()
    data = BalanceFigures()  # type: ignore[assignment]  # the shape has this name


class ProposalQuery(StrictSerializer):
    """The query of the list of proposals."""

    state = serializers.ChoiceField(choices=ProposalState.choices, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=100, default=100)


class ProposalDetail(serializers.Serializer[Proposal]):
    """A proposal with everything its hash covers."""

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ProposalState.choices)
    text = serializers.CharField(help_text="What approving does, in one sentence.")
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=Side.choices)
    quantity = QuantityField(allow_null=True)
    notional = MoneyField(allow_null=True)
    quote_price = PriceField(places=9)
    quote_as_of = serializers.DateTimeField()
    price_low = PriceField(places=9)
    price_high = PriceField(places=9)
    hash = serializers.CharField(help_text="Send it back to approve exactly this.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    order = OrderDetail(allow_null=True)


class ProposalList(serializers.Serializer[dict[str, Any]]):
    """The customer's proposals, the newest first."""

    proposals = ProposalDetail(many=True)


class ApprovalBody(StrictSerializer):
    """What the customer was shown, by its hash."""

    hash = StrictCharField(min_length=64, max_length=64)


class RejectionBody(StrictSerializer):
    """Nothing needs to be said."""
