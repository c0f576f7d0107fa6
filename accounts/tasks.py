"""The background work of accounts: one service call each."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from accounts import services
from core.auth import SYSTEM


@shared_task(name="accounts.sweep_applications")
def sweep_applications() -> None:
    """Send the applications that wait too long and resolve what is unknown."""
    services.sweep_applications(at=timezone.now())


@shared_task(name="accounts.sweep_changes")
def sweep_changes() -> None:
    """Send the changes of contact data that wait too long and resolve what is unknown."""
    services.sweep_changes(at=timezone.now())


@shared_task(name="accounts.sweep_documents")
def sweep_documents() -> None:
    """Send the documents that wait too long and resolve what is unknown."""
    services.sweep_documents(at=timezone.now())


@shared_task(name="accounts.follow_events", acks_late=False)
def follow_events() -> None:
    """Keep the broker's account events for as long as this process leads."""
    services.follow_events()


@shared_task(name="accounts.apply_events")
def apply_events() -> None:
    """Apply what the inbox has kept."""
    services.apply_events()


@shared_task(name="accounts.refresh_account")
def refresh_account(account_id: str) -> None:
    """Ask the broker about one account."""
    services.refresh_account(principal=SYSTEM, account_id=UUID(account_id))


@shared_task(name="accounts.refresh_accounts")
def refresh_accounts() -> None:
    """Ask the broker about accounts whose turn it is, and about what is under review."""
    services.refresh_accounts(at=timezone.now())


@shared_task(name="accounts.heal_accounts")
def heal_accounts() -> None:
    """Have every account read again, because events were lost."""
    services.heal_accounts()


@shared_task(name="accounts.sweep_mirror")
def sweep_mirror() -> None:
    """Write the statuses that the identity provider has not been told."""
    services.sweep_mirror(at=timezone.now())
