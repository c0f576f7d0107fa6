"""Every word of the broker about an order, kept as it was said."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from trading.gateways import BrokerOrder, TradeNews
from trading.models import Order, OrderReport
from trading.models.executions import LONGEST_WORD

Origin = OrderReport.Origin


def keep(
    order: Order,
    *,
    origin: OrderReport.Origin,
    told: BrokerOrder,
    kind: str = "",
    event_id: str = "",
    said_at: datetime | None = None,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """
    Keep what the broker has just said, in the caller's transaction; the same event only once.

    `figures` are those of the event itself, beside the order that it shows.
    """
    report = OrderReport(
        user_id=order.user_id,
        order=order,
        origin=origin,
        kind=kind[:LONGEST_WORD],
        event_id=event_id[:LONGEST_WORD],
        status=told.status[:LONGEST_WORD],
        filled_quantity=told.filled_quantity,
        average_price=told.average_price,
        body={"order": dict(told.record), **({"event": dict(figures)} if figures else {})},
        said_at=said_at,
    )
    OrderReport.objects.bulk_create([report], ignore_conflicts=True)


def keep_event(order: Order, news: TradeNews) -> None:
    """Keep one event of the stream."""
    figures = {
        "execution_id": news.execution_id,
        "previous_execution_id": news.previous_execution_id,
        "price": news.price,
        "qty": news.quantity,
        "position_qty": news.position_quantity,
    }
    keep(
        order,
        origin=Origin.EVENT,
        told=news.order,
        kind=news.kind,
        event_id=news.event_id,
        said_at=news.at,
        figures={name: _text(value) for name, value in figures.items() if value},
    )


def newest_event(order: Order) -> OrderReport | None:
    """Find what the stream said last of an order: its names of events sort by time."""
    told = OrderReport.objects.filter(order=order, origin=Origin.EVENT).exclude(event_id="")
    return told.order_by("-event_id").first()


def _text(value: object) -> str:
    return value if isinstance(value, str) else format(value, "f")
