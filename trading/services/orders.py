"""Placing orders, sending each once, and canceling them."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from accounts import selectors as account_selectors
from accounts import services as accounts
from core import idempotency
from core.auth import SYSTEM, Principal, acting_as
from core.clock import database_now
from core.errors import CleraError, ServiceBusy, VendorError, VendorRejected
from core.events import publish
from core.failpoints import failpoint
from core.ids import new_id
from core.intents import sending
from core.intents.states import IntentState
from trading import risk, selectors
from trading.events import OrderSettled
from trading.gateways import get_broker
from trading.models import RISK_REFUSED, CashBalance, Order
from trading.selectors import MarketView
from trading.services import books, holdings
from trading.services.couriers import OrderCourier, OrderRejected
from trading.states import is_open, may_become
from trading.tickets import Ticket

logger = structlog.get_logger()
Result = TypeVar("Result")
# Nobody is refused for want of money or shares on knowledge older than this.
HOLDINGS_TRUST = timedelta(seconds=2)


class OrderUndecided(CleraError):
    """Whether the broker has the order is not known yet."""

    code = "order_undecided"
    status = 409
    detail = "The broker has not answered about this order yet; try again in a few seconds."


class OrderNotOpen(CleraError):
    """There is nothing left to cancel."""

    code = "order_not_open"
    status = 422
    detail = "The order is over and can no longer be canceled."


class OldHoldings(Exception):
    """The verdict hangs on holdings that were read too long ago, or never."""


def place_order(
    *,
    principal: Principal,
    account_id: str | UUID,
    ticket: Ticket,
    request: idempotency.Request | None,
    at: datetime,
) -> Order:
    """
    Record the order with the verdict of the risk rules, then send it once.

    Returns it ACCEPTED, or undecided when the broker has not answered; the sweep then finds out.

    :raises NotFound: there is no such account, or it is somebody else's.
    :raises Invalid: the ticket makes no sense in itself.
    :raises PriceStale: nobody can say now what it would cost; nothing was recorded.
    :raises RiskRefused: a rule says no; the refused order is kept.
    :raises OrderRejected: the broker said no.
    """
    account = account_selectors.get_account(principal=principal, account_id=account_id)
    if request is not None:
        # Our id or the broker's, a missing field or a null: it is the same order.
        meaning = {"account_id": account.pk, **asdict(ticket)}
        request.fingerprint = idempotency.fingerprint_of(meaning)
    view = selectors.look_at_market(symbol=ticket.symbol, at=at)

    def record(*, trusts_holdings: bool) -> UUID:
        wanted = new_id()
        with acting_as(principal):
            order_id = idempotency.claim(request, resource_id=wanted)
            if order_id == wanted:
                open_order(
                    order_id=wanted,
                    principal=principal,
                    account_id=account.pk,
                    ticket=ticket,
                    view=view,
                    trusts_holdings=trusts_holdings,
                    at=at,
                )
            return order_id

    return send_order(with_known_holdings(account.pk, record, at=at), at=at)


def open_order(
    *,
    order_id: UUID,
    principal: Principal,
    account_id: UUID,
    ticket: Ticket,
    view: MarketView,
    trusts_holdings: bool,
    at: datetime,
) -> Order:
    """
    Judge a ticket under the account's lock and write the order down.

    It does so inside the caller's transaction. An order that the rules refuse is kept as canceled.

    :raises OldHoldings: the verdict hangs on holdings nobody has read lately.
    :raises Invalid: the ticket makes no sense in itself.
    :raises PriceStale: there is no fresh price.
    """
    account = accounts.lock_account(account_id=account_id)
    facts = selectors.facts_for(account, ticket, view, at=at)
    verdict = risk.judge(ticket, facts)
    risk.require_sense(verdict, symbol=ticket.symbol)
    if facts.is_account_active and not trusts_holdings:
        _refuse_old_holdings(account_id, verdict, is_known=facts.spendable is not None)
    order = Order.open(
        pk=order_id,
        account=account,
        ticket=ticket,
        verdict=verdict,
        placed_by=principal.name,
        at=at,
    )
    books.hold_cash(order, at=at)
    if not verdict.is_allowed:
        publish(OrderSettled(order.pk, account.pk))
    logger.info("order.recorded", id=str(order.pk), allowed=verdict.is_allowed, rule=verdict.rule)
    return order


def _refuse_old_holdings(account_id: UUID, verdict: risk.Verdict, *, is_known: bool) -> None:
    if not is_known:
        raise OldHoldings
    if verdict.rule in risk.HOLDINGS_RULES:
        oldest = database_now() - HOLDINGS_TRUST
        if CashBalance.objects.filter(pk=account_id, fetched_at__lt=oldest).exists():
            raise OldHoldings


def with_known_holdings(account_id: UUID, record: Callable[..., Result], *, at: datetime) -> Result:
    """
    Run `record`; when its verdict hangs on old holdings, read the broker and run it once more.

    :raises ServiceBusy: nobody has ever read the account, and the broker is away.
    """
    try:
        return record(trusts_holdings=False)
    except OldHoldings:
        try:
            holdings.sync_holdings(account_id=account_id, at=at)
        except VendorError as error:
            logger.warning("holdings.not_read", account_id=str(account_id), error=error.code)
            if not holdings.are_known(account_id):
                raise ServiceBusy(retry_after_seconds=2) from error
        return record(trusts_holdings=True)


def send_order(order_id: UUID, *, at: datetime) -> Order:
    """
    Send a recorded order once, unless it was sent before, and say what became of it.

    :raises RiskRefused: it was recorded as refused.
    :raises OrderRejected: the broker said no.
    """
    failpoint("order.recorded")
    order = sending.send_once(order_id, through=OrderCourier(), at=at)
    if order.reason_code == RISK_REFUSED:
        raise risk.RiskRefused(
            rule=order.verdict["rule"],
            field=order.verdict["field"],
            detail=order.verdict["detail"],
            order_id=str(order.pk),
        )
    if order.state == IntentState.CANCELED:
        raise OrderRejected(order.reason, extra={"order_id": order.public_id})
    if order.state == IntentState.REJECTED:
        holdings.request_sync(account_id=order.account_id)
        raise OrderRejected(
            f"The broker rejected the order: {order.reason}",
            extra={"order_id": order.public_id, "broker_code": order.vendor_status},
        )
    return order


def cancel_order(
    *, principal: Principal, account_id: str | UUID, order_id: str | UUID, at: datetime
) -> Order:
    """
    Cancel an order that was not sent yet, or ask the broker to; the order may yet be filled.

    :raises NotFound: there is none, or it is somebody else's.
    :raises OrderUndecided: whether the broker has it is not known yet.
    :raises OrderNotOpen: it is over.
    """
    seen = selectors.get_order(principal=principal, account_id=account_id, order_id=order_id)
    with acting_as(principal):
        order = Order.objects.locked(seen.pk)
        if order.state == IntentState.PENDING:
            order.withdraw(at=at, reason="Canceled before it was sent.")
            books.let_go(order, at=at)
            publish(OrderSettled(order.pk, order.account_id))
            return order
        if not order.is_working:
            raise OrderNotOpen
        if not order.is_accepted:
            raise OrderUndecided(retry_after_seconds=5)
    sending.release_connection()
    try:
        get_broker().cancel(
            broker_account_id=order.broker_account_id, broker_order_id=order.broker_order_id
        )
    except VendorRejected as error:
        logger.info("order.not_canceled", id=str(order.pk), broker_code=error.vendor_code)
        raise OrderNotOpen from error
    return _note_cancel(order.pk)


def _note_cancel(order_id: UUID) -> Order:
    with acting_as(SYSTEM):
        order = Order.objects.locked(order_id)
        before = order.vendor_status
        if is_open(before) and may_become(before, "pending_cancel"):
            order.vendor_status = "pending_cancel"
            order.save(update_fields=["vendor_status"])
            order.note_status(before)
    return order
