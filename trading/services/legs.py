"""The exits of brackets, OCOs and OTOs: orders that the broker makes, as rows of their own."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

import structlog

from core.events import publish
from core.ids import new_id
from core.intents.models import IntentStep
from core.intents.states import IntentState
from trading.events import OrderFilled
from trading.gateways import BrokerOrder
from trading.models import Order
from trading.services import feed, holdings
from trading.states import OrderType, Side, Source, TimeInForce

logger = structlog.get_logger()
Word = TypeVar("Word", OrderType, Side, TimeInForce)


def keep(order: Order, told: BrokerOrder, *, at: datetime) -> list[Order]:
    """
    Make rows of the exits that hang on an order, and return those that are new.

    Runs in the transaction that takes over what the broker has told, with the order locked. The
    exits reserve nothing: they sell what their entry has bought, or what that order has reserved.
    """
    if not told.legs:
        return []
    known = set(
        Order.objects.filter(
            account_id=order.account_id,
            broker_order_id__in=[leg.broker_order_id for leg in told.legs],
        ).values_list("broker_order_id", flat=True)
    )
    if known and order.replaces_id is not None:
        _move_to(order, known)
    fresh = [leg for leg in told.legs if leg.broker_order_id not in known]
    new = [row for leg in fresh if (row := _row_of(order, leg, at=at)) is not None]
    Order.objects.bulk_create(new, ignore_conflicts=True)
    _begin_history(new)
    feed.tell_all(feed.order_news(row, at=at) for row in new)
    if any(row.filled_quantity for row in new):
        publish(OrderFilled(order.pk, order.account_id))
        holdings.request_sync(account_id=order.account_id)
    return new


def _move_to(order: Order, broker_order_ids: set[str]) -> None:
    """
    Hang the exits of an order that was replaced on its replacement.

    Whoever has one of them locked may be waiting for this order: such a one moves the next time.
    """
    theirs = Order.objects.filter(
        account_id=order.account_id, broker_order_id__in=broker_order_ids
    ).exclude(parent=order)
    free = list(
        theirs.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
    )
    Order.objects.filter(pk__in=free).update(parent=order)


def _row_of(order: Order, leg: BrokerOrder, *, at: datetime) -> Order | None:
    quantity = leg.quantity or order.quantity
    if quantity is None:
        logger.error("order.leg_unreadable", id=str(order.pk))
        return None
    side, kind = Side.SELL if order.is_buy else Side.BUY, OrderType.LIMIT
    if leg.stop_price is not None:
        kind = OrderType.STOP_LIMIT if leg.limit_price is not None else OrderType.STOP
    return Order(
        id=_id_of(leg),
        user_id=order.user_id,
        account_id=order.account_id,
        broker_account_id=order.broker_account_id,
        broker_order_id=leg.broker_order_id,
        state=IntentState.ACCEPTED,
        vendor_status=leg.status[:64],
        settled_at=at,
        symbol=order.symbol,
        side=_word(Side, leg.side, otherwise=side),
        order_type=_word(OrderType, leg.order_type, otherwise=kind),
        time_in_force=_word(
            TimeInForce, leg.time_in_force, otherwise=TimeInForce(order.time_in_force)
        ),
        quantity=quantity,
        limit_price=leg.limit_price,
        stop_price=leg.stop_price,
        parent=order,
        source=Source.BROKER,
        placed_by=order.placed_by,
        filled_quantity=leg.filled_quantity,
        average_price=leg.average_price,
        broker_record=dict(leg.record),
    )


def _id_of(leg: BrokerOrder) -> UUID:
    """Take the broker's own client id for ours where it can be one: both are the same then."""
    try:
        return UUID(leg.client_order_id)
    except ValueError:
        return new_id()


def _word(words: type[Word], told: str, *, otherwise: Word) -> Word:
    if told.upper() in words.values:
        return words(told.upper())
    logger.error("order.unknown_word", kind=words.__name__, outcome=otherwise.value)
    return otherwise


def _begin_history(rows: list[Order]) -> None:
    IntentStep.objects.bulk_create(
        IntentStep(
            intent_kind=Order._meta.label,  # noqa: SLF001 - as the history names every intent
            intent_id=row.pk,
            from_state=IntentState.PENDING,
            to_state=row.state,
            reason="The broker made it of the order that it hangs on.",
            vendor_status=row.vendor_status,
        )
        for row in rows
    )
