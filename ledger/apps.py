"""Start-up of the ledger."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"

    def ready(self) -> None:
        """Hear of accounts that have just been opened: their books are opened then."""
        # Models must be loaded before any of these.
        from accounts import states  # noqa: PLC0415
        from accounts.events import AccountStatusChanged  # noqa: PLC0415
        from core.events import subscribe  # noqa: PLC0415
        from ledger import services  # noqa: PLC0415

        def open_book(event: AccountStatusChanged) -> None:
            if event.status == states.ACTIVE:
                services.request_comparison(account_id=event.account_id)

        subscribe(AccountStatusChanged, open_book)
