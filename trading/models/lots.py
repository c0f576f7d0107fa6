"""Lots, what was sold of them, and what moves shares without a trade."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q

from core.clock import Now
from core.db.columns import BEYOND, MoneyColumn, QuantityColumn, finite
from core.ids import new_id
from core.models import CustomerOwned
from trading.lots.cents import per_share
from trading.models.orders import ACCOUNT, Order
from trading.states import BasisSource, LotMethod, MovementKind, Term

ZERO = Decimal(0)


class LotBook(CustomerOwned):
    """
    How far the lots of one symbol have come, so that what happens next is only added.

    What comes before `last_at` has them made anew. `washes_until` is the last day on which a
    purchase may wash a loss that was made.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    symbol = models.CharField(max_length=32)
    quantity = QuantityColumn(default=ZERO)
    last_at = models.DateTimeField(null=True, blank=True)
    last_rank = models.SmallIntegerField(default=0)
    last_name = models.CharField(max_length=160, blank=True)
    washes_until = models.DateField(null=True, blank=True)
    is_short = models.BooleanField(default=False)
    differs = models.BooleanField(default=False, help_text="From what the account is shown.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "symbol"], name="trading_lotbook_once"),
            finite("quantity", name="trading_lotbook_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.quantity}"


class Lot(CustomerOwned):
    """
    Shares that were acquired together, made by the fold and never by hand.

    `cost` is in dollars and of all the shares, `cost_left` of those that remain; both are unknown
    where nobody says it. `root_id` names the lot that it was split off from.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    order: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    symbol = models.CharField(max_length=32)
    root_id = models.UUIDField()
    acquired_at = models.DateTimeField(null=True, blank=True)
    held_since = models.DateField(
        null=True, blank=True, help_text="With the days of shares that it has replaced."
    )
    quantity = QuantityColumn()
    remaining = QuantityColumn()
    cost = MoneyColumn(null=True, blank=True)
    cost_left = MoneyColumn(null=True, blank=True)
    wash_added = MoneyColumn(default=ZERO, help_text="Losses of wash sales within the cost.")
    basis_source = models.CharField(max_length=8, choices=BasisSource.choices)
    may_replace = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [
            finite("quantity", name="trading_lot_quantity"),
            finite("remaining", name="trading_lot_remaining"),
            models.CheckConstraint(
                condition=Q(quantity__gte=0, remaining__gte=0, remaining__lte=models.F("quantity"))
                | Q(quantity__lt=0, remaining__lte=0, remaining__gte=models.F("quantity")),
                name="trading_lot_within",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "symbol", "acquired_at"], name="trading_lot_of_account"
            ),
            models.Index(
                fields=["account", "symbol"], condition=~Q(remaining=0), name="trading_lot_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.remaining} of {self.quantity}"

    # Queries

    @property
    def cost_per_share(self) -> Decimal | None:
        """Divide what the shares that are left, or that there were, have cost by their number."""
        if self.remaining:
            return None if self.cost_left is None else per_share(self.cost_left, self.remaining)
        return (
            per_share(self.cost, self.quantity) if self.cost is not None and self.quantity else None
        )


class LotClosing(CustomerOwned):
    """
    Shares of one lot that were sold with one fill, and what was gained or lost with them.

    `fill_id` is our id of the execution. `disallowed` is the part of a loss that the tax law does
    not count, since the shares were bought again; it is in the cost of those that replace them.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    lot: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        Lot, on_delete=models.PROTECT, related_name="closings"
    )
    fill_id = models.UUIDField()
    order_id = models.UUIDField()
    opened_by = models.UUIDField(null=True, blank=True, editable=False)
    root_id = models.UUIDField(editable=False)
    symbol = models.CharField(max_length=32)
    wash_symbol = models.CharField(max_length=32, editable=False)
    quantity = QuantityColumn()
    proceeds = MoneyColumn(null=True, blank=True)
    basis = MoneyColumn(null=True, blank=True)
    gain = MoneyColumn(null=True, blank=True)
    disallowed = MoneyColumn(default=ZERO)
    unmatched = QuantityColumn(default=ZERO, editable=False)
    term = models.CharField(max_length=7, choices=Term.choices)
    acquired_at = models.DateTimeField(null=True, blank=True)
    held_since = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField()
    closed_on = models.DateField(help_text="The trade day in New York.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0, quantity__lt=BEYOND), name="trading_closing_quantity"
            ),
            models.CheckConstraint(
                condition=Q(disallowed=0) | Q(disallowed__gt=0, disallowed__lte=-models.F("gain")),
                name="trading_closing_disallowed",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-closed_on", "id"], name="trading_closing_of_account"),
            models.Index(
                fields=["account", "wash_symbol", "closed_on"],
                condition=Q(unmatched__gt=0),
                name="trading_closing_washable",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.quantity}"


class ShareMovement(CustomerOwned):
    """
    Shares that came, went or were exchanged without a trade, as the broker's books or we say.

    Lines of one corporate action have the same `group`. A line that the broker takes back stays,
    and is void.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    external_id = models.CharField(max_length=128, unique=True)
    kind = models.CharField(max_length=16, choices=MovementKind.choices)
    broker_kind = models.CharField(max_length=32, blank=True)
    symbol = models.CharField(max_length=32)
    quantity = QuantityColumn()
    cost = MoneyColumn(
        null=True,
        blank=True,
        help_text="What they have cost; of a fraction that was paid out, what that has brought.",
    )
    basis_source = models.CharField(max_length=8, choices=BasisSource.choices)
    group = models.CharField(max_length=128, blank=True)
    at = models.DateTimeField()
    is_void = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            finite("quantity", name="trading_movement_quantity"),
            models.CheckConstraint(condition=~Q(quantity=0), name="trading_movement_something"),
        ]
        indexes = [models.Index(fields=["account", "symbol"], name="trading_movement_of_account")]

    def __str__(self) -> str:
        return f"{self.kind} {self.symbol} {self.quantity}"


class LotPreference(CustomerOwned):
    """Which lots an account's sales take from now on; what was sold keeps its method."""

    account: "models.OneToOneField[Any, Any]" = models.OneToOneField(
        ACCOUNT, on_delete=models.PROTECT, related_name="+", primary_key=True
    )
    method = models.CharField(max_length=8, choices=LotMethod.choices, default=LotMethod.FIFO)
    set_by = models.CharField(max_length=600)
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(method__in=[LotMethod.FIFO, LotMethod.HIFO]),
                name="trading_lot_method",
            )
        ]

    def __str__(self) -> str:
        return str(self.method)
