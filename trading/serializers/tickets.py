"""What clients ask for: orders in the reference's words and in the explicit ones, and changes."""

from decimal import Decimal
from typing import Any, ClassVar

from rest_framework import serializers

from core.api.fields import (
    MoneyField,
    PriceField,
    QuantityField,
    StrictBooleanField,
    StrictCharField,
    StrictListField,
    StrictSerializer,
)
from trading.serializers.base import Ticker, Word
from trading.states import AfterHours, OrderClass, OrderType, Side, TimeInForce
from trading.tickets import Changes, LotChoice, Ticket

MOST_LOTS = 100
MOST_PERCENT = Decimal(100)
_POLICIES = [policy.value for policy in AfterHours if policy != AfterHours.REFUSE]


class TakeProfit(StrictSerializer):
    """The exit at a better price."""

    limit_price = PriceField()


class StopLoss(StrictSerializer):
    """The exit at a worse price; with a limit it sells no lower than that."""

    stop_price = PriceField()
    limit_price = PriceField(required=False, allow_null=True)


class ChosenLot(StrictSerializer):
    """How much of one lot a sale is to take."""

    lot_id = serializers.UUIDField()
    quantity = QuantityField()


class _NewTicket(StrictSerializer):
    """What every way to write an order has in common."""

    side = Word(list(Side.values))
    time_in_force = Word(list(TimeInForce.values), default=TimeInForce.DAY)
    limit_price = PriceField(required=False, allow_null=True)
    stop_price = PriceField(required=False, allow_null=True)
    trail_price = PriceField(required=False, allow_null=True)
    trail_percent = PriceField(required=False, allow_null=True, maximum=MOST_PERCENT)
    extended_hours = StrictBooleanField(default=False)
    order_class = Word(list(OrderClass.values), default=OrderClass.SIMPLE)
    take_profit = TakeProfit(required=False, allow_null=True)
    stop_loss = StopLoss(required=False, allow_null=True)
    lots = StrictListField(child=ChosenLot(), required=False, max_length=MOST_LOTS)
    allow_duplicate = StrictBooleanField(default=False)

    def ticket_from(self, **named: Any) -> Ticket:
        """Say the same in trading's own words; `named` is what the two shapes call differently."""
        body = self.validated_data
        profit, loss = body.get("take_profit") or {}, body.get("stop_loss") or {}
        prices = ("limit_price", "stop_price", "trail_price", "trail_percent")
        return Ticket(
            side=Side(body["side"]),
            time_in_force=TimeInForce(body["time_in_force"] or TimeInForce.DAY),
            extended_hours=bool(body["extended_hours"]),
            order_class=OrderClass(body["order_class"]),
            take_profit_price=profit.get("limit_price"),
            stop_loss_price=loss.get("stop_price"),
            stop_loss_limit_price=loss.get("limit_price"),
            lots=tuple(LotChoice(**lot) for lot in body.get("lots") or ()),
            **{name: body.get(name) for name in prices},
            **named,
        )


class NewOrder(_NewTicket):
    """An order in explicit words, the broker's own."""

    symbol = Ticker(max_length=32)
    type = Word(list(OrderType.values), default=OrderType.MARKET)
    qty = QuantityField(required=False, allow_null=True)
    notional = MoneyField(required=False, allow_null=True)
    after_hours = Word(_POLICIES, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Demand exactly one size."""
        _require_one_size(attrs, "qty", "notional")
        return attrs

    def to_ticket(self) -> Ticket:
        """Say the same in trading's own words."""
        body = self.validated_data
        return self.ticket_from(
            symbol=body["symbol"],
            order_type=OrderType(body["type"]),
            quantity=body.get("qty"),
            notional=body.get("notional"),
            after_hours=AfterHours(body.get("after_hours") or AfterHours.REFUSE),
        )


# What POST /api/trade calls by two names: the reference's, and that of the explicit shape.
_TWICE = {
    "ticker": "symbol",
    "order_type": "type",
    "units": "qty",
    "notional_amount": "notional",
    "after_hours_policy": "after_hours",
}


class NewTrade(_NewTicket):
    """The body of POST /api/trade, in the reference's words or in the explicit ones."""

    ignores_unknown: ClassVar[bool] = True

    account_id = StrictCharField(max_length=64)
    ticker = Ticker(max_length=32, required=False)
    symbol = Ticker(max_length=32, required=False)
    notional_amount = MoneyField(required=False, allow_null=True)
    notional = MoneyField(required=False, allow_null=True)
    units = QuantityField(required=False, allow_null=True)
    qty = QuantityField(required=False, allow_null=True)
    order_type = Word(list(OrderType.values), required=False, allow_null=True)
    type = Word(list(OrderType.values), required=False, allow_null=True)
    after_hours_policy = Word(_POLICIES, required=False, allow_null=True)
    after_hours = Word(_POLICIES, required=False, allow_null=True)
    # The original's clients send null for what they leave open.
    time_in_force = Word(list(TimeInForce.values), default=TimeInForce.DAY, allow_null=True)
    extended_hours = StrictBooleanField(default=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put what has two names under the reference's, and demand exactly one size."""
        for name, other in _TWICE.items():
            given = attrs.pop(other, None)
            if given is None:
                continue
            if attrs.get(name) not in {None, given}:
                rule = f"Give {name} or {other}; they say the same."
                raise serializers.ValidationError({name: [rule], other: [rule]})
            attrs[name] = given
        if not attrs.get("ticker"):
            raise serializers.ValidationError({"ticker": ["This field is required."]})
        _require_one_size(attrs, "units", "notional_amount")
        return attrs

    def to_ticket(self) -> Ticket:
        """Say the same in trading's own words."""
        body = self.validated_data
        return self.ticket_from(
            symbol=body["ticker"],
            order_type=OrderType(body.get("order_type") or OrderType.MARKET),
            quantity=body.get("units"),
            notional=body.get("notional_amount"),
            after_hours=AfterHours(body.get("after_hours_policy") or AfterHours.REFUSE),
        )


def _require_one_size(attrs: dict[str, Any], *names: str) -> None:
    if sum(attrs.get(name) is not None for name in names) != 1:
        rule = f"Give either {names[0]} or {names[1]}."
        raise serializers.ValidationError({name: [rule] for name in names})


class OrderChanges(StrictSerializer):
    """What is to change of an open order; `qty` counts what is filled already."""

    qty = QuantityField(required=False, allow_null=True)
    limit_price = PriceField(required=False, allow_null=True)
    stop_price = PriceField(required=False, allow_null=True)
    trail = PriceField(
        required=False, allow_null=True, help_text="Dollars or per cent, whichever the order has."
    )
    time_in_force = Word(list(TimeInForce.values), required=False, allow_null=True)

    def to_changes(self) -> Changes:
        """Say the same in trading's own words."""
        body = self.validated_data
        until = body.get("time_in_force")
        return Changes(
            quantity=body.get("qty"),
            limit_price=body.get("limit_price"),
            stop_price=body.get("stop_price"),
            trail=body.get("trail"),
            time_in_force=TimeInForce(until) if until else None,
        )
