"""How a customer likes things shown."""

from django.db import models

from accounts.states import BuyingPowerDisplay
from core.clock import Now
from core.ids import new_id
from core.models import CustomerOwned


class Preferences(CustomerOwned):
    """One customer's choices; a customer without a row has the defaults."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    buying_power = models.CharField(
        max_length=16,
        choices=BuyingPowerDisplay.choices,
        default=BuyingPowerDisplay.CASH_ONLY,
    )
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "preferences"
        constraints = [
            models.UniqueConstraint(fields=["user_id"], name="accounts_preferences_once"),
            models.CheckConstraint(
                condition=models.Q(buying_power__in=BuyingPowerDisplay.values),
                name="accounts_preferences_buying_power",
            ),
        ]

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"
