"""Start-up of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import services  # noqa: PLC0415 - models load before this
        from accounts.events import AccountStatusChanged  # noqa: PLC0415
        from core.events import subscribe  # noqa: PLC0415

        def mirror(event: AccountStatusChanged) -> None:
            services.request_mirror(account_id=event.account_id)

        subscribe(AccountStatusChanged, mirror)
