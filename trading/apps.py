"""Start-up of trading."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        """Hear of what changes holdings: an account that opens, and shares that move."""
        # Models must be loaded before any of these.
        from accounts import states  # noqa: PLC0415
        from accounts.events import AccountStatusChanged  # noqa: PLC0415
        from core.events import subscribe  # noqa: PLC0415
        from ledger.events import SharesMoved  # noqa: PLC0415
        from trading import services  # noqa: PLC0415

        def read_holdings(event: AccountStatusChanged) -> None:
            if event.status == states.ACTIVE:
                services.request_sync(account_id=event.account_id)

        def look_for_movements(event: SharesMoved) -> None:
            services.request_sync(account_id=event.account_id)

        subscribe(AccountStatusChanged, read_holdings)
        subscribe(SharesMoved, look_for_movements)
