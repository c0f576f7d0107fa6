"""Which limits hold for an account, and where each of them comes from."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from trading.models import RiskLimit
from trading.risk import Limits

# What a row may set, and the setting that holds where none does.
SETTINGS: Final = {
    "max_notional": "ORDER_MAX_NOTIONAL",
    "max_quantity": "ORDER_MAX_QUANTITY",
    "daily_notional": "ORDER_DAILY_NOTIONAL",
    "daily_orders": "ORDER_DAILY_COUNT",
    "open_orders": "ORDER_OPEN_COUNT",
    "collar": "ORDER_PRICE_COLLAR",
    "concentration": "ORDER_CONCENTRATION",
    "step_up_notional": "ORDER_STEP_UP_NOTIONAL",
}
FROM_SETTINGS, FROM_EVERYBODY, FROM_ACCOUNT = "settings", "everybody", "account"


def limits(account_id: UUID | None = None) -> Limits:
    """
    Return the limits that hold for an account, or for everybody.

    What is set for the account comes before what is set for everybody, and that before the
    settings, each limit by itself.
    """
    whose = Q(account__isnull=True) | Q(account_id=account_id)
    rows = RiskLimit.objects.filter(whose).values("account_id", *SETTINGS)
    return limits_among({row["account_id"]: row for row in rows}, account_id)


def limits_among(rows: Mapping[UUID | None, Mapping[str, Any]], account_id: UUID | None) -> Limits:
    """Choose among the rows that staff has set, by the account each is for; see `limits`."""
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        chosen[name], origins[name] = getattr(settings, setting), FROM_SETTINGS
        for owner, origin in ((None, FROM_EVERYBODY), (account_id, FROM_ACCOUNT)):
            value = rows.get(owner, {}).get(name)
            if value is not None and not (owner is None and origin == FROM_ACCOUNT):
                chosen[name], origins[name] = value, origin
    return Limits(quote_seconds=settings.ORDER_QUOTE_SECONDS, origins=origins, **chosen)
