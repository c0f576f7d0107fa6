"""The customer's word on a proposal: the only way from a suggestion to an order."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import structlog

from accounts import services as accounts
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.clock import Now
from core.errors import CleraError, Forbidden, NotFound
from core.events import publish
from core.failpoints import failpoint
from core.ids import new_id
from core.money import Money
from trading import proposals, risk, selectors
from trading.events import ProposalSettled
from trading.models import Approval, ApprovedLine, Proposal, ProposalLine
from trading.proposals import Views
from trading.risk import MarketQuote
from trading.services import orders, proposing
from trading.services.couriers import OrderRejected
from trading.states import ProposalOrigin, ProposalState, Source

logger = structlog.get_logger()
EXPIRY_BATCH = 200
SECOND_FACTOR = "aal2"


class ProposalOver(CleraError):
    """It was decided before."""

    code = "proposal_settled"
    status = 409
    detail = "This proposal has been decided already."


class ProposalExpired(CleraError):
    """Nobody decided in time."""

    code = "expired"
    status = 410
    detail = "This proposal has expired; ask for a new one."


class ProposalChanged(CleraError):
    """What the customer names is not what the proposal says."""

    code = "proposal_changed"
    status = 409
    detail = "The hash is not that of this proposal; read it again before approving."


class SecondFactorWanted(Forbidden):
    """So much money takes more than a password."""

    code = "aal2_required"


class PriceMoved(CleraError):
    """The market has left a band that the customer was shown; `fresh` shows today's price."""

    code = "price_moved"
    status = 409
    detail = "The price has left the range this proposal was made for."

    def __init__(self, *, symbols: Sequence[str], fresh: Proposal | None) -> None:
        advice = "Approve the fresh one instead." if fresh else "Ask for a new one."
        super().__init__(f"{self.detail} {advice}", extra={"symbols": list(symbols)})
        self.fresh = fresh


class _LineRefused(Exception):
    """A rule says no to one line, so that nothing of the proposal is recorded."""

    def __init__(self, verdict: dict[str, Any], position: int) -> None:
        super().__init__(verdict["rule"])
        self.verdict = verdict
        self.position = position


@dataclass(frozen=True)
class _Decided:
    """What the transaction has come to: orders, or a reason why there are none."""

    order_ids: tuple[UUID, ...] = ()
    problem: CleraError | None = None


def approve(*, principal: Principal, proposal_id: UUID, shown_hash: str, at: datetime) -> Proposal:
    """
    Approve exactly what the hash stands for and place its orders, all of them or none, once.

    The decision and the orders are one transaction, so that neither exists without the other.
    While nothing was recorded the proposal can still be approved: a rule that says no, or a
    price that nobody knows, does not spend it. A price beyond its band does, for a fresh one.

    :raises Forbidden: only the customer's own request may approve.
    :raises SecondFactorWanted: it is worth more than a password may move.
    :raises NotFound: there is none, or it is somebody else's.
    :raises ProposalOver: it was decided before, perhaps by this customer a moment ago.
    :raises ProposalExpired: its time has run out.
    :raises ProposalChanged: the hash belongs to something else.
    :raises PriceStale: there is no fresh price.
    :raises PriceMoved: the price has left the band; a fresh proposal stands in its place.
    :raises RiskRefused: a rule says no to an order; none was recorded.
    :raises OrderRejected: the broker said no to the only order; the proposal is spent.
    """
    _require_customer(principal)
    seen = selectors.get_proposal(principal=principal, proposal_id=proposal_id)
    _require_pending(seen)
    views = proposals.look([line.ticket for line in seen.in_order], at=at)

    def decide(*, trusts_holdings: bool) -> _Decided:
        with acting_as(principal):
            proposal = _locked(seen)
            if _expire_if_due(proposal, at=at):
                return _Decided(problem=ProposalExpired())
            _require_same(proposal, shown_hash)
            _require_second_factor(proposal, principal)
            prices = _prices(proposal, views, at=at)
            moved = [each.line for each in prices if not each.line.holds_at(each.price)]
            if moved:
                return _renew(proposal, principal, moved, views, at=at)
            return _carry_out(proposal, principal, prices, trusts_holdings=trusts_holdings, at=at)

    try:
        decided = orders.with_known_holdings(decide, at=at)
    except _LineRefused as refused:
        raise _noted(seen, principal, refused, at=at) from refused
    if decided.problem is not None:
        raise decided.problem
    _send(decided.order_ids, at=at)
    return selectors.get_proposal(principal=principal, proposal_id=proposal_id)


def reject(*, principal: Principal, proposal_id: UUID, at: datetime) -> Proposal:
    """
    Turn a proposal down; nothing is bought or sold.

    :raises NotFound: there is none, or it is somebody else's.
    :raises ProposalOver: it was decided before.
    :raises ProposalExpired: its time has run out.
    """
    seen = selectors.get_proposal(principal=principal, proposal_id=proposal_id)
    with acting_as(principal):
        proposal = _locked(seen)
        is_expired = _expire_if_due(proposal, at=at)
        if not is_expired:
            _settle(proposal, ProposalState.REJECTED, at=at)
    if is_expired:
        raise ProposalExpired
    return selectors.get_proposal(principal=principal, proposal_id=proposal_id)


def expire_due(*, at: datetime) -> int:
    """Close the proposals that nobody decided in time, and say how many there were."""
    with acting_as(SYSTEM):
        due = list(Proposal.objects.due().values_list("pk", flat=True)[:EXPIRY_BATCH])
    expired = 0
    for proposal_id in due:
        with acting_as(SYSTEM):
            rows = Proposal.objects.due().select_for_update(skip_locked=True)
            proposal = rows.filter(pk=proposal_id).first()
            if proposal is not None:
                _settle(proposal, ProposalState.EXPIRED, at=at)
                expired += 1
    return expired


def _require_customer(principal: Principal) -> None:
    if principal.kind is not Kind.CUSTOMER:
        raise Forbidden("Only the customer's own request may approve a proposal.")


def _require_pending(proposal: Proposal) -> None:
    if proposal.state == ProposalState.EXPIRED:
        raise ProposalExpired
    if proposal.state != ProposalState.PENDING:
        order_ids = [str(order.pk) for order in proposal.orders]
        raise ProposalOver(extra={"state": proposal.state, "order_ids": order_ids})


def _locked(seen: Proposal) -> Proposal:
    """Lock the account, then the proposal: the order in which everything here is locked."""
    accounts.lock_account(account_id=seen.account_id)
    locked = Proposal.objects.select_for_update().filter(pk=seen.pk).whole()
    proposal = locked.first()
    if proposal is None:
        raise NotFound("There is no such proposal.")
    _require_pending(proposal)
    return proposal


def _expire_if_due(proposal: Proposal, *, at: datetime) -> bool:
    """Close it when its time is over by the database's clock; the caller commits, then says so."""
    if not Proposal.objects.filter(pk=proposal.pk, expires_at__lte=Now()).exists():
        return False
    _settle(proposal, ProposalState.EXPIRED, at=at)
    return True


def _require_same(proposal: Proposal, shown_hash: str) -> None:
    """Compare what was shown with the columns as they are, and with what was proposed."""
    current = proposal.fingerprint()
    is_shown = hmac.compare_digest(shown_hash.encode(), current.encode())
    if not is_shown or not hmac.compare_digest(proposal.hash.encode(), current.encode()):
        raise ProposalChanged


def _require_second_factor(proposal: Proposal, principal: Principal) -> None:
    most = selectors.limits(proposal.account_id).step_up_notional
    if principal.aal == SECOND_FACTOR or proposal.estimated_total <= most:
        return
    raise SecondFactorWanted(
        f"Approving more than ${Money(most)} takes a second factor: confirm your sign-in with it"
        f" and approve again with the new token.",
        extra={"limit": str(Money(most)), "total": str(Money(proposal.estimated_total))},
    )


@dataclass(frozen=True)
class _Priced:
    """A line beside the market as it is now."""

    line: ProposalLine
    view: selectors.MarketView
    quote: MarketQuote

    @property
    def price(self) -> Decimal:
        return self.quote.price_for(is_buy=self.line.ticket.is_buy)


def _prices(proposal: Proposal, views: Views, *, at: datetime) -> list[_Priced]:
    limits = selectors.limits()
    found = []
    for line in proposal.in_order:
        view = views[line.symbol]
        quote = view.quote
        if quote is None or quote.is_stale(line.ticket, limits=limits, at=at, session=view.session):
            raise risk.PriceStale(extra={"symbol": line.symbol})
        found.append(_Priced(line, view, quote))
    return found


def _renew(
    proposal: Proposal,
    principal: Principal,
    moved: Sequence[ProposalLine],
    views: Views,
    *,
    at: datetime,
) -> _Decided:
    """Put a fresh proposal at today's price in this one's place, if the rules allow one."""
    symbols = list(dict.fromkeys(line.symbol for line in moved))
    try:
        fresh = proposals.record(
            principal=principal,
            account_id=proposal.account_id,
            tickets=[line.ticket for line in proposal.in_order],
            views=views,
            source=proposals.Source(
                proposal_id=uuid5(proposal.pk, ProposalOrigin.PRICE_MOVED.value),
                origin=ProposalOrigin.PRICE_MOVED,
                run_id=proposal.run_id,
                supersedes=proposal,
            ),
            at=at,
        )
    except (risk.RiskRefused, risk.PriceStale):
        return _Decided(problem=PriceMoved(symbols=symbols, fresh=None))
    _settle(proposal, ProposalState.SUPERSEDED, at=at)
    proposing.tell(fresh)
    return _Decided(problem=PriceMoved(symbols=symbols, fresh=fresh))


def _carry_out(
    proposal: Proposal,
    principal: Principal,
    prices: Sequence[_Priced],
    *,
    trusts_holdings: bool,
    at: datetime,
) -> _Decided:
    """Write every order down under one approval; each is judged with those before it in force."""
    approval = Approval.of(proposal, approved_by=principal.name, assurance=principal.aal or "")
    order_ids = []
    for each in prices:
        order = orders.open_order(
            order_id=new_id(),
            principal=principal,
            account_id=proposal.account_id,
            ticket=each.line.ticket,
            view=each.view,
            source=Source.PROPOSAL,
            trusts_holdings=trusts_holdings,
            at=at,
        )
        if order.is_refused:
            raise _LineRefused(order.verdict, each.line.position)
        ApprovedLine.of(each.line, approval=approval, order_id=order.pk, price=each.price)
        order_ids.append(order.pk)
        failpoint("proposal.line_recorded")
    _settle(proposal, ProposalState.APPROVED, at=at)
    return _Decided(order_ids=tuple(order_ids))


def _noted(
    seen: Proposal, principal: Principal, refused: _LineRefused, *, at: datetime
) -> risk.RiskRefused:
    """Keep the verdict, since the orders that it stood in are gone with their transaction."""
    with acting_as(principal):
        proposal = Proposal.objects.select_for_update().filter(pk=seen.pk).first()
        if proposal is not None:
            proposal.note_refusal(refused.verdict, position=refused.position, at=at)
    verdict = refused.verdict
    logger.info("proposal.refused", id=str(seen.pk), rule=verdict["rule"])
    return risk.RiskRefused(rule=verdict["rule"], field=verdict["field"], detail=verdict["detail"])


def _send(order_ids: Sequence[UUID], *, at: datetime) -> None:
    """Send each order, whatever becomes of the others; only a single one's refusal is an error."""
    for order_id in order_ids:
        try:
            orders.send_order(order_id, at=at)
        except OrderRejected:
            if len(order_ids) == 1:
                raise
            logger.info("proposal.order_rejected", order_id=str(order_id))


def _settle(proposal: Proposal, to: ProposalState, *, at: datetime) -> None:
    proposal.settle(to, at=at)
    publish(ProposalSettled(proposal.pk, proposal.run_id))
    logger.info("proposal.settled", id=str(proposal.pk), state=to)
