"""Replacing an open order: a new order that the broker puts in the place of the old one."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

import structlog

from accounts import services as accounts
from core import idempotency
from core.auth import SYSTEM, Principal, acting_as
from core.errors import CleraError, Invalid, RuleBroken
from core.ids import new_id
from core.intents.states import IntentState
from trading import selectors
from trading.models import Order
from trading.selectors import MarketView
from trading.services import feed, orders
from trading.services.cancels import OrderNotOpen, OrderUndecided
from trading.states import (
    LIVE,
    AfterHours,
    OrderClass,
    OrderType,
    Source,
    is_open,
    may_become,
)
from trading.tickets import Changes, Ticket

logger = structlog.get_logger()
REPLACEABLE = LIVE | {"held", "partially_filled"}


class NotReplaceable(RuleBroken):
    """Orders of this kind are never replaced."""

    code = "order_not_replaceable"


class NotReplaceableNow(CleraError):
    """The order is on its way from one state to another."""

    code = "order_not_replaceable_now"
    status = 409
    detail = "The order cannot be replaced as it stands now; look at it again in a few seconds."


def replace_order(
    *,
    principal: Principal,
    account_id: str | UUID,
    order_id: str | UUID,
    changes: Changes,
    request: idempotency.Request | None,
    at: datetime,
) -> Order:
    """
    Put a changed order in the place of an open one, once, and return the new one.

    The new order is judged as if the old one were gone. Until the broker confirms, the old one
    works on; when the broker refuses, or the old one is filled first, it stays as it was.

    :raises NotFound: there is no such order, or it is somebody else's.
    :raises Invalid: the changes make no sense for this order.
    :raises NotReplaceable: an order for dollars, or one the broker has not got.
    :raises NotReplaceableNow: it is being placed, replaced or canceled at this moment.
    :raises OrderNotOpen: it is over.
    :raises PriceStale: nobody can say now what it would cost; nothing was recorded.
    :raises RiskRefused: a rule says no; the refused order is kept.
    :raises OrderRejected: the broker said no; the old order works on.
    """
    old = selectors.get_order(principal=principal, account_id=account_id, order_id=order_id)
    if request is not None:
        request.fingerprint = idempotency.fingerprint_of({"order_id": old.pk, **asdict(changes)})
        request.allows_duplicate = True  # it is replaced once, or not at all and may be asked again
    view = selectors.look_at_market(symbol=old.symbol, at=at)

    def record(*, trusts_holdings: bool) -> UUID:
        wanted = new_id()
        with acting_as(principal):
            claimed = idempotency.claim(request, resource_id=wanted)
            if claimed == wanted:
                _open(
                    wanted,
                    old.pk,
                    changes,
                    principal=principal,
                    view=view,
                    trusts_holdings=trusts_holdings,
                    at=at,
                )
            return claimed

    new = orders.send_order(orders.with_known_holdings(record, at=at), at=at)
    if new.is_accepted:
        _note_replacing(old.pk, at=at)
    return new


def _open(
    new_order_id: UUID,
    old_id: UUID,
    changes: Changes,
    *,
    principal: Principal,
    view: MarketView,
    trusts_holdings: bool,
    at: datetime,
) -> None:
    account_id = Order.objects.values_list("account_id", flat=True).get(pk=old_id)
    account = accounts.lock_account(account_id=account_id)
    old = Order.objects.locked(old_id)
    _require_replaceable(old)
    orders.open_order(
        order_id=new_order_id,
        principal=principal,
        account_id=account_id,
        locked=account,
        ticket=changed_ticket(old, changes),
        view=view,
        trusts_holdings=trusts_holdings,
        # What the broker or a closure has made is the customer's once the customer changes it.
        source=Source.PROPOSAL if old.source == Source.PROPOSAL else Source.CUSTOMER,
        replaces=old,
        total_quantity=changes.quantity,
        at=at,
    )


def _require_replaceable(old: Order) -> None:
    if old.state in {IntentState.PENDING, IntentState.HELD}:
        raise NotReplaceable("The broker has not got this order yet; cancel it and place another.")
    if not old.is_working:
        raise OrderNotOpen("The order is over and can no longer be replaced.")
    if not old.is_accepted:
        raise OrderUndecided(retry_after_seconds=5)
    if old.notional is not None:
        raise NotReplaceable("An order for an amount of dollars cannot be replaced.")
    if old.vendor_status not in REPLACEABLE or old.cancel_asked_at is not None:
        raise NotReplaceableNow(retry_after_seconds=2)
    if Order.objects.filter(replaces=old).working().exists():
        raise NotReplaceableNow(retry_after_seconds=2)


def changed_ticket(old: Order, changes: Changes) -> Ticket:
    """
    Say what is still to be traded once an order is changed.

    :raises Invalid: the changes make no sense for this order.
    """
    _require_sense(old, changes)
    assert old.quantity is not None  # noqa: S101 - an order for dollars was refused before
    total = old.quantity if changes.quantity is None else changes.quantity
    is_oco = old.order_class == OrderClass.OCO  # its own limit is that of its first exit
    wanted = {
        "take_profit_price" if is_oco else "limit_price": changes.limit_price,
        "stop_price": changes.stop_price,
        "time_in_force": changes.time_in_force,
        "trail_price" if old.trail_price is not None else "trail_percent": changes.trail,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    if total == old.quantity and all(getattr(old, name) == value for name, value in given.items()):
        raise Invalid("That is what the order says already; say what to change of it.")
    return replace(
        old.ticket,
        quantity=total - old.filled_quantity,
        after_hours=AfterHours.REFUSE,
        **given,  # type: ignore[arg-type]  # each is of its field's own type
    )


def _require_sense(old: Order, changes: Changes) -> None:
    if changes == Changes():
        raise Invalid("Say what to change: qty, a price or the time in force.")
    for field, rule in _broken_rules(old, changes):
        raise Invalid(rule, field_errors={field: [rule]})


def _broken_rules(old: Order, changes: Changes) -> Iterator[tuple[str, str]]:
    if changes.trail is not None and old.order_type != OrderType.TRAILING_STOP:
        yield "trail", "Only a trailing stop has a trail."
    if old.order_class != OrderClass.SIMPLE or old.parent_id is not None:
        fixed = {"units": changes.quantity, "time_in_force": changes.time_in_force}
        for field, value in fixed.items():
            if value is not None:
                yield field, "Of an order with exits, and of an exit, only prices can be changed."
    yield from _broken_size(old, changes)


def _broken_size(old: Order, changes: Changes) -> Iterator[tuple[str, str]]:
    total = old.quantity if changes.quantity is None else changes.quantity
    if changes.quantity is not None and changes.quantity % 1:
        yield "units", "A replacement is for whole shares."
    if changes.quantity is not None and changes.quantity <= old.filled_quantity:
        yield "units", "Must be more than what is filled already."
    if old.lot_choices and total - old.filled_quantity != old.quantity:
        yield "units", "A sale that names its lots keeps its size; cancel it and place another."


def _note_replacing(old_id: UUID, *, at: datetime) -> None:
    """Show that the broker is about to replace it; whether it has, the broker's news will say."""
    with acting_as(SYSTEM):
        old = Order.objects.locked(old_id)
        before = old.vendor_status
        if is_open(before) and may_become(before, "pending_replace"):
            old.vendor_status = "pending_replace"
            old.save(update_fields=["vendor_status"])
            old.note_status(before)
            feed.tell(old, at=at)
