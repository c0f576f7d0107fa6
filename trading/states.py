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


class LotMethod(models.TextChoices):
    """Which lots a sale takes: the oldest, the dearest, or those that the customer named."""

    FIFO = "FIFO"
    HIFO = "HIFO"
    SPECIFIC = "SPECIFIC"


class BasisSource(models.TextChoices):
    """Who says what a lot has cost; UNKNOWN is a lot of which nobody does."""

    TRADE = "TRADE"
    BROKER = "BROKER"
    READING = "READING"  # an order that is known to be filled, while its fills are not told yet
    OPERATOR = "OPERATOR"
    UNKNOWN = "UNKNOWN"


class Term(models.TextChoices):
    """How long shares were held: LONG is more than a year."""

    SHORT = "SHORT"
    LONG = "LONG"
    UNKNOWN = "UNKNOWN"


class MovementKind(models.TextChoices):
    """How shares come, go or change without a trade."""

    OPENING = "OPENING"  # they were there before us
    SPLIT = "SPLIT"
    STOCK_DIVIDEND = "STOCK_DIVIDEND"
    SYMBOL_CHANGE = "SYMBOL_CHANGE"
    SPIN_OFF = "SPIN_OFF"
    CASH_IN_LIEU = "CASH_IN_LIEU"  # a fraction of a share was paid out
    REORGANISATION = "REORGANISATION"
    TRANSFER = "TRANSFER"
    ADJUSTMENT = "ADJUSTMENT"  # two people have decided so


class DriftState(models.TextChoices):
    """SUSPECTED may only be news on its way; OPEN has stayed and waits for people."""

    SUSPECTED = "SUSPECTED"
    OPEN = "OPEN"
    PROPOSED = "PROPOSED"
    SETTLED = "SETTLED"  # ours follows the broker's
    ACCEPTED = "ACCEPTED"  # it is known why they differ
    HEALED = "HEALED"


DRIFT_MOVES: dict[DriftState, frozenset[DriftState]] = {
    DriftState.SUSPECTED: frozenset({DriftState.OPEN, DriftState.HEALED}),
    DriftState.OPEN: frozenset({DriftState.PROPOSED, DriftState.HEALED}),
    DriftState.PROPOSED: frozenset(
        {DriftState.OPEN, DriftState.SETTLED, DriftState.ACCEPTED, DriftState.HEALED}
    ),
    DriftState.SETTLED: frozenset(),
    # It has changed again, so that what was explained is no longer what is there.
    DriftState.ACCEPTED: frozenset({DriftState.HEALED}),
    DriftState.HEALED: frozenset(),
}
UNSETTLED_DRIFT = frozenset({DriftState.SUSPECTED, DriftState.OPEN, DriftState.PROPOSED})


class DriftRemedy(models.TextChoices):
    """What one person proposes: that our lots follow the broker, or that they stay."""

    ADOPT = "ADOPT"
    KEEP = "KEEP"


class ProposalState(models.TextChoices):
    """What became of a proposal; the last: a fresh one at today's price took its place."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"


class ProposalOrigin(models.TextChoices):
    """Where a proposal comes from: the last three are the server's own doing."""

    AGENT = "AGENT"
    LAPSED = "LAPSED"  # a queued order that the market has left behind
    PRICE_MOVED = "PRICE_MOVED"  # an earlier proposal, whose price band the market has left
    REBALANCE = "REBALANCE"


PROPOSAL_MOVES: dict[ProposalState, frozenset[ProposalState]] = {
    ProposalState.PENDING: frozenset(
        {
            ProposalState.APPROVED,
            ProposalState.REJECTED,
            ProposalState.EXPIRED,
            ProposalState.SUPERSEDED,
        }
    ),
    ProposalState.APPROVED: frozenset(),
    ProposalState.REJECTED: frozenset(),
    ProposalState.EXPIRED: frozenset(),
    ProposalState.SUPERSEDED: frozenset(),
}

# The broker's words for an order (VENDORS 7.3). They are text, not an enum: a word we have never
# heard is kept and alarmed. A later word never falls back to an earlier rank, since events are
# repeated and overtake each other.
HELD = "held"
EARLY = frozenset({"accepted", "pending_new", "accepted_for_bidding", HELD})
LIVE = frozenset({"new", "stopped", "suspended", "calculated", "done_for_day"})
LATE = frozenset({"partially_filled", "pending_cancel", "pending_replace"})
ENDED = frozenset({"canceled", "expired", "rejected", "replaced"})
FILLED = "filled"
REPLACED = "replaced"
TERMINAL = ENDED | {FILLED}
KNOWN = EARLY | LIVE | LATE | TERMINAL

# A cancel that comes too late is followed by "filled", so an ended order may still be filled.
BROKER_MOVES: dict[str, frozenset[str]] = {
    "": KNOWN,
    **dict.fromkeys(EARLY, KNOWN),
    **dict.fromkeys(LIVE, KNOWN - EARLY),
    **dict.fromkeys(LATE, LATE | TERMINAL),
    # The cancel or replacement was refused, and the order works again; the exits of a bracket
    # go back to waiting for their entry.
    "pending_cancel": LIVE | LATE | TERMINAL | {HELD},
    "pending_replace": LIVE | LATE | TERMINAL | {HELD},
    **dict.fromkeys(ENDED, frozenset({FILLED})),
    FILLED: frozenset(),
}
# What an order may turn into when the exchange takes a fill back or changes it. Nothing else brings
# an order that has ended back to life; one that was rejected never had a fill.
CORRECTED_MOVES: dict[str, frozenset[str]] = {
    **dict.fromkeys(KNOWN - {"rejected"} | {""}, (LIVE | LATE | TERMINAL) - {"rejected"}),
    "rejected": frozenset(),
}


def may_become(before: str, after: str) -> bool:
    """Say whether the broker's word `after` is newer than `before`; unknown words may follow."""
    if before == after:
        return False
    if before not in BROKER_MOVES:
        return True
    return after in BROKER_MOVES[before] or (after not in KNOWN and before not in TERMINAL)


def may_be_corrected(before: str, after: str) -> bool:
    """Say whether a corrected fill may turn `before` into `after`; unknown words may follow."""
    if before == after:
        return False
    return after in CORRECTED_MOVES.get(before, KNOWN) or (
        after not in KNOWN and before != "rejected"
    )


def is_open(broker_status: str) -> bool:
    """Say whether the broker may still do something with the order."""
    return broker_status not in TERMINAL
