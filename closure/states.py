"""The steps of closing an account, and how a closure may move."""

from typing import Final

from django.db import models


class Step(models.TextChoices):
    """What a closure is at, in this order."""

    READINESS = "READINESS"
    CANCEL_ORDERS = "CANCEL_ORDERS"
    LIQUIDATE = "LIQUIDATE"
    SETTLE = "SETTLE"
    WITHDRAW = "WITHDRAW"
    CLOSE = "CLOSE"
    DONE = "DONE"


class ClosureState(models.TextChoices):
    """
    Whether a closure goes on by itself.

    NEEDS_REVIEW waits for our staff; CANCELED was stopped; FAILED could not begin.
    """

    RUNNING = "RUNNING"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    DONE = "DONE"
    CANCELED = "CANCELED"
    FAILED = "FAILED"


class ProblemKind(models.TextChoices):
    """Why our staff has to look at a closure."""

    SHORT_POSITION = "SHORT_POSITION"
    NEGATIVE_CASH = "NEGATIVE_CASH"
    WITHDRAWAL_RETURNED = "WITHDRAWAL_RETURNED"
    WITHDRAWAL_REFUSED = "WITHDRAWAL_REFUSED"
    NO_BANK = "NO_BANK"
    TOO_LITTLE = "TOO_LITTLE"
    CLOSING_REFUSED = "CLOSING_REFUSED"
    STILL_OPEN = "STILL_OPEN"


_C = ClosureState
CLOSURE_MOVES: Final[dict[ClosureState, frozenset[ClosureState]]] = {
    _C.RUNNING: frozenset({_C.NEEDS_REVIEW, _C.DONE, _C.CANCELED, _C.FAILED}),
    _C.NEEDS_REVIEW: frozenset({_C.RUNNING, _C.DONE, _C.CANCELED}),
    _C.DONE: frozenset(),
    _C.CANCELED: frozenset(),
    _C.FAILED: frozenset(),
}
LIVE: Final = frozenset({_C.RUNNING, _C.NEEDS_REVIEW})
ORDER: Final = tuple(Step)
# The steps a customer is told of; the first only looks whether all may begin.
COUNTED: Final = (Step.CANCEL_ORDERS, Step.LIQUIDATE, Step.SETTLE, Step.WITHDRAW, Step.CLOSE)
# Once money is on its way to the bank, nobody but our staff stops it.
STOPPABLE: Final = frozenset(ORDER[: ORDER.index(Step.WITHDRAW)])
# After these money leaves again, or to another bank, so that two people have to agree.
TAKES_TWO: Final = frozenset(
    {ProblemKind.WITHDRAWAL_RETURNED, ProblemKind.WITHDRAWAL_REFUSED, ProblemKind.NO_BANK}
)
# After these the broker is asked anew to close the account.
ASKS_ANEW: Final = frozenset({ProblemKind.CLOSING_REFUSED, ProblemKind.STILL_OPEN})


def completed(step: str) -> int:
    """Count the steps before this one that a customer is told of."""
    at = ORDER.index(Step(step))
    return sum(ORDER.index(each) < at for each in COUNTED)
