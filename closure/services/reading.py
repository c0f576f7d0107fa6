"""Gathering what a decision about a closure depends on; vendors are read outside transactions."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings

from accounts import selectors as accounts
from accounts import services as account_services
from closure import selectors
from closure.models import Closure
from closure.saga import facts, names
from closure.states import ORDER, STOPPABLE, Step
from core.auth import SYSTEM
from core.errors import NotFound, VendorError
from core.intents.states import UNDECIDED, IntentState
from funding import states as funding_states
from funding.services import dates, transfers
from funding.states import Direction
from market import selectors as market
from trading import selectors as trading
from trading import services as trading_services
from trading.states import Source

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount
    from funding.models import Transfer
    from trading.models import CashBalance, Order, Position

# An account's status is told sooner than this after it has changed.
NEWS_COMES_WITHIN: Final = timedelta(minutes=1)
# A broker that has taken the request closes the account sooner than this.
CLOSED_WITHIN: Final = timedelta(days=1)
# What was traded longer ago than this is settled.
SETTLED_AFTER: Final = timedelta(days=7)
_MOST_NUMBERS: Final = 12
_NEAR_DAYS: Final = 7
# A sale that a rule refused for its size is tried with half of it.
_TOO_LARGE: Final = frozenset({"above_maximum", "above_max_quantity"})


@dataclass(frozen=True)
class _Held:
    """What the account holds, and whether the broker was read for it just now."""

    cash: "CashBalance | None"
    positions: "list[Position]"
    orders: "list[Order]"

    def is_known(self, *, at: datetime) -> bool:
        return self.cash is not None and self.cash.fetched_at >= at


def gather(closure: Closure, *, at: datetime) -> facts.Facts:
    """
    Read what the next decision about a closure depends on.

    :raises VendorError: the broker could not be read.
    """
    account = _account_of(closure, at=at)
    known = _common(closure, account, at=at)
    if closure.step == Step.READINESS:
        return facts.Facts(**known, blockers=_blockers(closure, account))
    if account.is_over or known["bar"] or known["is_stop_asked"]:
        return facts.Facts(**known)
    held = _held(closure, at=at)
    known |= _orders(closure, held, at=at)
    if closure.step == Step.LIQUIDATE:
        known |= _market(held, closure, at=at)
    if ORDER.index(Step(closure.step)) >= ORDER.index(Step.SETTLE):
        known |= _cash(closure, held, at=at)
    return facts.Facts(**known)


def _account_of(closure: Closure, *, at: datetime) -> "BrokerageAccount":
    """Read the account, anew from the broker when the news that it is closed seems to be lost."""
    asked = names.request_id(closure.pk, closure.number)
    request = selectors.get_request(principal=SYSTEM, request_id=asked)
    settled_at = request.settled_at if request is not None and request.is_accepted else None
    if settled_at is not None and settled_at + NEWS_COMES_WITHIN <= at:
        return account_services.refresh_account(principal=SYSTEM, account_id=closure.account_id)
    return accounts.get_account(principal=SYSTEM, account_id=closure.account_id)


def _common(closure: Closure, account: "BrokerageAccount", *, at: datetime) -> dict[str, Any]:
    return {
        "closure_id": closure.pk,
        "step": Step(closure.step),
        "at": at,
        "today": dates.today(at),
        "is_stop_asked": closure.stop_asked_at is not None and closure.step in STOPPABLE,
        "bar": selectors.bar_of(account),
        "is_over": account.is_over,
        "settles_on": closure.settles_on,
        "number": closure.number,
        "smallest": settings.CLOSURE_SMALLEST_WITHDRAWAL,
        "excused": frozenset(UUID(each) for each in closure.excused),
    }


def _blockers(closure: Closure, account: "BrokerageAccount") -> list[str]:
    banks = selectors.usable_banks(principal=SYSTEM, account_id=account.pk)
    chosen = [bank for bank in banks if bank.pk == closure.relationship_id]
    found = selectors.blockers_of(principal=SYSTEM, account=account, banks=chosen)
    return [each.detail for each in found]


def _held(closure: Closure, *, at: datetime) -> _Held:
    account_id = closure.account_id
    if closure.step != Step.CANCEL_ORDERS:
        trading_services.sync_holdings(account_id=account_id, at=at)
    return _Held(
        cash=trading.get_cash(principal=SYSTEM, account_id=account_id),
        positions=trading.list_positions(principal=SYSTEM, account_id=account_id),
        orders=selectors.open_orders(principal=SYSTEM, account_id=account_id),
    )


def _orders(closure: Closure, held: _Held, *, at: datetime) -> dict[str, Any]:
    ours = [order for order in held.orders if _is_sale(order, closure)]
    others = [order for order in held.orders if not _is_sale(order, closure)]
    return {
        "is_known": closure.step == Step.CANCEL_ORDERS or held.is_known(at=at),
        "others": [
            facts.OpenOrder(
                is_cancel_asked=order.cancel_asked_at is not None,
                is_under_review=order.state == IntentState.NEEDS_REVIEW,
            )
            for order in others
        ],
        "working_sales": len(ours),
        "holdings": [_holding(closure, position) for position in held.positions],
    }


def _is_sale(order: "Order", closure: Closure) -> bool:
    """Say whether an order is a sale of this closure, whether or not that was written down."""
    if order.source != Source.CLOSURE:
        return False
    number = int(closure.sales.get(order.symbol, {}).get("number", 0))
    return order.pk in {names.sale_id(closure.pk, order.symbol, n) for n in range(number + 1)}


def _holding(closure: Closure, position: "Position") -> facts.Holding:
    kept = closure.sales.get(position.symbol, {})
    number, until, most = int(kept.get("number", 0)), kept.get("not_before"), kept.get("most")
    name = names.sale_id(closure.pk, position.symbol, number)
    return facts.Holding(
        symbol=position.symbol,
        quantity=position.quantity,
        number=number,
        sale=_sale(name),
        not_before=datetime.fromisoformat(until) if until else None,
        most=Decimal(most) if most else None,
        problem=str(kept.get("problem", "")),
    )


def _sale(order_id: UUID) -> facts.Sale | None:
    try:
        order = trading.get_order(principal=SYSTEM, order_id=order_id)
    except NotFound:
        return None
    rule = str(order.verdict.get("rule", "")) if order.is_refused else ""
    return facts.Sale(
        is_working=order.is_working,
        is_booked=order.is_booked,
        has_sold=order.filled_quantity > 0,
        is_held=order.state == IntentState.HELD,
        quantity=order.quantity,
        is_too_large=rule in _TOO_LARGE,
        reason="" if order.filled_quantity > 0 else _reason_of(order),
    )


def _reason_of(order: "Order") -> str:
    if order.reason:
        return str(order.reason)
    return f"The sale is {order.vendor_status}." if order.vendor_status else ""


def _market(held: _Held, closure: Closure, *, at: datetime) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if held.positions:
        try:
            session = market.get_session(at=at)
        except VendorError:
            return known
        return {"is_market_open": session.is_open, "opens_at": session.changes_at}
    if not _has_traded(closure, at=at):
        return known
    return {"has_traded": True, "settlement": _settlement(at=at)}


def _has_traded(closure: Closure, *, at: datetime) -> bool:
    """Say whether something may not be settled yet: whoever died may not have written it down."""
    since = at - SETTLED_AFTER
    traded = trading.traded_since(account_ids=[closure.account_id], since=since)
    if closure.sales or traded.get(closure.account_id):
        return True
    wanted = trading.OrderFilter(status="closed", after=since, limit=500)
    lately = trading.list_orders(principal=SYSTEM, account_id=closure.account_id, wanted=wanted)
    return any(order.filled_quantity > 0 for order in lately)


def _settlement(*, at: datetime) -> Any:
    """Say when what was sold by now settles; the day on which that is seen counts."""
    day = dates.today(at)
    is_trading_day = market.is_trading_day(day)
    if is_trading_day is None:
        return None
    traded_on = day if is_trading_day else market.add_business_days(day, 1)
    return None if traded_on is None else market.settlement_day(traded_on)


def _cash(closure: Closure, held: _Held, *, at: datetime) -> dict[str, Any]:
    ours, others = _split(closure)
    cash = held.cash if held.is_known(at=at) else None
    paying = _paying(closure, at=at) if closure.step == Step.WITHDRAW else {}
    return {
        **paying,
        "cash": None if cash is None else cash.cash,
        "withdrawable": None if cash is None else cash.withdrawable,
        "withdrawals": [_withdrawal(each) for each in ours],
        "others_moving": sum(selectors.is_unfinished(each) for each in others),
        "asked": _asked(closure, at=at),
    }


def _paying(closure: Closure, *, at: datetime) -> dict[str, Any]:
    """Say whether money may be sent to the bank, and how much of it."""
    told = transfers.withdrawal_room(account_id=closure.account_id, at=at)
    bank = closure.relationship
    return {
        "room": facts.Room(
            business_date=told.business_date, most=told.most, in_books=told.available
        ),
        "is_bank_good": selectors.is_good(bank, principal=SYSTEM),
    }


def _split(closure: Closure) -> "tuple[list[Transfer], list[Transfer]]":
    """Tell the closure's own withdrawals, by their fixed ids, from all other transfers."""
    found = selectors.transfers_of(principal=SYSTEM, account_id=closure.account_id)
    ours = [each for each in found if is_ours(closure, each)]
    return ours, [each for each in found if not is_ours(closure, each)]


def is_ours(closure: Closure, transfer: "Transfer") -> bool:
    """Say whether a transfer is a withdrawal of this closure."""
    if transfer.direction != Direction.OUTGOING:
        return False
    first = dates.today(transfer.created_at)
    # Without a calendar it has no day of its own, and was named by one that was near.
    days = [transfer.business_date] if transfer.business_date else _following(first)
    return transfer.pk in {
        names.withdrawal_id(closure.pk, day, number)
        for day in days
        for number in range(_MOST_NUMBERS)
    }


def _following(day: date) -> list[date]:
    return [day + timedelta(days=count) for count in range(_NEAR_DAYS)]


def _withdrawal(transfer: "Transfer") -> facts.Withdrawal:
    refused = {IntentState.REJECTED, IntentState.CANCELED}
    is_undone = transfer.state in refused or (
        transfer.is_accepted and transfer.vendor_status in funding_states.TRANSFER_UNDONE
    )
    return facts.Withdrawal(
        id=transfer.pk,
        business_date=transfer.business_date,
        is_unfinished=selectors.is_unfinished(transfer),
        is_undone=is_undone,
        is_returned=transfer.is_accepted and transfer.vendor_status == funding_states.RETURNED,
        is_under_review=transfer.state == IntentState.NEEDS_REVIEW,
        reason=transfer.reason,
    )


def _asked(closure: Closure, *, at: datetime) -> facts.Asked | None:
    name = names.request_id(closure.pk, closure.number)
    request = selectors.get_request(principal=SYSTEM, request_id=name)
    if request is None:
        return None
    return facts.Asked(
        is_undecided=request.state in UNDECIDED,
        is_accepted=request.is_accepted,
        is_refused=request.state == IntentState.REJECTED,
        is_overdue=request.settled_at is not None and request.settled_at + CLOSED_WITHIN <= at,
        reason=request.reason,
    )
