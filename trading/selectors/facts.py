"""What the risk rules weigh, read under the account's lock."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet, Sum

from trading.models import CashBalance, Order, Position
from trading.risk import Facts, Limits
from trading.states import Side
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount
from trading.selectors.market import MarketView

ZERO = Decimal(0)


def facts_for(
    account: "BrokerageAccount", ticket: Ticket, view: MarketView, *, at: datetime
) -> Facts:
    """
    Gather what the rules weigh; the caller is acting as somebody and holds the account's lock.

    What undecided and open orders may still take, and the broker has not yet taken from what it
    last told us, is left out of what can be spent or sold.
    """
    balance = CashBalance.objects.filter(pk=account.pk).first()
    return Facts(
        account_status=account.vendor_status,
        is_account_active=account.is_tradable,
        is_account_frozen=account.is_frozen,
        instrument=view.instrument,
        quote=view.quote,
        spendable=_spendable(balance, account.pk),
        sellable=None if balance is None or ticket.is_buy else _sellable(account.pk, ticket),
        limits=limits(),
        at=at,
    )


def limits() -> Limits:
    """Return the limits that operations have set."""
    return Limits(
        max_notional=settings.ORDER_MAX_NOTIONAL,
        quote_seconds=settings.ORDER_QUOTE_SECONDS,
        collar=settings.ORDER_PRICE_COLLAR,
    )


def _spendable(balance: CashBalance | None, account_id: UUID) -> Decimal | None:
    if balance is None:
        return None
    orders = Order.objects.filter(account_id=account_id, reserved_cash__gt=0)
    free: Decimal = balance.buying_power - _total(orders, "reserved_cash")
    return max(free, ZERO)


def _sellable(account_id: UUID, ticket: Ticket) -> Decimal:
    position = Position.objects.filter(account_id=account_id, symbol=ticket.symbol).first()
    if position is None:
        return ZERO
    orders = Order.objects.filter(
        account_id=account_id, symbol=ticket.symbol, side=Side.SELL, reserved_quantity__gt=0
    )
    free: Decimal = position.available_quantity - _total(orders, "reserved_quantity")
    return max(free, ZERO)


def _total(orders: "QuerySet[Order]", column: str) -> Decimal:
    total: Decimal | None = orders.aggregate(total=Sum(column))["total"]
    return total or ZERO
