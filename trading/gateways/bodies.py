"""What Alpaca is sent: every amount as a text, every word in its own spelling."""

from typing import Any

from core.money import Money, Price, Quantity
from trading.states import OrderClass
from trading.tickets import Changes, Ticket

Body = dict[str, Any]
_PRICES = ("limit_price", "stop_price", "trail_price", "trail_percent")


def of_ticket(ticket: Ticket, client_order_id: str) -> Body:
    """Write a new order down."""
    body: Body = {
        "symbol": ticket.symbol,
        "side": ticket.side.lower(),
        "type": ticket.order_type.lower(),
        "time_in_force": ticket.time_in_force.lower(),
        "client_order_id": client_order_id,
    }
    if ticket.quantity is not None:
        body["qty"] = str(Quantity(ticket.quantity))
    if ticket.notional is not None:
        body["notional"] = str(Money(ticket.notional))
    for name in _PRICES:
        price = getattr(ticket, name)
        if price is not None:
            body[name] = str(Price(price))
    if ticket.extended_hours:
        body["extended_hours"] = True
    return body | _exits(ticket)


def _exits(ticket: Ticket) -> Body:
    if ticket.order_class == OrderClass.SIMPLE:
        return {}
    body: Body = {"order_class": ticket.order_class.lower()}
    if ticket.take_profit_price is not None:
        body["take_profit"] = {"limit_price": str(Price(ticket.take_profit_price))}
    if ticket.stop_loss_price is not None:
        body["stop_loss"] = {"stop_price": str(Price(ticket.stop_loss_price))}
        if ticket.stop_loss_limit_price is not None:
            body["stop_loss"]["limit_price"] = str(Price(ticket.stop_loss_limit_price))
    return body


def of_changes(changes: Changes, client_order_id: str) -> Body:
    """Write down what a replacement changes."""
    body: Body = {"client_order_id": client_order_id}
    if changes.quantity is not None:
        body["qty"] = str(Quantity(changes.quantity))
    if changes.time_in_force is not None:
        body["time_in_force"] = changes.time_in_force.lower()
    for name in ("limit_price", "stop_price", "trail"):
        price = getattr(changes, name)
        if price is not None:
            body[name] = str(Price(price))
    return body
