"""What beat has done again and again: nothing that waits is forgotten."""

from datetime import datetime

from accounts.services.changes import ChangeCourier
from accounts.services.documents import DocumentCourier
from accounts.services.opening import ApplicationCourier
from accounts.services.status import apply_events, refresh_due
from core.intents import sweeping


def sweep_applications(*, at: datetime) -> dict[str, int]:
    """Move on every application that waits, then apply the news that waited for it."""
    touched = sweeping.sweep(through=ApplicationCourier(), at=at)
    return {**touched, "applied": apply_events()}


def sweep_changes(*, at: datetime) -> dict[str, int]:
    """Move on every change of contact data that waits."""
    return sweeping.sweep(through=ChangeCourier(), at=at)


def sweep_documents(*, at: datetime) -> dict[str, int]:
    """Move on every document that waits."""
    return sweeping.sweep(through=DocumentCourier(), at=at)


def refresh_accounts(*, at: datetime) -> int:
    """
    Ask the broker about accounts whose turn it is, in case its events are late or were lost.

    Returns how many were due, with the applications and documents under review.
    """
    due = refresh_due()
    due += sweeping.look_again(through=ApplicationCourier(), at=at)
    return due + sweeping.look_again(through=DocumentCourier(), at=at)
