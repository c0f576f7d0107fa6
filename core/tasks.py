"""Heartbeats: each queue's worker writes that it works, so that readiness can tell."""

from celery import shared_task
from django.utils import timezone

from core import health


@shared_task(name="core.beat_heartbeat")
def beat_heartbeat() -> None:
    """Write the heartbeat of the default queue."""
    health.beat_heartbeat(queue="default", at=timezone.now())


@shared_task(name="core.beat_heartbeat_money")
def beat_heartbeat_money() -> None:
    """Write the heartbeat of the queue that moves money."""
    health.beat_heartbeat(queue="money", at=timezone.now())


@shared_task(name="core.beat_heartbeat_agents")
def beat_heartbeat_agents() -> None:
    """Write the heartbeat of the agents' queue."""
    health.beat_heartbeat(queue="agents", at=timezone.now())
