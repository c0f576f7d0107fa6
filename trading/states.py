"""The words of trading, and how an order at the broker and a proposal may move."""

from django.db import models


class Side(models.TextChoices):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(models.TextChoices):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"


class TimeInForce(models.TextChoices):
    """How long an order works: the last two only in the opening and the closing auction."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    OPG = "OPG"
    CLS = "CLS"


class OrderClass(models.TextChoices):
    """
    What hangs on an order.

    A bracket's two exits wait for its entry, of an OTO there is one exit; of an OCO there is no
    entry, and whichever exit is filled first ends the other.
    """

    SIMPLE = "SIMPLE"
    BRACKET = "BRACKET"
    OCO = "OCO"
    OTO = "OTO"


class AfterHours(models.TextChoices):
    """What to do with an order while the market is closed, in the reference's own words."""

    REFUSE = "", "Refuse"
    QUEUE_FOR_OPEN = "queue_for_open"
    BROKER_LIMIT_GTC = "broker_limit_gtc"


class Source(models.TextChoices):
    """Who wanted an order: the customer, an approved proposal, a closure, or the broker itself."""

    CUSTOMER = "CUSTOMER"
    PROPOSAL = "PROPOSAL"
    CLOSURE = "CLOSURE"
    BROKER = "BROKER"  # the exits of a bracket, which the broker makes


class HeldFor(models.TextChoices):
    """Why an order that was taken waits here before the broker hears of it."""

    KILL_SWITCH = "KILL_SWITCH"
    OPEN = "OPEN"


class SwitchScope(models.TextChoices):
    """Whose orders a kill switch stops."""

    GLOBAL = "GLOBAL"
    ACCOUNT = "ACCOUNT"
    PRINCIPAL = "PRINCIPAL"


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
