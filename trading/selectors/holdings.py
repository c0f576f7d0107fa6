"""Questions about what accounts hold, and what it is worth."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import F, Sum

from accounts import selectors as accounts
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError
from core.money import Money, Price, Quantity
from market import selectors as market
from trading.models import CashBalance, Execution, Position
from trading.risk import MarketQuote
from trading.selectors.market import quote_of
from trading.states import Side

ZERO = Decimal(0)


class Holding(NamedTuple):
    """
    Shares of one symbol, as far as valuing them needs.

    `previous_close` is the broker's word, and known only if it was read today.
    """

    symbol: str
    quantity: Decimal
    average_entry_price: Decimal
    previous_close: Decimal | None


class Holdings(NamedTuple):
    """What one account holds."""

    cash: Decimal
    positions: Sequence[Holding]


@dataclass(frozen=True, kw_only=True)
class Traded:
    """What an account bought of one symbol, on balance, and what it paid for that."""

    quantity: Decimal
    spent: Decimal


@dataclass(frozen=True, kw_only=True)
class PricedPosition:
    """A position and what the market says of it, which may be nothing."""

    position: Position
    quote: MarketQuote | None
    previous_close: Decimal | None

    @property
    def market_value(self) -> Decimal | None:
        """Value it at the last price, or not at all."""
        if self.quote is None or self.quote.last <= 0:
            return None
        shares = Quantity(self.position.quantity)
        return (shares * Price(self.quote.last)).to_money().amount


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Cash and worth; nothing stands for "not known"."""

    cash: Decimal | None
    buying_power: Decimal | None
    portfolio_value: Decimal | None
    currency: str


def list_positions(*, principal: Principal, account_id: str | UUID) -> list[Position]:
    """
    List what an account holds, by symbol.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        return list(Position.objects.filter(account_id=account.pk).order_by("symbol"))


def list_priced_positions(
    *, principal: Principal, account_id: str | UUID, at: datetime
) -> list[PricedPosition]:
    """
    List what an account holds with the latest prices; one without a price is listed without.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    positions = list_positions(principal=principal, account_id=account_id)
    return [_priced(position, at=at) for position in positions]


def _priced(position: Position, *, at: datetime) -> PricedPosition:
    try:
        told = market.get_quote(symbol=position.symbol, at=at)
    except CleraError:
        return PricedPosition(position=position, quote=None, previous_close=position.previous_close)
    return PricedPosition(
        position=position,
        quote=quote_of(told),
        previous_close=told.previous_close or position.previous_close,
    )


def get_cash(*, principal: Principal, account_id: str | UUID) -> CashBalance | None:
    """
    Return what an account has to spend, or nothing before the broker was first read.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    with acting_as(principal):
        return CashBalance.objects.filter(pk=account.pk).first()


def get_balance(*, principal: Principal, account_id: str | UUID, at: datetime) -> Balance:
    """
    Add cash and positions up; the sum is unknown while a price or the cash is.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    cash = get_cash(principal=principal, account_id=account_id)
    if cash is None:
        return Balance(cash=None, buying_power=None, portfolio_value=None, currency="USD")
    priced = list_priced_positions(principal=principal, account_id=account_id, at=at)
    return Balance(
        cash=cash.cash,
        buying_power=cash.buying_power,
        portfolio_value=_worth(cash, priced),
        currency=cash.currency,
    )


def _worth(cash: CashBalance, priced: Sequence[PricedPosition]) -> Decimal | None:
    total = Money(cash.cash)
    for position in priced:
        if position.market_value is None:
            return None
        total += Money(position.market_value)
    return total.amount


def traded_since(
    *, account_ids: Iterable[UUID], since: datetime, principal: Principal = SYSTEM
) -> dict[UUID, dict[str, Traded]]:
    """Add up what was bought and sold since a moment, by account and symbol."""
    with acting_as(principal):
        rows = list(
            Execution.objects.filter(
                account_id__in=list(account_ids), at__gte=since, is_busted=False
            )
            .values_list("account_id", "symbol", "side")
            .annotate(shares=Sum("quantity"), spent=Sum(F("quantity") * F("price")))
        )
    traded: dict[UUID, dict[str, Traded]] = defaultdict(dict)
    for account_id, symbol, side, quantity, value in rows:
        before = traded[account_id].get(symbol, Traded(quantity=ZERO, spent=ZERO))
        sign = 1 if side == Side.BUY else -1
        traded[account_id][symbol] = Traded(
            quantity=before.quantity + sign * quantity, spent=before.spent + sign * value
        )
    return dict(traded)


def list_held_symbols() -> list[str]:
    """List every symbol that some account holds."""
    with acting_as(SYSTEM):
        symbols = Position.objects.values_list("symbol", flat=True)
        return list(symbols.distinct().order_by("symbol"))
