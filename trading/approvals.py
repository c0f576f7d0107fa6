"""The customer's word on a proposal: the only way from a suggestion to an order."""

import hmac
from datetime import datetime
from uuid import UUID

import structlog

from accounts import services as accounts
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.clock import Now
from core.errors import CleraError, Forbidden, NotFound
from core.events import publish
from core.ids import new_id
from trading import risk, selectors
from trading.events import ProposalSettled
from trading.models import Approval, Proposal
from trading.risk import MarketQuote
from trading.selectors import MarketView
from trading.services import orders
from trading.states import ProposalState

logger = structlog.get_logger()
EXPIRY_BATCH = 200


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


class PriceMoved(CleraError):
    """The market has left the band that the customer was shown."""

    code = "price_moved"
    status = 409
    detail = "The price has left the range this proposal was made for; ask for a new one."


def approve(*, principal: Principal, proposal_id: UUID, shown_hash: str, at: datetime) -> Proposal:
    """
    Approve exactly what the hash stands for and place its order, once.

    The decision and the order are one transaction, so that neither exists without the other.

    :raises Forbidden: only the customer's own request may approve.
    :raises NotFound: there is none, or it is somebody else's.
    :raises ProposalOver: it was decided before, perhaps by this customer a moment ago.
    :raises ProposalExpired: its time has run out.
    :raises ProposalChanged: the hash belongs to something else.
    :raises PriceStale: there is no fresh price.
    :raises PriceMoved: the price has left the band.
    :raises RiskRefused: a rule says no; the proposal is spent.
    :raises OrderRejected: the broker said no; the proposal is spent.
    """
    _require_customer(principal)
    seen = selectors.get_proposal(principal=principal, proposal_id=proposal_id)
    _require_pending(seen)
    view = selectors.look_at_market(symbol=seen.symbol, at=at)

    def decide(*, trusts_holdings: bool) -> UUID | None:
        with acting_as(principal):
            proposal = _locked(seen)
            if _expire_if_due(proposal, at=at):
                return None
            _require_same(proposal, shown_hash)
            quote = _require_fair_price(proposal, view, at=at)
            return _approve(
                proposal, principal, view, quote, trusts_holdings=trusts_holdings, at=at
            )

    order_id = orders.with_known_holdings(seen.account_id, decide, at=at)
    if order_id is None:
        raise ProposalExpired
    orders.send_order(order_id, at=at)
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
    return proposal


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
        order_id = str(proposal.order_id) if proposal.order_id else None
        raise ProposalOver(extra={"state": proposal.state, "order_id": order_id})


def _locked(seen: Proposal) -> Proposal:
    """Lock the account, then the proposal: the order in which everything here is locked."""
    accounts.lock_account(account_id=seen.account_id)
    proposal = Proposal.objects.select_for_update().filter(pk=seen.pk).first()
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


def _require_fair_price(proposal: Proposal, view: MarketView, *, at: datetime) -> MarketQuote:
    quote = view.quote
    if quote is None or quote.is_stale(limits=selectors.limits(), at=at):
        raise risk.PriceStale(extra={"symbol": proposal.symbol})
    price = quote.price_for(is_buy=proposal.ticket.is_buy)
    if not proposal.price_low <= price <= proposal.price_high:
        raise PriceMoved(extra={"symbol": proposal.symbol, "price": format(price, "f")})
    return quote


def _approve(
    proposal: Proposal,
    principal: Principal,
    view: MarketView,
    quote: MarketQuote,
    *,
    trusts_holdings: bool,
    at: datetime,
) -> UUID:
    order = orders.open_order(
        order_id=new_id(),
        principal=principal,
        account_id=proposal.account_id,
        ticket=proposal.ticket,
        view=view,
        trusts_holdings=trusts_holdings,
        at=at,
    )
    Approval.objects.create(
        proposal=proposal,
        user_id=proposal.user_id,
        approved_by=principal.name,
        hash=proposal.hash,
        text=proposal.text,
        price=quote.price_for(is_buy=proposal.ticket.is_buy),
    )
    proposal.settle(ProposalState.APPROVED, at=at, order=order)
    publish(ProposalSettled(proposal.pk, proposal.run_id))
    logger.info("proposal.approved", id=str(proposal.pk), order_id=str(order.pk))
    return order.pk


def _settle(proposal: Proposal, to: ProposalState, *, at: datetime) -> None:
    proposal.settle(to, at=at)
    publish(ProposalSettled(proposal.pk, proposal.run_id))
    logger.info("proposal.settled", id=str(proposal.pk), state=to)
