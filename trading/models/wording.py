"""How a ticket is written into the columns of an order or a proposal, and read out of them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from trading.states import AfterHours, OrderClass, OrderType, Side, TimeInForce
from trading.tickets import LotChoice, Ticket

_SIZES_AND_PRICES = (
    "quantity",
    "notional",
    "limit_price",
    "stop_price",
    "trail_price",
    "trail_percent",
    "take_profit_price",
    "stop_loss_price",
    "stop_loss_limit_price",
)
_WORDS = ("symbol", "side", "order_type", "time_in_force", "order_class", "after_hours")


def columns_of(ticket: Ticket) -> dict[str, Any]:
    """Name the columns that say what a ticket says."""
    return {
        **{name: getattr(ticket, name) for name in (*_WORDS, *_SIZES_AND_PRICES)},
        "extended_hours": ticket.extended_hours,
        "lot_choices": [
            {"lot_id": str(each.lot_id), "quantity": format(each.quantity, "f")}
            for each in ticket.lots
        ],
    }


def ticket_of(row: Any) -> Ticket:
    """Read the ticket out of these columns again."""
    return Ticket(
        symbol=row.symbol,
        side=Side(row.side),
        order_type=OrderType(row.order_type),
        time_in_force=TimeInForce(row.time_in_force),
        order_class=OrderClass(row.order_class),
        after_hours=AfterHours(row.after_hours),
        extended_hours=row.extended_hours,
        lots=tuple(
            LotChoice(lot_id=UUID(each["lot_id"]), quantity=Decimal(each["quantity"]))
            for each in row.lot_choices
        ),
        **{name: getattr(row, name) for name in _SIZES_AND_PRICES},
    )
