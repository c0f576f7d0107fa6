"""Questions about orders, holdings and proposals; each says whose it is asking for."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet, Sum

from accounts import selectors as accounts
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, NotFound
from core.money import Money, Price, Quantity
from market import selectors as market
from trading.models import CashBalance, Execution, Order, Position, Proposal
from trading.risk import Facts, Limits, MarketQuote, Traits
from trading.states import ProposalState, Side
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount

ZERO = Decimal(0)
MOST_ORDERS = 500
MOST_PROPOSALS = 100


@dataclass(frozen=True, kw_only=True)
class OrderFilter:
    """Which orders are meant, as the reference's query says it."""

    status: str = "open"
    limit: int = 50
    after: datetime | None = None
    until: datetime | None = None
    is_ascending: bool = False
    symbols: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Shares of one symbol, as far as valuing them needs."""

    symbol: str
    quantity: Decimal
    average_entry_price: Decimal
    previous_close: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What one account holds; `version` grows with every change."""

    account_id: UUID
    cash: Decimal
    version: int
    positions: Sequence[Holding] = field(default=())


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


@dataclass(frozen=True, kw_only=True)
class MarketView:
    """What the market says about one symbol, read before any transaction."""

    instrument: Traits | None
    quote: MarketQuote | None
    asset_id: str = ""


def list_orders(
    *, principal: Principal, account_id: str | UUID, wanted: OrderFilter
) -> list[Order]:
    """
    List an account's orders, the newest first unless asked otherwise.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = accounts.get_account(principal=principal, account_id=account_id)
    conditions = Q(account_id=account.pk)
    if wanted.after:
        conditions &= Q(created_at__gt=wanted.after)
    if wanted.until:
        conditions &= Q(created_at__lt=wanted.until)
    if wanted.symbols:
        conditions &= Q(symbol__in=wanted.symbols)
    with acting_as(principal):
        orders = Order.objects.filter(conditions)
        if wanted.status == "open":
            orders = orders.working()
        elif wanted.status == "closed":
            orders = orders.exclude(pk__in=orders.working().values("pk"))
        order = "created_at" if wanted.is_ascending else "-created_at"
        return list(orders.order_by(order, "-id")[: min(wanted.limit, MOST_ORDERS)])


def get_order(
    *, principal: Principal, order_id: str | UUID, account_id: str | UUID | None = None
) -> Order:
    """
    Return one order of the principal, named by our id or by the broker's.

    :raises NotFound: there is none, or it is somebody else's or another account's.
    """
    account = (
        accounts.get_account(principal=principal, account_id=account_id) if account_id else None
    )
    with acting_as(principal):
        order = Order.objects.named(order_id).first()
    if order is None or (account is not None and order.account_id != account.pk):
        raise NotFound("There is no such order.")
    return order


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
        quote=_quote_of(told),
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


def holdings_of(
    *, account_ids: Iterable[UUID], principal: Principal = SYSTEM
) -> dict[UUID, Holdings]:
    """Read the holdings of many accounts at one moment; those never read from the broker lack."""
    wanted = list(account_ids)
    with acting_as(principal):
        balances = list(CashBalance.objects.filter(pk__in=wanted))
        rows = list(Position.objects.filter(account_id__in=wanted).order_by("symbol"))
    positions: dict[UUID, list[Holding]] = defaultdict(list)
    for row in rows:
        positions[row.account_id].append(
            Holding(
                symbol=row.symbol,
                quantity=row.quantity,
                average_entry_price=row.average_entry_price,
                previous_close=row.previous_close,
            )
        )
    return {
        balance.pk: Holdings(
            account_id=balance.pk,
            cash=balance.cash,
            version=balance.version,
            positions=tuple(positions[balance.pk]),
        )
        for balance in balances
    }


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


def list_proposals(
    *, principal: Principal, state: ProposalState | None = None, limit: int = MOST_PROPOSALS
) -> list[Proposal]:
    """List the principal's proposals, the newest first."""
    with acting_as(principal):
        proposals = Proposal.objects.select_related("order")
        if state is not None:
            proposals = proposals.filter(state=state)
        return list(proposals.order_by("-created_at", "id")[: min(limit, MOST_PROPOSALS)])


def get_proposal(*, principal: Principal, proposal_id: UUID) -> Proposal:
    """
    Return one proposal of the principal.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        proposal = Proposal.objects.select_related("order").filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is no such proposal.")
    return proposal


def look_at_market(*, symbol: str, at: datetime) -> MarketView:
    """Read what the risk rules need of the market; it may call a vendor, so no transaction."""
    try:
        instrument = market.get_instrument(symbol=symbol)
    except NotFound:
        return MarketView(instrument=None, quote=None)
    traits = Traits(is_tradable=instrument.tradable, is_fractionable=instrument.fractionable)
    asset_id = instrument.broker_asset_id
    try:
        quote = _quote_of(market.get_quote(symbol=symbol, at=at))
    except CleraError:
        return MarketView(instrument=traits, quote=None, asset_id=asset_id)
    return MarketView(instrument=traits, quote=quote, asset_id=asset_id)


def _quote_of(told: market.Quote) -> MarketQuote | None:
    if not told.last or told.as_of is None:
        return None
    return MarketQuote(bid=told.bid or ZERO, ask=told.ask or ZERO, last=told.last, as_of=told.as_of)


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
