"""Joins apps that are strangers to each other: what one publishes, another hears here."""

from django.apps import AppConfig

from clera.celery import app as celery_app


class CleraConfig(AppConfig):
    """Loads with Django, so that every process queues its tasks through our Celery."""

    name = "clera"
    celery = celery_app

    def ready(self) -> None:
        from core.events import subscribe  # noqa: PLC0415 - models load before this
        from funding.events import TransferSettled  # noqa: PLC0415
        from trading import services as trading  # noqa: PLC0415

        def read_cash_again(event: TransferSettled) -> None:
            trading.request_sync(account_id=event.account_id)

        subscribe(TransferSettled, read_cash_again)
