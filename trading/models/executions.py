"""What was bought and sold with an order, and everything the broker has said about it."""

from decimal import Decimal
from typing import ClassVar

from django.db import models

from core.clock import Now
from core.db.columns import PriceColumn, QuantityColumn, positive
from core.ids import new_id
from core.models import CustomerOwned
from trading.models.orders import ACCOUNT, Order
from trading.states import LotMethod, Side

LONGEST_WORD = 64
ZERO = Decimal(0)


class Execution(CustomerOwned):
    """One fill of an order, as the broker reported it; never changed, at most taken back."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="executions")
    account = models.ForeignKey(ACCOUNT, on_delete=models.PROTECT, related_name="+")
    execution_id = models.CharField(max_length=128, unique=True)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = QuantityColumn()
    price = PriceColumn()
    at = models.DateTimeField()
    lot_id = models.UUIDField(
        null=True, editable=False, help_text="The lot that it opens, if it is a purchase."
    )
    lot_method = models.CharField(
        max_length=8,
        choices=LotMethod.choices,
        default=LotMethod.FIFO,
        help_text="Which lots it takes, if it is a sale.",
    )
    corrects = models.CharField(
        max_length=128, blank=True, help_text="The fill in whose place it stands."
    )
    is_busted = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            positive("quantity", name="trading_execution_quantity"),
            positive("price", name="trading_execution_price"),
        ]
        indexes = [models.Index(fields=["account", "-at"], name="trading_execution_of_account")]

    def __str__(self) -> str:
        return self.execution_id


class VoidExecution(CustomerOwned):
    """A fill that the exchange has taken back, whether or not we have heard of it before."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="+")
    execution_id = models.CharField(max_length=128, unique=True)
    event_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.execution_id


class OrderReport(CustomerOwned):
    """
    What the broker has said about an order, word for word; only ever added.

    It said so in the answer to our own call, in an event of its stream, or when it was read.
    """

    class Origin(models.TextChoices):
        ANSWER = "ANSWER"
        EVENT = "EVENT"
        READING = "READING"

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reports")
    origin = models.CharField(max_length=7, choices=Origin.choices)
    kind = models.CharField(max_length=64, blank=True, help_text="Of an event, the broker's word.")
    event_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=64, blank=True)
    filled_quantity = QuantityColumn(default=ZERO)
    average_price = PriceColumn(null=True, blank=True)
    body = models.JSONField(default=dict)
    said_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "event_id"],
                condition=~models.Q(event_id=""),
                name="trading_report_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.kind or self.status}"
