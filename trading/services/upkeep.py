"""Repairs: what was forgotten is sent, what is unknown is found out, what drifted is read anew."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from core.auth import SYSTEM, acting_as
from core.clock import Now
from core.errors import CleraError
from core.intents import sending, sweeping
from trading.gateways import get_broker
from trading.models import CashBalance, Order
from trading.services import books, cancels, drifts, holdings, news, switches
from trading.services.couriers import OrderCourier

logger = structlog.get_logger()
RECENTLY = timedelta(minutes=10)
MOST_ACCOUNTS = 200


def sweep_orders(*, at: datetime) -> dict[str, int]:
    """Move on every order that waits, then apply the news that waits."""
    touched = sweeping.sweep(through=OrderCourier(), at=at)
    touched["looked_again"] = sweeping.look_again(through=OrderCourier(), at=at)
    touched["held"] = switches.hold_ready(at=at)
    touched["cancels_asked"] = switches.ask_cancels(at=at)
    touched["cancels_repeated"] = cancels.repeat_wishes(at=at)
    return {**touched, "applied": news.apply_events()}


def heal_accounts(*, at: datetime) -> dict[str, int]:
    """
    Read the broker for every account that trades or has just traded, and report what differed.

    On a healthy day nothing does: events have told everything before.
    """
    counts = {"accounts": 0, "orders": 0, "holdings": 0}
    for account_id in _accounts_to_read():
        try:
            counts["orders"] += _heal_orders(account_id, at=at)
            counts["holdings"] += len(holdings.sync_holdings(account_id=account_id, at=at))
            counts["accounts"] += 1
        except CleraError as error:
            logger.warning("heal.account_failed", account_id=str(account_id), error=error.code)
    books.confirm_untold(at=at)
    if counts["orders"] or counts["holdings"]:
        logger.warning("heal.drift", **counts)
    return counts


def _accounts_to_read() -> list[UUID]:
    with acting_as(SYSTEM):
        trading = Order.objects.working().values_list("account_id", flat=True).distinct()
        moved = CashBalance.objects.filter(changed_at__gt=Now() - RECENTLY)
        ids = dict.fromkeys(trading[:MOST_ACCOUNTS])
        ids.update(dict.fromkeys(moved.values_list("pk", flat=True)[:MOST_ACCOUNTS]))
        ids.update(dict.fromkeys(drifts.unsettled_accounts()))
    return list(ids)[:MOST_ACCOUNTS]


def _heal_orders(account_id: UUID, *, at: datetime) -> int:
    """Compare the open orders with the broker's; count those whose events never came."""
    with acting_as(SYSTEM):
        working = list(Order.objects.filter(account_id=account_id, state="ACCEPTED").working())
    if not working:
        return 0
    sending.release_connection()
    broker, broker_account_id = get_broker(), working[0].broker_account_id
    latest = broker.list_orders(broker_account_id=broker_account_id)
    told = {order.broker_order_id: order for order in latest}
    healed = 0
    for order in working:
        # One that has waited for long is no longer among the latest.
        current = told.get(order.broker_order_id) or broker.get(
            broker_account_id=broker_account_id, broker_order_id=order.broker_order_id
        )
        if current is not None:
            healed += news.catch_up(order.pk, current, at=at)
    return healed
