"""How customers like things shown."""

from datetime import datetime

from accounts.models import Preferences
from accounts.selectors import demand_customer
from accounts.states import BuyingPowerDisplay
from core.auth import Principal, acting_as


def set_buying_power(
    *, principal: Principal, display: BuyingPowerDisplay, at: datetime
) -> Preferences:
    """
    Choose which figure is shown as buying power.

    :raises NotFound: the principal names no customer.
    """
    user_id = demand_customer(principal)
    with acting_as(principal):
        chosen, _ = Preferences.objects.update_or_create(
            user_id=user_id, defaults={"buying_power": display, "updated_at": at}
        )
    return chosen
