"""Placing orders, sending each once, and canceling them."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import structlog

from accounts import selectors as account_selectors
from accounts import services as accounts
from core import idempotency
from core.auth import Principal, acting_as
from core.clock import database_now
from core.errors import CleraError, NotFound, ServiceBusy, VendorError
from core.events import publish
from core.failpoints import failpoint
from core.ids import new_id
from core.intents import sending
from core.intents.states import IntentState
from trading import risk, selectors
from trading.events import OrderSettled
from trading.models import RISK_REFUSED, CashBalance, Order
from trading.selectors import MarketView
from trading.services import books, holding, holdings, lot_choices
from trading.services.couriers import OrderCourier, OrderRejected
from trading.states import Source
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount

logger = structlog.get_logger()
Result = TypeVar("Result")
# Nobody is refused for want of money or shares on knowledge older than this.
HOLDINGS_TRUST = timedelta(seconds=2)


class NotClosing(CleraError):
    """A closure's worker that slept through the end of the closure wants to sell."""

    code = "account_not_closing"
    status = 409
    detail = "The account is not being closed; nothing is sold for a closure."


class OldHoldings(Exception):
    """The verdict hangs on an account's holdings, which were read too long ago, or never."""

    def __init__(self, account_id: UUID) -> None:
        super().__init__(str(account_id))
        self.account_id = account_id


def place_order(
    *,
    principal: Principal,
    account_id: str | UUID,
    ticket: Ticket,
    request: idempotency.Request | None,
    at: datetime,
    source: Source = Source.CUSTOMER,
    order_id: UUID | None = None,
) -> Order:
    """
    Record the order with the verdict of the risk rules, then send it once.

    Returns it ACCEPTED, or undecided when the broker has not answered; the sweep then finds out.
    With an `order_id` the order is written once only: one that has this id already is sent on if
    it still waits, and returned.

    :raises NotFound: there is no such account, or it is somebody else's.
    :raises Invalid: the ticket makes no sense in itself.
    :raises PriceStale: nobody can say now what it would cost; nothing was recorded.
    :raises NotClosing: a closure wants it, and the account is not being closed.
    :raises RiskRefused: a rule says no; the refused order is kept.
    :raises OrderRejected: the broker said no.
    """
    view = selectors.look_at_market(symbol=ticket.symbol, at=at)

    def record(*, trusts_holdings: bool) -> UUID:
        wanted = order_id or new_id()
        with acting_as(principal):
            account = _lock_named(account_id, principal=principal)
            _note_meaning(request, account.pk, ticket)
            claimed = idempotency.claim(request, resource_id=wanted, is_alone=True)
            if claimed == wanted and not _is_written(order_id):
                open_order(
                    order_id=wanted,
                    principal=principal,
                    account_id=account.pk,
                    locked=account,
                    ticket=ticket,
                    view=view,
                    trusts_holdings=trusts_holdings,
                    minds_twins=request is not None and not request.allows_duplicate,
                    source=source,
                    at=at,
                )
            return claimed

    return send_order(with_known_holdings(record, at=at), at=at)


def _lock_named(account_id: str | UUID, *, principal: Principal) -> "BrokerageAccount":
    """Lock an account by our id or by the broker's; ours is the one that costs no look-up."""
    try:
        return accounts.lock_account(account_id=UUID(str(account_id)))
    except (ValueError, NotFound):
        named = account_selectors.get_account(principal=principal, account_id=account_id)
        return accounts.lock_account(account_id=named.pk)


def _note_meaning(request: idempotency.Request | None, account_id: UUID, ticket: Ticket) -> None:
    """Make it the same order, whether by our id or the broker's, with a missing field or a null."""
    if request is not None:
        meaning = {"account_id": account_id, **asdict(ticket)}
        request.fingerprint = idempotency.fingerprint_of(meaning)


def _is_written(order_id: UUID | None) -> bool:
    """Say whether the order with this fixed id exists; under the lock that its writer holds."""
    return order_id is not None and Order.objects.filter(pk=order_id).exists()


def open_order(
    *,
    order_id: UUID,
    principal: Principal,
    account_id: UUID,
    ticket: Ticket,
    view: MarketView,
    trusts_holdings: bool,
    at: datetime,
    source: Source = Source.CUSTOMER,
    minds_twins: bool = False,
    replaces: Order | None = None,
    total_quantity: Decimal | None = None,
    locked: "BrokerageAccount | None" = None,
) -> Order:
    """
    Judge a ticket under the account's lock and write the order down; refused ones as canceled.

    Runs in the caller's transaction, and raises what `place_order` raises before it sends.

    :param locked: the account, where the caller has locked it already.
    :raises OldHoldings: the verdict hangs on holdings nobody has read lately.
    :raises LotsNotThere: it names lots that are not there.
    """
    account = locked or accounts.lock_account(account_id=account_id)
    ticket = holding.as_the_broker_keeps_it(ticket, view)
    verdict = _judge(
        account,
        ticket,
        view,
        at=at,
        trusts_holdings=trusts_holdings,
        source=source,
        placed_by=principal.name,
        released=replaces,
        minds_twins=minds_twins,
    )
    order = Order.open(
        pk=order_id,
        account=account,
        ticket=ticket,
        verdict=verdict,
        placed_by=principal.name,
        source=source,
        replaces=replaces,
        total_quantity=total_quantity,
        freed=books.freed_by(replaces) if replaces else Decimal(0),
        at=at,
    )
    return _begin(order, view, at=at)


def _begin(order: Order, view: MarketView, *, at: datetime) -> Order:
    """Hold its money, or have it wait, or say that nothing becomes of it."""
    books.hold_cash(order, at=at)
    holding.put_aside(order, view, at=at)
    if order.is_refused:
        publish(OrderSettled(order.pk, order.account_id))
    rule = order.verdict["rule"]
    logger.info("order.recorded", id=str(order.pk), allowed=not order.is_refused, rule=rule)
    return order


def _judge(
    account: "BrokerageAccount",
    ticket: Ticket,
    view: MarketView,
    *,
    at: datetime,
    trusts_holdings: bool,
    source: Source,
    placed_by: str,
    released: Order | None,
    minds_twins: bool,
) -> risk.Verdict:
    """Try the rules on the facts of now; what hangs on old holdings is not believed."""
    if source == Source.CLOSURE and not account.is_closing:
        raise NotClosing
    facts = selectors.facts_for(
        account,
        ticket,
        view,
        at=at,
        source=source,
        placed_by=placed_by,
        released=released,
        minds_twins=minds_twins,
    )
    verdict = risk.judge(ticket, facts)
    risk.require_sense(verdict, symbol=ticket.symbol)
    if facts.is_account_active and not trusts_holdings:
        _refuse_old_holdings(account.pk, verdict, is_known=facts.spendable is not None)
    if verdict.is_allowed:
        lot_choices.require_lots(account.pk, ticket, released=released)
    return verdict


def _refuse_old_holdings(account_id: UUID, verdict: risk.Verdict, *, is_known: bool) -> None:
    if not is_known:
        raise OldHoldings(account_id)
    if verdict.rule in risk.HOLDINGS_RULES:
        oldest = database_now() - HOLDINGS_TRUST
        if CashBalance.objects.filter(pk=account_id, fetched_at__lt=oldest).exists():
            raise OldHoldings(account_id)


def with_known_holdings(record: Callable[..., Result], *, at: datetime) -> Result:
    """
    Run `record`; when its verdict hangs on old holdings, read the broker and run it once more.

    :raises ServiceBusy: nobody has ever read the account, and the broker is away.
    """
    try:
        return record(trusts_holdings=False)
    except OldHoldings as old:
        account_id = old.account_id
        try:
            holdings.sync_holdings(account_id=account_id, at=at)
            books.catch_up(account_id, at=at)
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
