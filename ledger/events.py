"""What has happened in the broker's books, for apps above to react to."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class SharesMoved:
    """A line of the broker's books tells of shares that came, went or changed without a trade."""

    account_id: UUID
