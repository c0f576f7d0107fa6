"""The background work of the ledger: one service call each."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ledger.services import activities, comparing


@shared_task(name="ledger.follow_events", acks_late=False)
def follow_events() -> None:
    """Keep the broker's account activities for as long as this process leads."""
    activities.follow_events()


@shared_task(name="ledger.apply_events")
def apply_events() -> None:
    """Enter the activities that the inbox has kept."""
    activities.apply_events()


@shared_task(name="ledger.ask_for_all")
def ask_for_all() -> None:
    """Make it every account's turn to be compared, because activities were lost."""
    activities.ask_for_all()


@shared_task(name="ledger.compare_account")
def compare_account(*, account_id: str) -> None:
    """Compare one account's ledger with the broker's books now."""
    comparing.compare_account(account_id=UUID(account_id), at=timezone.now())


@shared_task(name="ledger.compare_due")
def compare_due() -> None:
    """Enter activities that wait, then compare the accounts whose turn it is."""
    activities.apply_events()
    comparing.compare_due(at=timezone.now())
