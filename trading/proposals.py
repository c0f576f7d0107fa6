"""
Suggesting an order: all that an agent may do about trading.

It writes one row that nothing acts upon. The order follows only from `approvals`, which no agent
can reach: not by import, and not by the rights of its database role.
"""

from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from django.conf import settings

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import Invalid, NotFound
from trading import risk, selectors
from trading.models import Proposal
from trading.risk import MarketQuote, Verdict
from trading.states import Side
from trading.tickets import Ticket

if TYPE_CHECKING:
    from accounts.models import BrokerageAccount

SUB_DOLLAR = Decimal("0.0001")
CENT = Decimal("0.01")


def propose_trade(
    *,
    principal: Principal,
    run_id: UUID,
    tool_call_id: str,
    symbol: str,
    side: Side | str,
    notional: Decimal | None = None,
    quantity: Decimal | None = None,
    account_id: str | UUID | None = None,
    at: datetime,
) -> Proposal:
    """
    Suggest an order to the customer, who alone can approve it.

    The same tool call of the same run gives the same proposal, however often it is repeated.

    :raises NotFound: the customer has no such account.
    :raises Invalid: the sizes make no sense in themselves.
    :raises PriceStale: there is no fresh price to show.
    :raises RiskRefused: the order would be refused; the sentence says why.
    """
    proposal_id = uuid5(run_id, tool_call_id)
    earlier = _find(principal, proposal_id)
    if earlier is not None:
        return earlier
    ticket = Ticket(
        symbol=symbol.strip().upper(), side=_side(side), quantity=quantity, notional=notional
    )
    account = _account(principal, account_id)
    view = selectors.look_at_market(symbol=ticket.symbol, at=at)
    with acting_as(principal):
        verdict = risk.judge(ticket, selectors.facts_for(account, ticket, view, at=at))
        risk.require_sense(verdict, symbol=ticket.symbol)
        _require_allowed(verdict)
        assert view.quote is not None  # noqa: S101 - the verdict needed it
        proposal = _suggest(proposal_id, account, ticket, view.quote)
        proposal.run_id, proposal.tool_call_id = run_id, tool_call_id[:128]
        proposal.hash = proposal.fingerprint()
        Proposal.objects.bulk_create([proposal], ignore_conflicts=True)
        return Proposal.objects.get(pk=proposal_id)


def _find(principal: Principal, proposal_id: UUID) -> Proposal | None:
    try:
        return selectors.get_proposal(principal=principal, proposal_id=proposal_id)
    except NotFound:
        return None


def _side(side: Side | str) -> Side:
    try:
        return Side(side)
    except ValueError:
        detail = "The side is BUY or SELL."
        raise Invalid(detail, field_errors={"side": [detail]}) from None


def _account(principal: Principal, account_id: str | UUID | None) -> "BrokerageAccount":
    if account_id is not None:
        return accounts.get_account(principal=principal, account_id=account_id)
    mine = accounts.list_accounts(principal=principal)
    if not mine:
        raise NotFound("The customer has no brokerage account yet.")
    return next((account for account in mine if account.is_tradable), mine[0])


def _require_allowed(verdict: Verdict) -> None:
    if not verdict.is_allowed:
        raise risk.RiskRefused(rule=verdict.rule, field=verdict.field, detail=verdict.detail)


def _suggest(
    proposal_id: UUID, account: "BrokerageAccount", ticket: Ticket, quote: MarketQuote
) -> Proposal:
    price = quote.price_for(is_buy=ticket.is_buy)
    reach = price * settings.PROPOSAL_BAND
    tick = CENT if price >= 1 else SUB_DOLLAR
    return Proposal(
        id=proposal_id,
        user_id=account.user_id,
        account_id=account.pk,
        symbol=ticket.symbol,
        side=ticket.side,
        quantity=ticket.quantity,
        notional=ticket.notional,
        quote_price=price,
        quote_as_of=quote.as_of,
        price_low=(price - reach).quantize(tick, ROUND_FLOOR),
        price_high=(price + reach).quantize(tick, ROUND_CEILING),
        expires_at=Proposal.expiry(settings.PROPOSAL_SECONDS),
    )
