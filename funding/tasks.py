"""The background work of funding: one service call each."""

from celery import shared_task
from django.utils import timezone

from funding.services import (
    bank_upkeep,
    cancellations,
    items,
    linking,
    news,
    removals,
    transfer_upkeep,
    verdicts,
    webhooks,
)


@shared_task(name="funding.sweep_relationships")
def sweep_relationships() -> None:
    """Send the banks that wait too long and resolve what is unknown."""
    bank_upkeep.sweep_relationships(at=timezone.now())


@shared_task(name="funding.sweep_removals")
def sweep_removals() -> None:
    """Send the removals of banks that wait too long and resolve what is unknown."""
    removals.sweep_removals(at=timezone.now())


@shared_task(name="funding.withdraw_verdicts")
def withdraw_verdicts() -> None:
    """Take back proposals about transfers that have been found meanwhile."""
    verdicts.withdraw_settled(at=timezone.now())


@shared_task(name="funding.sweep_transfers")
def sweep_transfers() -> None:
    """Move on the transfers that wait, then apply the news that waited for them."""
    transfer_upkeep.sweep_transfers(at=timezone.now())
    news.apply_events()


@shared_task(name="funding.sweep_cancellations")
def sweep_cancellations() -> None:
    """Send the cancellations that wait too long and resolve what is unknown."""
    cancellations.sweep_cancellations(at=timezone.now())


@shared_task(name="funding.follow_events", acks_late=False)
def follow_events() -> None:
    """Keep the broker's funding events for as long as this process leads."""
    news.follow_events()


@shared_task(name="funding.apply_events")
def apply_events() -> None:
    """Apply what the inbox has kept."""
    news.apply_events()


@shared_task(name="funding.apply_webhooks")
def apply_webhooks() -> None:
    """Have Plaid asked about whatever its webhooks have named."""
    webhooks.apply_webhooks()


@shared_task(name="funding.sweep_links")
def sweep_links() -> None:
    """Carry on with every sign-in at a bank that is due, and with what is to be removed."""
    webhooks.apply_webhooks()
    linking.sweep_links(at=timezone.now())


@shared_task(name="funding.refresh_items")
def refresh_items() -> None:
    """Ask Plaid whether the sign-ins still work that were not looked at for long."""
    items.refresh_items(at=timezone.now())


@shared_task(name="funding.refresh_relationships")
def refresh_relationships() -> None:
    """Ask the broker about banks on the move or under review."""
    bank_upkeep.refresh_relationships(at=timezone.now())


@shared_task(name="funding.refresh_transfers")
def refresh_transfers() -> None:
    """Ask the broker about transfers on the move, lately ended or under review."""
    transfer_upkeep.refresh_transfers(at=timezone.now())
