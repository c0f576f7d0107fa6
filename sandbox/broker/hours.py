"""When orders work: session, extended hours, and the auctions at the opening and the close."""

from datetime import datetime, time, timedelta

from sandbox.answers import Refusal
from sandbox.broker.core import NEW_YORK, Broker
from sandbox.broker.records import Order
from sandbox.broker.tickets import Ticket

AUCTIONS = frozenset({"opg", "cls"})
# Fill what can be filled the moment they arrive, and end.
AT_ONCE = frozenset({"ioc", "fok"})

_GOOD_TILL_CANCELED = timedelta(days=90)
_EXTENDED_BEGINS, _EXTENDED_ENDS = time(4), time(20)
# How long before its auction an order must be in, and when the next auction's book opens.
_NOTICE = {"opg": timedelta(minutes=2), "cls": timedelta(minutes=10)}
_NEXT_AUCTION_FROM = time(19)


def can_trade(broker: Broker, order: Order | Ticket, at: datetime) -> bool:
    """Say whether this order could fill at that moment."""
    prices = broker.world.prices
    if prices.is_open(at) or _is_for_coin(order):
        return True
    local = at.astimezone(NEW_YORK)
    is_extended = _EXTENDED_BEGINS <= local.time() < _EXTENDED_ENDS
    return order.extended_hours and is_extended and prices.sessions.on(local.date()) is not None


def _is_for_coin(order: Order | Ticket) -> bool:
    return order.asset.is_coin if isinstance(order, Ticket) else "/" in order.symbol


def works_from(broker: Broker, order: Order, at: datetime) -> datetime:
    """Tell when an order that is here at that moment begins to work."""
    if order.time_in_force in AT_ONCE or can_trade(broker, order, at):
        return at
    prices, local = broker.world.prices, at.astimezone(NEW_YORK)
    if not order.extended_hours:
        return prices.next_open(at)
    is_today = local.time() < _EXTENDED_BEGINS and prices.sessions.on(local.date()) is not None
    day = local.date() if is_today else prices.sessions.after(local.date()).date
    return datetime.combine(day, _EXTENDED_BEGINS, NEW_YORK)


def expiry(broker: Broker, ticket: Ticket, now: datetime) -> datetime:
    """Tell when an order ends; one for an auction ends with it."""
    prices = broker.world.prices
    if ticket.time_in_force == "gtc":
        return now + _GOOD_TILL_CANCELED
    if ticket.time_in_force == "opg":
        return prices.next_open(now)
    if not ticket.extended_hours or prices.sessions.mode == "open":
        return prices.next_close(now)
    local = now.astimezone(NEW_YORK)
    is_today = local.time() < _EXTENDED_ENDS and prices.sessions.on(local.date()) is not None
    day = local.date() if is_today else prices.sessions.after(local.date()).date
    return datetime.combine(day, _EXTENDED_ENDS, NEW_YORK)


def check(broker: Broker, ticket: Ticket) -> None:
    """
    Take an order for an auction only in time; a market that never closes is never too late.

    :raises Refusal: it is too late for today's auction and too early for the next one's.
    """
    kind, sessions, now = ticket.time_in_force, broker.world.prices.sessions, broker.now()
    session = sessions.on(now.astimezone(NEW_YORK).date())
    if kind not in AUCTIONS or session is None or sessions.mode == "open":
        return
    auction = session.open if kind == "opg" else session.close
    ends = datetime.combine(session.date, _NEXT_AUCTION_FROM, NEW_YORK)
    if auction - _NOTICE[kind] <= now < ends:
        raise Refusal(
            422,
            42210000,
            f"{kind} orders are not accepted between "
            f"{auction - _NOTICE[kind]:%H:%M} and {ends:%H:%M} ET",
        )
