"""The background work of closures: one service call each."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from closure.services import steering


@shared_task(name="closure.sweep_closures")
def sweep_closures() -> None:
    """Move on the closures whose turn it is."""
    steering.run_due(at=timezone.now())


@shared_task(name="closure.advance_closure")
def advance_closure(closure_id: str) -> None:
    """Move one closure on now."""
    steering.advance(UUID(closure_id), at=timezone.now())
