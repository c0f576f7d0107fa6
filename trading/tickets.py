"""What somebody wants to buy or sell, before anybody has judged it."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from trading.states import AfterHours, OrderClass, OrderType, Side, TimeInForce


@dataclass(frozen=True, kw_only=True)
class LotChoice:
    """How much of one lot a sale is to take."""

    lot_id: UUID
    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """
    An order as wished for: a quantity of shares or an amount of dollars, never both.

    Prices are dollars a share; `trail_percent` is a percentage, 1.5 means 1.5 %. The last three
    prices are those of the exits of a bracket, OCO or OTO. `lots` says which lots a sale takes;
    without it the account's own method does.
    """

    symbol: str
    side: Side
    quantity: Decimal | None = None
    notional: Decimal | None = None
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    stop_loss_limit_price: Decimal | None = None
    after_hours: AfterHours = AfterHours.REFUSE
    lots: tuple[LotChoice, ...] = ()

    @property
    def is_buy(self) -> bool:
        return self.side == Side.BUY


@dataclass(frozen=True, kw_only=True)
class Changes:
    """
    What a replacement changes of an open order; what is left out stays.

    `quantity` counts what the old order has filled already, as the broker counts it. `trail` is
    dollars or per cent, whichever the order has.
    """

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None
