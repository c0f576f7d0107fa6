"""The JSON of positions and money."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from core.money import Money, Price, Quantity
from trading.selectors import PricedPosition
from trading.serializers.base import text

RATIO = Decimal("1e-10")


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
            "avg_entry_price": text(position.average_entry_price, Price),
            "qty": text(position.quantity, Quantity),
            "qty_available": text(position.available_quantity, Quantity),
            "side": "long" if position.quantity >= 0 else "short",
            "market_value": text(value, Money),
            "cost_basis": _plain(cost),
            "unrealized_pl": _plain(gain),
            "unrealized_plpc": _ratio(gain, cost),
            "unrealized_intraday_pl": _plain(today),
            "unrealized_intraday_plpc": _ratio(
                today, None if not close else position.quantity * close
            ),
            "current_price": text(last, Price),
            "lastday_price": text(close, Price),
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
