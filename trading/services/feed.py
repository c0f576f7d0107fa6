"""Telling the owner of an account what becomes of orders and positions, on the account's feed."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from accounts.services.feed import News, push_all
from trading.models import Execution, Order, Position

ORDER_UPDATED: Final = "order.updated"
ORDER_FILLED: Final = "order.filled"
FILL_TAKEN_BACK: Final = "order.fill_taken_back"
POSITION_CHANGED: Final = "position.changed"
NANO: Final = Decimal("1e-9")


def tell(order: Order, *, kind: str = ORDER_UPDATED, at: datetime) -> None:
    """Tell how an order stands now, in the caller's transaction."""
    tell_all([order_news(order, kind=kind, at=at)])


def tell_all(news: Iterable[News]) -> None:
    """Tell several things in one statement, in the caller's transaction."""
    push_all(list(news))


def order_news(order: Order, *, kind: str = ORDER_UPDATED, at: datetime) -> News:
    """Say how an order stands."""
    return _news(
        order,
        kind,
        {
            **_names(order),
            "type": order.order_type,
            "time_in_force": order.time_in_force,
            "qty": _text(order.quantity),
            "notional": _text(order.notional),
            "state": order.state,
            "status": order.vendor_status,
            "filled_qty": _text(order.filled_quantity),
            "filled_avg_price": _text(order.average_price),
            "reason": order.reason,
            "at": at.isoformat(),
        },
    )


def fill_news(execution: Execution, order: Order, *, kind: str = ORDER_FILLED) -> News:
    """Say what was bought or sold with one fill, or that it is void."""
    return _news(
        order,
        kind,
        {
            **_names(order),
            "execution_id": execution.execution_id,
            "corrects": execution.corrects or None,
            "qty": _text(execution.quantity),
            "price": _text(execution.price),
            "at": execution.at.isoformat(),
        },
    )


def position_news(order: Order, position: Position | None) -> News:
    """Say what the account now holds of an order's symbol; nothing of it without a position."""
    figures = {"qty": "0", "avg_entry_price": None}
    if position is not None:
        figures = {
            "qty": _text(position.quantity),
            "avg_entry_price": _text(position.average_entry_price),
        }
    return _news(order, POSITION_CHANGED, {"symbol": order.symbol, **figures})


def _names(order: Order) -> dict[str, Any]:
    return {
        "order_id": str(order.pk),
        "id": order.public_id,
        "broker_order_id": order.broker_order_id or None,
        "client_order_id": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side,
    }


def _news(order: Order, kind: str, payload: dict[str, Any]) -> News:
    return News(order.account_id, order.user_id, kind, payload)


def _text(value: Decimal | None) -> str | None:
    """Write an amount without needless zeros; the broker's own averages may be endless."""
    if value is None:
        return None
    whole, _, fraction = format(value.quantize(NANO), "f").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
