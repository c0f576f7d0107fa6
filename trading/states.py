"""The words of trading, and how an order at the broker and a proposal may move."""

from django.db import models


class Side(models.TextChoices):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(models.TextChoices):
    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(models.TextChoices):
    DAY = "DAY"
    GTC = "GTC"


class ProposalState(models.TextChoices):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


PROPOSAL_MOVES: dict[ProposalState, frozenset[ProposalState]] = {
    ProposalState.PENDING: frozenset(
        {ProposalState.APPROVED, ProposalState.REJECTED, ProposalState.EXPIRED}
    ),
    ProposalState.APPROVED: frozenset(),
    ProposalState.REJECTED: frozenset(),
    ProposalState.EXPIRED: frozenset(),
}

# The broker's words for an order (VENDORS 7.3). They are text, not an enum: a word we have never
# heard is kept and alarmed. A later word never falls back to an earlier rank, since events are
# repeated and overtake each other.
EARLY = frozenset({"accepted", "pending_new", "accepted_for_bidding", "held"})
LIVE = frozenset({"new", "stopped", "suspended", "calculated", "done_for_day"})
LATE = frozenset({"partially_filled", "pending_cancel", "pending_replace"})
ENDED = frozenset({"canceled", "expired", "rejected", "replaced"})
FILLED = "filled"
TERMINAL = ENDED | {FILLED}
KNOWN = EARLY | LIVE | LATE | TERMINAL

# A cancel that comes too late is followed by "filled", so an ended order may still be filled.
BROKER_MOVES: dict[str, frozenset[str]] = {
    "": KNOWN,
    **dict.fromkeys(EARLY, KNOWN),
    **dict.fromkeys(LIVE, KNOWN - EARLY),
    **dict.fromkeys(LATE, LATE | TERMINAL),
    # The cancel or replacement was refused, and the order works again.
    "pending_cancel": LIVE | LATE | TERMINAL,
    "pending_replace": LIVE | LATE | TERMINAL,
    **dict.fromkeys(ENDED, frozenset({FILLED})),
    FILLED: frozenset(),
}


def may_become(before: str, after: str) -> bool:
    """Say whether the broker's word `after` is newer than `before`; unknown words may follow."""
    if before == after:
        return False
    if before not in BROKER_MOVES:
        return True
    return after in BROKER_MOVES[before] or (after not in KNOWN and before not in TERMINAL)


def is_open(broker_status: str) -> bool:
    """Say whether the broker may still do something with the order."""
    return broker_status not in TERMINAL
