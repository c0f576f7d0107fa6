"""The one table of moves every intent obeys."""

from django.db import models

from core.errors import CleraError


class IntentState(models.TextChoices):
    PENDING = "PENDING"
    HELD = "HELD"
    SENDING = "SENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    CANCELED = "CANCELED"


S = IntentState

TRANSITIONS: dict[IntentState, frozenset[IntentState]] = {
    S.PENDING: frozenset({S.HELD, S.SENDING, S.CANCELED}),
    S.HELD: frozenset({S.PENDING, S.CANCELED}),
    # Back to PENDING only when the call certainly had no effect.
    S.SENDING: frozenset({S.ACCEPTED, S.REJECTED, S.UNKNOWN, S.PENDING}),
    # SENDING again only for intents the vendor knows by our own id, after two empty look-ups.
    S.UNKNOWN: frozenset({S.ACCEPTED, S.REJECTED, S.NEEDS_REVIEW, S.SENDING}),
    # A person has decided, or the vendor's late news has.
    S.NEEDS_REVIEW: frozenset({S.ACCEPTED, S.REJECTED}),
    S.ACCEPTED: frozenset(),
    S.REJECTED: frozenset(),
    S.CANCELED: frozenset(),
}

# Nobody will send these again; NEEDS_REVIEW counts as settled for the machine.
SETTLED = frozenset({S.ACCEPTED, S.REJECTED, S.CANCELED, S.NEEDS_REVIEW})
# The vendor may yet turn out to have acted.
UNDECIDED = frozenset({S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.NEEDS_REVIEW})


class IllegalMove(CleraError):
    """The code asked for a move that the table does not have: a bug, never a user's fault."""

    code = "illegal_move"
    status = 500
    detail = "The intent cannot move that way."
