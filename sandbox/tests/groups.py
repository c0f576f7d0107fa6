"""Orders that come with others, for the tests of them."""

from typing import Any

from sandbox.tests.customers import Desk

BRACKET = {
    "type": "limit",
    "qty": "10",
    "limit_price": "190",
    "time_in_force": "gtc",
    "order_class": "bracket",
    "take_profit": {"limit_price": "210"},
    "stop_loss": {"stop_price": "180"},
}
OCO = {
    "type": "limit",
    "side": "sell",
    "qty": "10",
    "time_in_force": "gtc",
    "order_class": "oco",
    "take_profit": {"limit_price": "210"},
    "stop_loss": {"stop_price": "180", "limit_price": "179"},
}


def bracket(desk: Desk, account_id: str, **changes: Any) -> tuple[str, str, str]:
    """The ids of the entry, its take-profit and its stop-loss."""
    order = desk.order(account_id, **(BRACKET | changes))
    profit, stop = order["legs"]
    return order["id"], profit["id"], stop["id"]


def fill_at(desk: Desk, price: str) -> None:
    desk.set_price("AAPL", price)
    desk.advance(1)


def statuses(desk: Desk, account_id: str, *order_ids: str) -> list[str]:
    return [desk.status(account_id, order_id) for order_id in order_ids]
