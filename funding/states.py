"""The lives of linked banks and transfers in the broker's words; other words are kept too."""

from typing import Final

from django.db import models


class Direction(models.TextChoices):
    INCOMING = "INCOMING"
    OUTGOING = "OUTGOING"


class BankAccountType(models.TextChoices):
    CHECKING = "CHECKING"
    SAVINGS = "SAVINGS"


class LinkedBy(models.TextChoices):
    NUMBERS = "NUMBERS"
    PLAID = "PLAID"


class LinkPurpose(models.TextChoices):
    NEW = "NEW"
    UPDATE = "UPDATE"


class LinkState(models.TextChoices):
    """
    How far a customer has come with a page of Plaid's.

    An exchange that got lost cannot be repeated, so EXCHANGING ends in FAILED: link again. One
    that certainly did not happen goes back to OPEN.
    """

    OPEN = "OPEN"
    EXCHANGING = "EXCHANGING"
    EXCHANGED = "EXCHANGED"
    LINKED = "LINKED"
    UPDATED = "UPDATED"
    DUPLICATE = "DUPLICATE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


_L = LinkState
LINK_MOVES: Final[dict[LinkState, frozenset[LinkState]]] = {
    # A page whose token the browser has brought as well ends as that sign-in does.
    _L.OPEN: frozenset({_L.EXCHANGING, _L.LINKED, _L.UPDATED, _L.DUPLICATE, _L.FAILED, _L.EXPIRED}),
    _L.EXCHANGING: frozenset({_L.OPEN, _L.EXCHANGED, _L.DUPLICATE, _L.FAILED}),
    _L.EXCHANGED: frozenset({_L.LINKED, _L.DUPLICATE, _L.FAILED}),
    _L.LINKED: frozenset(),
    _L.UPDATED: frozenset(),
    _L.DUPLICATE: frozenset(),
    _L.FAILED: frozenset(),
    _L.EXPIRED: frozenset(),
}
LINK_WAITING: Final = frozenset({_L.OPEN, _L.EXCHANGING, _L.EXCHANGED})
# Where the token that is good for one exchange is still of use.
TOKEN_NEEDED: Final = frozenset({_L.OPEN, _L.EXCHANGING})


class ItemState(models.TextChoices):
    """A sign-in at a bank: it works, wants the customer, or is being given up."""

    LIVE = "LIVE"
    LOGIN_REQUIRED = "LOGIN_REQUIRED"
    BROKEN = "BROKEN"
    REMOVING = "REMOVING"
    REMOVED = "REMOVED"


ITEM_IN_USE: Final = frozenset({ItemState.LIVE, ItemState.LOGIN_REQUIRED, ItemState.BROKEN})


class ReturnState(models.TextChoices):
    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class Verdict(models.TextChoices):
    """What staff has found out about a transfer under review."""

    ATTACH = "ATTACH"
    DISMISS = "DISMISS"


class VerdictState(models.TextChoices):
    PROPOSED = "PROPOSED"
    CONFIRMED = "CONFIRMED"
    WITHDRAWN = "WITHDRAWN"


APPROVED: Final = "APPROVED"
COMPLETE: Final = "COMPLETE"
RETURNED: Final = "RETURNED"

CANCELED: Final = "CANCELED"
CANCEL_REQUESTED: Final = "CANCEL_REQUESTED"
RELATIONSHIP_MOVING: Final = frozenset({"QUEUED", "PENDING", CANCEL_REQUESTED})
RELATIONSHIP_GONE: Final = frozenset({CANCELED})
RELATIONSHIP_KNOWN: Final = RELATIONSHIP_MOVING | RELATIONSHIP_GONE | {APPROVED}

TRANSFER_MOVING: Final = frozenset(
    {"QUEUED", "APPROVAL_PENDING", "PENDING", "SENT_TO_CLEARING", APPROVED}
)
# No end is final: a bank may take money back for 60 days after it was complete.
TRANSFER_ENDED: Final = frozenset(
    {COMPLETE, "SETTLED", "REJECTED", "CANCELED", "EXPIRED", RETURNED}
)
# The money is where it was to go.
TRANSFER_ARRIVED: Final = frozenset({COMPLETE, "SETTLED"})
# These have certainly moved nothing.
TRANSFER_UNDONE: Final = frozenset({"REJECTED", "CANCELED", "EXPIRED"})
# The broker lets go of a transfer only before it has left.
TRANSFER_CANCELABLE: Final = frozenset({"QUEUED", "APPROVAL_PENDING", "PENDING"})
TRANSFER_KNOWN: Final = TRANSFER_MOVING | TRANSFER_ENDED
