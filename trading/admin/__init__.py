"""What operations staff see of trading; nothing here can be edited."""

from trading.admin import holdings, orders, proposals

__all__ = ["holdings", "orders", "proposals"]
