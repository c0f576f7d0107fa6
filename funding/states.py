"""The lives of linked banks and transfers in the broker's words; other words are kept too."""

from typing import Final

from django.db import models


class Direction(models.TextChoices):
    INCOMING = "INCOMING"
    OUTGOING = "OUTGOING"


class BankAccountType(models.TextChoices):
    CHECKING = "CHECKING"
    SAVINGS = "SAVINGS"


APPROVED: Final = "APPROVED"
COMPLETE: Final = "COMPLETE"
RETURNED: Final = "RETURNED"

RELATIONSHIP_MOVING: Final = frozenset({"QUEUED", "PENDING", "CANCEL_REQUESTED"})
RELATIONSHIP_GONE: Final = frozenset({"CANCELED"})
RELATIONSHIP_KNOWN: Final = RELATIONSHIP_MOVING | RELATIONSHIP_GONE | {APPROVED}

TRANSFER_MOVING: Final = frozenset(
    {"QUEUED", "APPROVAL_PENDING", "PENDING", "SENT_TO_CLEARING", APPROVED}
)
# No end is final: a bank may take money back for 60 days after it was complete.
TRANSFER_ENDED: Final = frozenset(
    {COMPLETE, "SETTLED", "REJECTED", "CANCELED", "EXPIRED", RETURNED}
)
TRANSFER_KNOWN: Final = TRANSFER_MOVING | TRANSFER_ENDED
