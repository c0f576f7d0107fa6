"""What has happened in trading, for apps above to react to."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class OrderSettled:
    """Nothing more will become of the order: done, refused, canceled or given to people."""

    order_id: UUID
    account_id: UUID


@dataclass(frozen=True)
class OrderFilled:
    """More of the order was bought or sold than we knew of."""

    order_id: UUID
    account_id: UUID


@dataclass(frozen=True)
class HoldingsChanged:
    """The account's positions or cash are not what they were."""

    account_id: UUID


@dataclass(frozen=True)
class ProposalSettled:
    """The customer decided on a proposal, its time ran out, or a fresh one took its place."""

    proposal_id: UUID
    run_id: UUID | None
