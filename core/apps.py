"""Start-up of the core: decimal traps, logging, and the rules of the staff."""

from django.apps import AppConfig
from django.conf import settings


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import logs, money  # noqa: PLC0415 - apps load before anything else
        from core.api import schema  # noqa: F401, PLC0415 - registers what it defines
        from core.auth import lockout, roles  # noqa: PLC0415

        money.install_decimal_traps()
        logs.configure(level=settings.LOG_LEVEL, json=settings.LOG_JSON)
        lockout.watch()
        roles.watch()
