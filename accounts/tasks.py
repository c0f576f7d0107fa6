"""The background work of accounts: one service call each."""

from celery import shared_task
from django.utils import timezone

from accounts import services


@shared_task(name="accounts.sweep_applications")
def sweep_applications() -> None:
    """Send what waits too long and resolve what is unknown."""
    services.sweep_applications(at=timezone.now())


@shared_task(name="accounts.follow_events", acks_late=False)
def follow_events() -> None:
    """Keep the broker's account events for as long as this process leads."""
    services.follow_events()


@shared_task(name="accounts.apply_events")
def apply_events() -> None:
    """Apply what the inbox has kept."""
    services.apply_events()


@shared_task(name="accounts.refresh_accounts")
def refresh_accounts() -> None:
    """Ask the broker about accounts on the move or under review."""
    services.refresh_accounts(at=timezone.now())
