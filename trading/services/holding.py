"""Orders that wait here: for the market to open, or for a kill switch to be lifted."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NoReturn
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q

from accounts import services as accounts
from core.auth import SYSTEM, acting_as
from core.clock import Now, database_now
from core.errors import CleraError, Invalid, ServiceBusy
from core.events import publish
from core.failpoints import failpoint
from core.intents import sending
from core.intents.states import IntentState
from ledger import services as ledger
from trading import risk, selectors
from trading.events import OrderSettled
from trading.models import Order
from trading.selectors import MarketView, switches
from trading.services import books, feed, holdings
from trading.services.couriers import OrderCourier
from trading.services.proposing import propose_anew
from trading.states import AfterHours, HeldFor, OrderType, Source, TimeInForce
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount

logger = structlog.get_logger()
_MOST: Final = 500
# What a limit made of a market order may cost more, or bring less, than the last price.
_REACH: Final = Decimal("0.01")
_CENT, _SUB_CENT = Decimal("0.01"), Decimal("0.0001")
# How old a stopped order may be when the switch is lifted.
_STOPPED_FOR: Final = timedelta(days=1)
# And how long one waits for a price before it ends without a word on what it would cost now.
_PRICELESS_FOR: Final = timedelta(days=1)
_LOOK_AGAIN: Final = timedelta(seconds=5)


class Outcome(StrEnum):
    """What became of a held order when it was looked at."""

    SENT = "sent"
    LAPSED = "lapsed"
    LATER = "later"
    GONE = "gone"


class _OldHoldings(Exception):
    """The verdict hangs on holdings that were read too long ago."""


class _NoPrice(Exception):
    """Nobody can tell now what the order would cost."""


def as_the_broker_keeps_it(ticket: Ticket, view: MarketView) -> Ticket:
    """
    Make of a ticket what the broker itself keeps for the opening, if that is what it asks for.

    :raises Invalid: the broker keeps no such order.
    :raises PriceStale: there is no last price to make a limit of.
    :raises ServiceBusy: nobody can tell whether the market is open.
    """
    if ticket.after_hours != AfterHours.BROKER_LIMIT_GTC or _is_open(view):
        return ticket
    return _as_limit(ticket, view)


def put_aside(order: Order, view: MarketView, *, at: datetime) -> None:
    """
    Have a new order wait for the opening if it asks for that, in the transaction that writes it.

    :raises ServiceBusy: nobody can tell whether the market is open, or when it will be.
    """
    waits = order.after_hours == AfterHours.QUEUE_FOR_OPEN and order.replaces_id is None
    if not waits or order.state != IntentState.PENDING or _is_open(view):
        return
    if view.opens_at is None:
        raise ServiceBusy(retry_after_seconds=5)
    price = view.quote.price_for(is_buy=order.is_buy) if view.quote else None
    order.wait_for_open(opens_at=view.opens_at, price=price, at=at)
    feed.tell(order, at=at)


def _is_open(view: MarketView) -> bool:
    if view.session is None:
        raise ServiceBusy(retry_after_seconds=5)
    return view.session.is_open


def _as_limit(ticket: Ticket, view: MarketView) -> Ticket:
    """
    Turn a market order into a limit that works until canceled, one per cent off the last price.

    A limit of the customer's own stays what it is. The broker takes whole shares only.
    """
    if ticket.order_type not in {OrderType.MARKET, OrderType.LIMIT}:
        _refuse("order_type", "The broker keeps only market and limit orders for the opening.")
    if ticket.quantity is None:
        _refuse("notional_amount", "The broker keeps an order for the opening in whole shares.")
    if ticket.quantity != ticket.quantity.to_integral_value():
        _refuse("units", "The broker keeps an order for the opening in whole shares.")
    limit = ticket.limit_price
    if limit is None:
        if view.quote is None:
            raise risk.PriceStale(extra={"symbol": ticket.symbol})
        limit = _limit_near(view.quote.last, is_buy=ticket.is_buy)
    return replace(
        ticket, order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC, limit_price=limit
    )


def _limit_near(last: Decimal, *, is_buy: bool) -> Decimal:
    raw = last * (1 + _REACH if is_buy else 1 - _REACH)
    tick = _CENT if raw >= 1 else _SUB_CENT
    return raw.quantize(tick, ROUND_FLOOR if is_buy else ROUND_CEILING)


def _refuse(field: str, rule: str) -> NoReturn:
    raise Invalid(rule, field_errors={field: [rule]})


def release_due(*, at: datetime) -> dict[str, int]:
    """
    Look at every held order whose time has come, and count what became of them.

    Each is judged anew at the price of now: it is sent once, or ends and is suggested to its
    customer, or goes on waiting. Safe to run in many processes at once, and to be killed anywhere.
    """
    counts: Counter[str] = Counter()
    for order_id in _due(at=at):
        try:
            counts[release(order_id, at=at)] += 1
        except CleraError as error:
            logger.warning("holding.row_failed", id=str(order_id), error=error.code)
        except Exception:
            logger.exception("holding.row_broken", id=str(order_id))
    return dict(counts)


def _due(*, at: datetime) -> list[UUID]:
    """List the held orders that nothing but their turn stands in the way of."""
    waits_no_more = Q(held_for=HeldFor.OPEN, opens_at__lte=at) | Q(held_for=HeldFor.KILL_SWITCH)
    with acting_as(SYSTEM):
        held = Order.objects.filter(waits_no_more, state=IntentState.HELD, due_at__lte=Now())
        due = held.exclude(switches.is_stopped()).order_by("due_at", "pk")
        return list(due.values_list("pk", flat=True)[:_MOST])


def release(order_id: UUID, *, at: datetime) -> Outcome:
    """
    Judge a held order anew and send it, end it, or leave it waiting.

    :raises VendorError: the market or the account cannot be read; it goes on waiting.
    """
    with acting_as(SYSTEM):
        order = Order.objects.get(pk=order_id)
    sending.release_connection()
    view = selectors.look_at_market(symbol=order.symbol, at=at)
    try:
        outcome = _settle(order, view, trusts_holdings=False, at=at)
    except _OldHoldings:
        holdings.sync_holdings(account_id=order.account_id, at=at)
        outcome = _settle(order, view, trusts_holdings=True, at=at)
    except _NoPrice:
        return _leave(order_id)
    failpoint("holding.decided")
    if outcome == Outcome.SENT:
        sending.send_once(order_id, through=OrderCourier(), at=at)
    return outcome


def _settle(seen: Order, view: MarketView, *, trusts_holdings: bool, at: datetime) -> Outcome:
    """Decide in one transaction, under the locks of account and order."""
    with acting_as(SYSTEM):
        account = accounts.lock_account(account_id=seen.account_id)
        order = Order.objects.locked(seen.pk)
        if order.state != IntentState.HELD:
            return Outcome.GONE
        if not _may_go_on(order, view, at=at):
            order.look_later(_LOOK_AGAIN)
            return Outcome.LATER
        end = _why_lapsed(order, account, view)
        if end is not None:
            _lapse(order, end, at=at)
            if _is_worth_proposing(order):
                propose_anew(order, view, at=at)
            return Outcome.LAPSED
        verdict = _judge(order, account, view, at=at)
        if verdict.rule == risk.STALE:
            raise _NoPrice
        if verdict.rule in risk.HOLDINGS_RULES and not trusts_holdings:
            raise _OldHoldings
        if not verdict.is_allowed:
            _lapse(order, (verdict.rule, verdict.detail), at=at)
            return Outcome.LAPSED
        _let_pass(order, verdict, at=at)
        return Outcome.SENT


def _is_worth_proposing(order: Order) -> bool:
    """Say whether the customer may still want it, who alone has asked for it."""
    is_own = order.replaces_id is None and order.source != Source.CLOSURE
    return is_own and order.cancel_asked_at is None


def _leave(order_id: UUID) -> Outcome:
    with acting_as(SYSTEM):
        order = Order.objects.locked(order_id)
        if order.state == IntentState.HELD:
            order.look_later(_LOOK_AGAIN)
        return Outcome.LATER


def _may_go_on(order: Order, view: MarketView, *, at: datetime) -> bool:
    """Say whether it can be decided upon now; if it waits for another opening, note which."""
    session = view.session
    if session is None or switches.standing_over(order) is not None:
        return False
    if not session.is_open and order.after_hours == AfterHours.QUEUE_FOR_OPEN:
        opens_at = view.opens_at or order.opens_at
        if opens_at is not None:  # without, nobody would look at it again
            order.held_for, order.opens_at = HeldFor.OPEN, opens_at
            order.save(update_fields=["held_for", "opens_at"])
        return False
    if view.instrument is None or _age(order) > _longest(order) + _PRICELESS_FOR:
        return True
    if view.quote is None:
        return False
    if not session.is_open:
        return True
    is_fresh = at - view.quote.as_of <= timedelta(seconds=settings.ORDER_QUOTE_SECONDS)
    return is_fresh and (order.opens_at is None or view.quote.as_of >= order.opens_at)


def _why_lapsed(
    order: Order, account: "BrokerageAccount", view: MarketView
) -> tuple[str, str] | None:
    """Name the rule by which an order is no longer what was wished for, and say it in words."""
    dropped = _why_dropped(order, account)
    if dropped is not None:
        return dropped
    if _age(order) > _longest(order):
        return "queue_stale", "It has waited for too long; please decide anew."
    if view.quote is None or not order.held_price:
        return None
    moved = abs(view.quote.price_for(is_buy=order.is_buy) - order.held_price)
    if moved > order.held_price * settings.QUEUE_GAP:
        return "queue_gap", "The price has moved too far while it waited; please decide anew."
    return None


def _why_dropped(order: Order, account: "BrokerageAccount") -> tuple[str, str] | None:
    """Say the same of one that nobody wants any more, whatever it would cost."""
    if order.cancel_asked_at is not None:
        return "customer_canceled", "Canceled before it was sent."
    if order.source == Source.CLOSURE and not account.is_closing:
        return "closure_left", "The account is no longer being closed; nothing is sold for it."
    if order.replaces_id is not None:
        return "replacement_lapsed", "The change was held back; the order stays as it was."
    return None


def _age(order: Order) -> timedelta:
    return database_now() - order.created_at


def _longest(order: Order) -> timedelta:
    is_queued = order.held_for == HeldFor.OPEN
    return timedelta(days=settings.QUEUE_STALE_DAYS) if is_queued else _STOPPED_FOR


def _judge(
    order: Order, account: "BrokerageAccount", view: MarketView, *, at: datetime
) -> risk.Verdict:
    """Judge as if it were new: what it holds itself is free for it."""
    facts = selectors.facts_for(
        account,
        order.ticket,
        view,
        at=at,
        source=Source(order.source),
        placed_by=order.placed_by,
        released=order,
    )
    return risk.judge(order.ticket, facts)


def _let_pass(order: Order, verdict: risk.Verdict, *, at: datetime) -> None:
    held = order.reserved_cash
    order.weigh(verdict)
    if order.reserved_cash != held:
        ledger.release(reference=order.pk, at=at)
        books.hold_cash(order, at=at)
    order.let_pass(at=at)


def _lapse(order: Order, end: tuple[str, str], *, at: datetime) -> None:
    rule, reason = end
    order.release()
    order.lapse(reason=reason, rule=rule, at=at)
    books.let_go(order, at=at)
    feed.tell(order, at=at)
    publish(OrderSettled(order.pk, order.account_id))
    logger.info("order.lapsed", id=str(order.pk), rule=rule)
