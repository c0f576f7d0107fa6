"""The background work of funding: one service call each."""

from celery import shared_task
from django.utils import timezone

from funding.services import bank_upkeep, news, transfer_upkeep


@shared_task(name="funding.sweep_relationships")
def sweep_relationships() -> None:
    """Send the banks that wait too long and resolve what is unknown."""
    bank_upkeep.sweep_relationships(at=timezone.now())


@shared_task(name="funding.sweep_transfers")
def sweep_transfers() -> None:
    """Move on the transfers that wait, then apply the news that waited for them."""
    transfer_upkeep.sweep_transfers(at=timezone.now())
    news.apply_events()


@shared_task(name="funding.follow_events", acks_late=False)
def follow_events() -> None:
    """Keep the broker's funding events for as long as this process leads."""
    news.follow_events()


@shared_task(name="funding.apply_events")
def apply_events() -> None:
    """Apply what the inbox has kept."""
    news.apply_events()


@shared_task(name="funding.refresh_relationships")
def refresh_relationships() -> None:
    """Ask the broker about banks on the move or under review."""
    bank_upkeep.refresh_relationships(at=timezone.now())


@shared_task(name="funding.refresh_transfers")
def refresh_transfers() -> None:
    """Ask the broker about transfers on the move, lately ended or under review."""
    transfer_upkeep.refresh_transfers(at=timezone.now())
