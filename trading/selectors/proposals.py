"""Questions about proposals."""

from collections.abc import Collection
from uuid import UUID

from accounts import selectors as accounts
from core.auth import Principal, acting_as
from core.errors import NotFound
from trading.models import Proposal
from trading.states import ProposalState

MOST_PROPOSALS = 100


def list_proposals(
    *,
    principal: Principal,
    state: ProposalState | None = None,
    account_id: str | UUID | None = None,
    limit: int = MOST_PROPOSALS,
) -> list[Proposal]:
    """
    List the principal's proposals, the newest first.

    :raises NotFound: there is no such account, or it is somebody else's.
    """
    account = (
        accounts.get_account(principal=principal, account_id=account_id) if account_id else None
    )
    with acting_as(principal):
        proposals = Proposal.objects.whole()
        if state is not None:
            proposals = proposals.filter(state=state)
        if account is not None:
            proposals = proposals.filter(account_id=account.pk)
        return list(proposals.order_by("-created_at", "id")[: min(limit, MOST_PROPOSALS)])


def get_proposal(*, principal: Principal, proposal_id: UUID) -> Proposal:
    """
    Return one proposal of the principal.

    :raises NotFound: there is none, or it is somebody else's.
    """
    with acting_as(principal):
        proposal = Proposal.objects.whole().filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is no such proposal.")
    return proposal


def list_proposals_of_runs(
    *, principal: Principal, run_ids: Collection[UUID]
) -> dict[UUID, list[Proposal]]:
    """List what was suggested in each run, also what took the place of a proposal, in order."""
    with acting_as(principal):
        made = list(Proposal.objects.whole().filter(run_id__in=run_ids).order_by("created_at"))
    found: dict[UUID, list[Proposal]] = {}
    for proposal in made:
        if proposal.run_id is not None:
            found.setdefault(proposal.run_id, []).append(proposal)
    return found
