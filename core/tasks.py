"""Heartbeats: each queue's worker writes that it works, so that readiness can tell."""

from celery import shared_task
from django.utils import timezone

from core import health
from core.audit import chain


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


@shared_task(name="core.extend_audit")
def extend_audit() -> None:
    """Link the audit entries that wait."""
    chain.extend()


@shared_task(name="core.anchor_audit")
def anchor_audit() -> None:
    """Write the end of the audit chain into the log."""
    chain.anchor()
