"""What other apps may hear about money on its way."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class TransferSettled:
    """A transfer has come to an end, good or bad, or has been taken back after it."""

    transfer_id: UUID
    account_id: UUID
