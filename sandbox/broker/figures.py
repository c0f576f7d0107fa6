"""What an account is worth, and what of it is free."""

from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal

from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.records import ZERO, Account, Activity, Order

CENT = Decimal("0.01")
NANO = Decimal("0.000000001")
# A market order reserves more than it may cost, because the price can move until it fills.
MARKET_MARGIN = Decimal("1.03")

FINAL_TRANSFER_STATUSES = frozenset({"COMPLETE", "CANCELED", "REJECTED", "RETURNED"})


def cents(amount: Decimal) -> Decimal:
    """Round to whole cents; a half goes to the even one, so that ties favour nobody."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)


def shares(qty: Decimal) -> Decimal:
    """Cut to the nine places a quantity can have."""
    return qty.quantize(NANO, ROUND_DOWN)


def price_of(broker: Broker, symbol: str) -> Decimal:
    """Give the latest price; nothing is worth nothing."""
    quote = broker.world.prices.quote(symbol)
    return ZERO if quote is None else quote.last


def reserve_of(broker: Broker, order: Order) -> Decimal:
    """Tell how much buying power an open order holds."""
    reserve = order.fixed_reserve
    if reserve is not None:
        return reserve
    return _market_reserve(broker, order.symbol, order.remaining_qty or ZERO)


def reserved(broker: Broker, account_id: str) -> Decimal:
    """Sum up what all open orders hold."""
    known = broker.books.open_orders
    at_any_price = (
        _market_reserve(broker, symbol, qty)
        for symbol, qty in known.shares_held(account_id).items()
    )
    return sum(at_any_price, known.money_held(account_id))


def _market_reserve(broker: Broker, symbol: str, qty: Decimal) -> Decimal:
    price = (price_of(broker, symbol) * MARKET_MARGIN).quantize(CENT, ROUND_UP)
    return (price * qty).quantize(CENT, ROUND_UP)


def pending_out(broker: Broker, account_id: str) -> Decimal:
    """Sum up the withdrawals on their way."""
    return _pending(broker, account_id, "OUTGOING")


def pending_in(broker: Broker, account_id: str) -> Decimal:
    """Sum up the deposits on their way."""
    return _pending(broker, account_id, "INCOMING")


def _pending(broker: Broker, account_id: str, direction: str) -> Decimal:
    transfers = broker.books.transfers.get(account_id, {}).values()
    return sum(
        (
            transfer.amount
            for transfer in transfers
            if transfer.direction == direction and transfer.status not in FINAL_TRANSFER_STATUSES
        ),
        ZERO,
    )


def buying_power(broker: Broker, account: Account) -> Decimal:
    """Tell what new orders may cost: a cash account has nothing but its cash."""
    free = account.cash - reserved(broker, account.id) - pending_out(broker, account.id)
    return max(free, ZERO)


def held_for_orders(
    broker: Broker, account_id: str, symbol: str, *, released: Order | None = None
) -> Decimal:
    """
    Sum up the shares that open sell orders hold; the exits of a group hold theirs once.

    :param released: an order that is about to be replaced, and holds nothing any more.
    """
    holds: dict[str, Decimal] = {}
    for order in broker.books.open_orders.of_side(account_id, symbol, "sell"):
        is_free = released is not None and order.group_id == released.group_id
        if order.status != "held" and not order.is_leaving and not is_free:
            known = holds.get(order.group_id, ZERO)
            holds[order.group_id] = max(known, _qty_to_sell(broker, order))
    return sum(holds.values(), ZERO)


def _qty_to_sell(broker: Broker, order: Order) -> Decimal:
    if order.remaining_qty is not None:
        return order.remaining_qty
    return shares((order.notional or ZERO) / price_of(broker, order.symbol))


def market_value(broker: Broker, account_id: str) -> Decimal:
    """Value all positions at the latest prices."""
    return sum(
        (cents(held.qty * price_of(broker, held.symbol)) for held in broker.books.held(account_id)),
        ZERO,
    )


def equity(broker: Broker, account: Account) -> Decimal:
    """Add cash and positions."""
    return account.cash + market_value(broker, account.id)


def today(broker: Broker) -> date:
    """Tell the date in New York."""
    return broker.now().astimezone(NEW_YORK).date()


def activities_since(broker: Broker, account_id: str, at: datetime) -> list[Activity]:
    """List an account's book from a moment on; reads only the end of it."""
    found: list[Activity] = []
    for activity in reversed(broker.books.activities.get(account_id, [])):
        if activity.at < at:
            break
        found.append(activity)
    return found


def last_close(broker: Broker) -> datetime:
    """Tell when the session before the current one ended; what came later counts as today."""
    sessions = broker.world.prices.sessions
    return sessions.before(sessions.started(broker.now()).date).close


def at_last_close(broker: Broker, account: Account) -> tuple[Decimal, Decimal]:
    """Tell the cash and the value of positions as they were at the last close."""
    cash = account.cash
    held = {position.symbol: position.qty for position in broker.books.held(account.id)}
    for activity in activities_since(broker, account.id, last_close(broker)):
        cash -= activity.moved
        if activity.symbol is not None:
            held[activity.symbol] = held.get(activity.symbol, ZERO) - activity.signed_qty
    value = sum(
        (
            cents(qty * (broker.world.prices.previous_close(symbol) or ZERO))
            for symbol, qty in held.items()
            if qty
        ),
        ZERO,
    )
    return cash, value
