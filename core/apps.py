"""Start-up of the core: decimal traps and logging."""

from django.apps import AppConfig
from django.conf import settings


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import logs, money  # noqa: PLC0415 - apps load before anything else
        from core.api import schema  # noqa: F401, PLC0415 - registers what it defines

        money.install_decimal_traps()
        logs.configure(level=settings.LOG_LEVEL, json=settings.LOG_JSON)
