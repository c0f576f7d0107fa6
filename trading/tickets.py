"""What somebody wants to buy or sell, before anybody has judged it."""

from dataclasses import dataclass
from decimal import Decimal

from trading.states import OrderType, Side, TimeInForce


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """An order as wished for: a quantity of shares or an amount of dollars, never both."""

    symbol: str
    side: Side
    quantity: Decimal | None = None
    notional: Decimal | None = None
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY

    @property
    def is_buy(self) -> bool:
        return self.side == Side.BUY
