"""Questions about proposals."""

from typing import TYPE_CHECKING
from uuid import UUID

from core.auth import Principal, acting_as
from core.errors import NotFound
from trading.models import Proposal
from trading.states import ProposalState

if TYPE_CHECKING:
    pass


MOST_PROPOSALS = 100


def list_proposals(
    *, principal: Principal, state: ProposalState | None = None, limit: int = MOST_PROPOSALS
) -> list[Proposal]:
    """List the principal's proposals, the newest first."""
    with acting_as(principal):
        proposals = Proposal.objects.select_related("order")
        if state is not None:
            proposals = proposals.filter(state=state)
        return list(proposals.order_by("-created_at", "id")[: min(limit, MOST_PROPOSALS)])


def get_proposal(*, principal: Principal, proposal_id: UUID) -> Proposal:
    """
    Return one proposal of the principal.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        proposal = Proposal.objects.select_related("order").filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is no such proposal.")
    return proposal
