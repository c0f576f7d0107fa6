"""What the staff lets be traded: limits, symbols nobody may trade, and the kill switch."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from core.clock import Now
from core.db.columns import MoneyColumn, QuantityColumn, positive
from core.ids import new_id
from trading.models.orders import ACCOUNT
from trading.states import Side, SwitchScope


class RiskLimit(models.Model):
    """
    Limits that the staff has set: one row for everybody, and one for each account that differs.

    What is left out follows from the row for everybody, and what that leaves out from the
    settings. `collar` and `concentration` are shares of one: 0.1 means 10 %.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.OneToOneField[Any, Any]" = models.OneToOneField(
        ACCOUNT, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    user_id = models.CharField(max_length=255, blank=True, editable=False)
    max_notional = MoneyColumn(null=True, blank=True)
    max_quantity = QuantityColumn(null=True, blank=True)
    daily_notional = MoneyColumn(null=True, blank=True)
    daily_orders = models.PositiveIntegerField(null=True, blank=True)
    open_orders = models.PositiveIntegerField(null=True, blank=True)
    collar = models.DecimalField(max_digits=6, decimal_places=4, null=True, blank=True)
    concentration = models.DecimalField(max_digits=6, decimal_places=4, null=True, blank=True)
    step_up_notional = MoneyColumn(
        null=True, blank=True, help_text="Approving more than this takes a second factor."
    )
    note = models.CharField(max_length=300)
    set_by = models.CharField(max_length=300)
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(account__isnull=True), name="trading_one_global_limit"
            ),
            positive("max_notional", name="trading_limit_max_notional"),
            positive("max_quantity", name="trading_limit_max_quantity"),
            positive("daily_notional", name="trading_limit_daily_notional"),
            positive("step_up_notional", name="trading_limit_step_up"),
            models.CheckConstraint(
                condition=Q(collar__isnull=True) | Q(collar__gt=0, collar__lte=1),
                name="trading_limit_collar",
            ),
            models.CheckConstraint(
                condition=Q(concentration__isnull=True)
                | Q(concentration__gt=0, concentration__lte=1),
                name="trading_limit_concentration",
            ),
        ]

    def __str__(self) -> str:
        return f"limits of {self.account_id or 'everybody'}"


class RestrictedSymbol(models.Model):
    """A symbol that may not be bought, sold, or either; lifted rows stay as the history."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    symbol = models.CharField(max_length=32)
    side = models.CharField(
        max_length=4, choices=Side.choices, blank=True, help_text="Empty: both sides."
    )
    reason = models.CharField(max_length=300)
    set_by = models.CharField(max_length=300)
    set_at = models.DateTimeField(db_default=Now())
    lifted_by = models.CharField(max_length=300, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    user_id = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["symbol", "side"],
                condition=Q(lifted_at__isnull=True),
                name="trading_restricted_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.side or 'both sides'}"


class KillSwitchQuerySet(models.QuerySet["KillSwitch"]):
    def on(self) -> Self:
        """Keep the switches that stop orders now."""
        return self.filter(lifted_at__isnull=True)

    def over(self, *, account_id: Any, user_id: str, placed_by: str = "") -> Self:
        """Keep the switches that stop this account's orders, or this credential's, now."""
        stopped = Q(scope=SwitchScope.GLOBAL)
        stopped |= Q(scope=SwitchScope.ACCOUNT, target=str(account_id))
        stopped |= Q(scope=SwitchScope.PRINCIPAL, target__in={user_id, placed_by} - {""})
        return self.on().filter(stopped)


class KillSwitch(models.Model):
    """
    An order to stop orders: of everybody, of one account, or of one customer or key.

    It is read in the transaction that takes the right to send. `target` is the account's id, the
    customer's id, or the name of a credential; lifted rows stay as the history.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    scope = models.CharField(max_length=9, choices=SwitchScope.choices)
    target = models.CharField(max_length=600, blank=True)
    user_id = models.CharField(max_length=255, blank=True, editable=False)
    reason = models.CharField(max_length=300)
    cancels_open = models.BooleanField(
        default=False, help_text="Orders that the broker already has were to be canceled, too."
    )
    ordered_by = models.CharField(max_length=300)
    ordered_at = models.DateTimeField(db_default=Now())
    lift_reason = models.CharField(max_length=300, blank=True)
    lifted_by = models.CharField(max_length=300, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[KillSwitchQuerySet] = KillSwitchQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        permissions = [
            ("order_killswitch", "May stop orders"),
            ("lift_killswitch", "May let orders pass again"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "target"],
                condition=Q(lifted_at__isnull=True),
                name="trading_switch_once",
            ),
            models.CheckConstraint(
                condition=Q(scope=SwitchScope.GLOBAL, target="")
                | (~Q(scope=SwitchScope.GLOBAL) & ~Q(target="")),
                name="trading_switch_target",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.target}".strip()
