"""The background work of trading: one service call each."""

from celery import shared_task
from django.utils import timezone

from trading import approvals, services


@shared_task(name="trading.sweep_orders")
def sweep_orders() -> None:
    """Send what waits too long and resolve what is unknown."""
    services.sweep_orders(at=timezone.now())


@shared_task(name="trading.release_held")
def release_held() -> None:
    """Send, or end, the held orders whose time has come."""
    services.release_due(at=timezone.now())


@shared_task(name="trading.obey_switches")
def obey_switches() -> None:
    """Hold what kill switches stop, and have canceled what they want canceled."""
    services.obey_switches(at=timezone.now())


@shared_task(name="trading.follow_events", acks_late=False)
def follow_events() -> None:
    """Keep the broker's trade events for as long as this process leads."""
    services.follow_events()


@shared_task(name="trading.apply_events")
def apply_events() -> None:
    """Apply what the inbox has kept."""
    services.apply_events()


@shared_task(name="trading.sync_holdings")
def sync_holdings(*, account_id: str) -> None:
    """Read an account's positions and cash from the broker."""
    services.sync_holdings(account_id=account_id, at=timezone.now())


@shared_task(name="trading.heal_accounts")
def heal_accounts() -> None:
    """Read the broker for accounts that trade, and report what events have not told."""
    services.heal_accounts(at=timezone.now())


@shared_task(name="trading.expire_proposals")
def expire_proposals() -> None:
    """Close proposals that nobody decided in time."""
    approvals.expire_due(at=timezone.now())
