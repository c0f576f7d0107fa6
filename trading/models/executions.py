"""What was bought and sold with an order, and everything the broker has said about it."""

from typing import ClassVar

from django.db import models

from core.clock import Now
from core.db.columns import PriceColumn, QuantityColumn, positive
from core.ids import new_id
from core.models import CustomerOwned
from trading.models.orders import ACCOUNT, Order
from trading.states import Side


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
