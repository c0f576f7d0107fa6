"""What the server itself proposes: an order anew that the market has left behind."""

from datetime import datetime
from typing import Final
from uuid import uuid5

import structlog

from accounts import services as accounts
from core.auth import SYSTEM
from core.errors import CleraError
from trading import proposals
from trading.models import Order, Proposal
from trading.proposals import Source
from trading.selectors import MarketView
from trading.states import ProposalOrigin

logger = structlog.get_logger()
CREATED: Final = "proposal.created"


def propose_anew(order: Order, view: MarketView, *, at: datetime) -> Proposal | None:
    """
    Suggest an order that has lapsed to its customer at today's price, and tell them so.

    It does so in the transaction that ends the order, after what the order held back is free
    again; the market was read before. Returns nothing when the rules would refuse the order now.
    """
    source = Source(
        proposal_id=uuid5(order.pk, ProposalOrigin.LAPSED.value), origin=ProposalOrigin.LAPSED
    )
    try:
        tickets = proposals.tidied([order.ticket])
        proposal = proposals.record(
            principal=SYSTEM,
            account_id=order.account_id,
            tickets=tickets,
            views={tickets[0].symbol: view},
            source=source,
            at=at,
        )
    except CleraError as error:
        logger.info("proposal.not_made", order_id=str(order.pk), error=error.code)
        return None
    tell(proposal)
    return proposal


def tell(proposal: Proposal) -> None:
    """Tell the owner of a proposal that it waits for them, in the caller's transaction."""
    replaced = proposal.supersedes_id
    accounts.push(
        account_id=proposal.account_id,
        user_id=proposal.user_id,
        kind=CREATED,
        payload={
            "proposal_id": str(proposal.pk),
            "origin": proposal.origin,
            "supersedes": None if replaced is None else str(replaced),
            "symbols": [line.symbol for line in proposal.in_order],
            "expires_at": proposal.expires_at.isoformat(),
        },
    )
