"""Start-up of closure."""

from django.apps import AppConfig


class ClosureConfig(AppConfig):
    name = "closure"

    def ready(self) -> None:
        """Hear of what a closure may be waiting for; the sweep would find it a little later."""
        # Models must be loaded before any of these.
        from django.utils import timezone  # noqa: PLC0415

        from accounts.events import AccountStatusChanged  # noqa: PLC0415
        from closure.services import steering  # noqa: PLC0415
        from core.events import subscribe  # noqa: PLC0415
        from funding.events import TransferSettled  # noqa: PLC0415

        def look(event: AccountStatusChanged | TransferSettled) -> None:
            steering.wake(account_id=event.account_id, at=timezone.now())

        subscribe(AccountStatusChanged, look)
        subscribe(TransferSettled, look)
