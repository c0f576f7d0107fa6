"""Background work of the portfolio app."""

from celery import shared_task
from django.utils import timezone

from portfolio import services


# Beat asks again every minute; what takes longer must not be given to a second worker meanwhile.
@shared_task(name="portfolio.value_book", acks_late=False, max_retries=0)
def value_book() -> None:
    """Keep what every account is worth, once after each session."""
    services.value_book_if_possible(at=timezone.now())


@shared_task(name="portfolio.want_held_prices", max_retries=0)
def want_held_prices() -> None:
    """Have the prices of all that is held followed."""
    services.want_held_prices()
