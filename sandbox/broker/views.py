"""How orders and positions look on the wire."""

from decimal import Decimal
from typing import Any

from sandbox.answers import decimal_text as text
from sandbox.assets import class_of, joined
from sandbox.broker import figures
from sandbox.broker.core import Broker
from sandbox.broker.records import ZERO, Order, Position, stamp

_RATIO = Decimal("0.0000000001")


def order_json(order: Order) -> dict[str, Any]:
    """Show an order."""
    average = order.filled_value / order.filled_qty if order.filled_qty else None
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": stamp(order.created_at),
        "updated_at": stamp(order.updated_at),
        "submitted_at": stamp(order.submitted_at),
        "filled_at": stamp(order.filled_at),
        "expired_at": stamp(order.expired_at),
        "expires_at": stamp(order.expires_at),
        "canceled_at": stamp(order.canceled_at),
        "failed_at": stamp(order.failed_at),
        "replaced_at": stamp(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset_id,
        "symbol": order.symbol,
        "asset_class": class_of(order.symbol),
        "notional": text(order.notional),
        "qty": text(order.qty),
        "filled_qty": text(order.filled_qty),
        "filled_avg_price": None if average is None else text(figures.shares(average)),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": "buy_to_open" if order.is_buy else "sell_to_close",
        "time_in_force": order.time_in_force,
        "limit_price": text(order.limit_price),
        "stop_price": text(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": text(order.trail_percent),
        "trail_price": text(order.trail_price),
        "hwm": text(order.high_water_mark),
        "commission": "0",
        "commission_type": "notional",
        "subtag": None,
        "source": None,
    }


def nested_json(broker: Broker, order: Order) -> dict[str, Any]:
    """Show an order with the legs that came with it."""
    legs = [order_json(leg) for leg in broker.books.legs_of(order)]
    return order_json(order) | {"legs": legs or None}


def position_json(broker: Broker, position: Position) -> dict[str, Any]:
    """Show a position at the latest price."""
    asset = broker.world.catalogue.get(position.symbol)
    price = figures.price_of(broker, position.symbol)
    last_close = broker.world.prices.previous_close(position.symbol) or ZERO
    value = figures.cents(position.qty * price)
    gain = value - position.cost
    gain_today, basis_today = _today(broker, position, value, last_close)
    held = figures.held_for_orders(broker, position.account_id, position.symbol)
    return {
        "asset_id": asset.id if asset else None,
        "symbol": joined(position.symbol),
        "exchange": asset.exchange if asset else "",
        "asset_class": class_of(position.symbol),
        "asset_marginable": asset.marginable if asset else False,
        "avg_entry_price": text(figures.shares(position.average_entry)),
        "qty": text(position.qty),
        "qty_available": text(position.qty - held),
        "side": "long",
        "market_value": text(value),
        "cost_basis": text(figures.shares(position.cost)),
        "unrealized_pl": text(figures.shares(gain)),
        "unrealized_plpc": text(_ratio(gain, position.cost)),
        "unrealized_intraday_pl": text(figures.shares(gain_today)),
        "unrealized_intraday_plpc": text(_ratio(gain_today, basis_today)),
        "current_price": text(price),
        "lastday_price": text(last_close),
        "change_today": text(_ratio(price - last_close, last_close)),
    }


def _today(
    broker: Broker, position: Position, value: Decimal, last_close: Decimal
) -> tuple[Decimal, Decimal]:
    """
    Tell today's unrealized gain and what it is measured against.

    Shares held since the last close count from that close, shares bought today from their price.
    A sale today takes from the older shares first.
    """
    bought, paid = ZERO, ZERO
    since = figures.last_close(broker)
    for activity in figures.activities_since(broker, position.account_id, since):
        is_fill = activity.is_fill and activity.symbol == position.symbol
        if is_fill and activity.signed_qty > 0:
            bought += activity.signed_qty
            paid += activity.signed_qty * (activity.price or ZERO)
    bought_and_held = min(bought, position.qty)
    basis = (position.qty - bought_and_held) * last_close
    if bought:
        basis += paid * bought_and_held / bought
    return value - basis, basis


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(_RATIO) if whole else ZERO
