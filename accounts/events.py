"""What other apps may hear about brokerage accounts."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class AccountStatusChanged:
    """The broker has moved an account to another status."""

    account_id: UUID
    status: str
