"""Carrying a replacement to the broker: the one call, and what a refusal of it means."""

from decimal import Decimal

from core.auth import SYSTEM, acting_as
from core.errors import VendorError, VendorRejected, VendorUnclear
from core.intents import sending
from trading.gateways import BrokerOrder, get_broker
from trading.models import Order
from trading.states import REPLACED, TimeInForce
from trading.tickets import Changes


def send(new: Order) -> BrokerOrder:
    """
    Have the broker put the order in the place of the one that it replaces.

    :raises VendorUnavailable: it certainly did not arrive.
    :raises VendorRejected: the broker said no, and has not said yes before.
    :raises VendorUnclear: only reading can tell.
    """
    with acting_as(SYSTEM):
        old = Order.objects.get(replacements=new.pk)
    sending.release_connection()
    try:
        return get_broker().replace(
            changes_between(old, new),
            broker_account_id=new.broker_account_id,
            broker_order_id=old.broker_order_id,
            client_order_id=new.client_order_id,
        )
    except VendorRejected as error:
        if new.attempts > 1:
            return _from_earlier_call(old, new, error)
        raise


def changes_between(old: Order, new: Order) -> Changes:
    """Say what the broker is to change of the old order to make the new one of it."""

    def changed(name: str) -> Decimal | None:
        value: Decimal | None = getattr(new, name)
        return value if value != getattr(old, name) else None

    is_same_time = new.time_in_force == old.time_in_force
    return Changes(
        quantity=new.total_quantity,
        limit_price=changed("limit_price") or changed("take_profit_price"),
        stop_price=changed("stop_price"),
        trail=changed("trail_price") or changed("trail_percent"),
        time_in_force=None if is_same_time else TimeInForce(new.time_in_force),
    )


def _from_earlier_call(old: Order, new: Order, refused: VendorRejected) -> BrokerOrder:
    """
    Find out whether an earlier call, whose answer was lost, has done it after all.

    The old order is then no longer open, so that the broker refuses to replace it again.
    """
    broker = get_broker()
    try:
        found = broker.find(
            broker_account_id=new.broker_account_id, client_order_id=new.client_order_id
        )
        stands = found or broker.get(
            broker_account_id=old.broker_account_id, broker_order_id=old.broker_order_id
        )
    except VendorError as error:
        raise VendorUnclear(error.vendor, "The order could not be read.") from error
    if found is not None:
        return found
    if stands is not None and stands.status in {REPLACED, "pending_replace"}:
        raise VendorUnclear(refused.vendor, "The old order is being replaced.") from refused
    raise refused
