"""Background work of the market app."""

from celery import shared_task
from django.utils import timezone

from market import services


@shared_task(name="market.refresh_instruments", max_retries=0)
def refresh_instruments() -> None:
    """Take over the broker's list of active assets."""
    services.refresh_instruments(at=timezone.now())


@shared_task(name="market.refresh_calendar", max_retries=0)
def refresh_calendar() -> None:
    """Take over the broker's calendar, once a day or as soon as it is short."""
    services.refresh_calendar(at=timezone.now())


@shared_task(name="market.follow_prices", acks_late=False, max_retries=0, ignore_result=True)
def follow_prices() -> None:
    """Follow and publish prices for as long as this process leads."""
    services.follow_prices()
