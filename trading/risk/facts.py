"""What the rules weigh: the account, the market, what is under way, and the limits in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from trading.states import AfterHours, OrderClass, OrderType, Source
from trading.tickets import Ticket

ZERO: Final = Decimal(0)
# A price from the last minutes of a session is its closing price, as good as any until the next.
CLOSING: Final = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """
    What operations have set; `origins` says of each where it comes from.

    `collar` is how far through the market a price may reach before it looks like a typing error,
    `concentration` how much of an account one symbol may be; one stands for no limit.
    """

    max_notional: Decimal
    quote_seconds: int
    collar: Decimal
    max_quantity: Decimal
    daily_notional: Decimal
    daily_orders: int
    open_orders: int
    concentration: Decimal
    step_up_notional: Decimal
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What matters of an instrument; one of a contract stands for more, or less, than one."""

    is_tradable: bool
    is_fractionable: bool
    is_halted: bool = False
    is_coin: bool = False
    is_contract: bool = False


@dataclass(frozen=True, kw_only=True)
class Session:
    """
    Whether the market is open, or trades outside its session.

    `closed_at` is when the last session ended, while there is none.
    """

    is_open: bool
    is_extended: bool = False
    closed_at: datetime | None = None

    def lets_trade(self, ticket: Ticket) -> bool:
        """Say whether an order would be traded now, rather than wait for the session."""
        goes_out = ticket.extended_hours and ticket.after_hours != AfterHours.QUEUE_FOR_OPEN
        return self.is_open or (self.is_extended and goes_out)


@dataclass(frozen=True, kw_only=True)
class MarketQuote:
    """The market as far as we know it, and since when."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    as_of: datetime
    previous_close: Decimal | None = None

    def price_for(self, *, is_buy: bool) -> Decimal:
        """Return what a market order would pay or get; the last trade where a side is empty."""
        side = self.ask if is_buy else self.bid
        return side if side > 0 else self.last

    def is_stale(
        self, ticket: Ticket, *, limits: Limits, at: datetime, session: Session | None = None
    ) -> bool:
        """
        Say whether it is too old to act on.

        For an order that waits for the session what stood at the last close will do: nothing that
        matters to it is newer.
        """
        if (at - self.as_of).total_seconds() <= limits.quote_seconds:
            return False
        if session is None or session.lets_trade(ticket) or session.closed_at is None:
            return True
        return self.as_of < session.closed_at - CLOSING


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A working order of the same account for the same symbol on the other side."""

    order_id: str
    order_type: OrderType
    order_class: OrderClass = OrderClass.SIMPLE
    limit_price: Decimal | None = None
    is_exit: bool = False


@dataclass(frozen=True, kw_only=True)
class Used:
    """
    What the account has done today and has under way, without what is left of a replaced order.

    `day_notional` is what today's orders have traded or may yet trade; `opening_value` what working
    purchases of this symbol may still cost; `twins` orders of the same content a moment ago.
    """

    open_orders: int = 0
    day_orders: int = 0
    day_notional: Decimal = ZERO
    opening_value: Decimal = ZERO
    twins: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """
    Everything a verdict depends on, read under the account's lock.

    `spendable` and `sellable` already leave out what undecided and open orders may still take,
    `spendable` also what withdrawals hold; nothing stands for "not known", which a proposal may
    be made with and an order may not. `equity` is the account's worth without this symbol, of
    which it holds `position`. `replaced` is the order whose place the new one takes.
    """

    account_status: str
    is_account_active: bool
    is_account_frozen: bool
    is_account_closing: bool = False
    source: Source = Source.CUSTOMER
    halt_reason: str | None = None
    restriction: str | None = None
    instrument: Traits | None
    quote: MarketQuote | None
    session: Session | None = None
    spendable: Decimal | None
    sellable: Decimal | None
    position: Decimal = ZERO
    equity: Decimal | None = None
    rivals: Sequence[Rival] = ()
    used: Used = Used()
    replaced: Ticket | None = None
    limits: Limits
    at: datetime

    @property
    def is_capped(self) -> bool:
        """Say whether limits of size and number hold: closing an account has to sell it all."""
        return self.source != Source.CLOSURE
