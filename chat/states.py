"""The moves of a run, and who speaks in a conversation."""

from django.db import models


class RunState(models.TextChoices):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class Role(models.TextChoices):
    USER = "USER"
    ASSISTANT = "ASSISTANT"
    SYSTEM = "SYSTEM"


TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.DONE, RunState.FAILED}),
    # RUNNING again: a worker died and another goes on. QUEUED: the model was away, try later.
    # DONE follows QUEUED when a worker thought dead comes back with the answer after all.
    RunState.RUNNING: frozenset(RunState),
    RunState.DONE: frozenset(),
    RunState.FAILED: frozenset(),
}
OVER = frozenset({RunState.DONE, RunState.FAILED})


def leading_to(state: RunState) -> list[RunState]:
    """List the states from which a run may move to `state`."""
    return [before for before, after in TRANSITIONS.items() if state in after]
