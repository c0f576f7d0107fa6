"""Every table of the core, and the base of every customer's row."""

from django.db import models

from core.audit.models import AuditEntry, AuditLink, AuditPending
from core.auth.api_key_model import ApiKey
from core.auth.staff_device import StaffDevice
from core.clock import Now
from core.idempotency import IdempotencyRow
from core.inbox import InboxEvent, StreamCursor
from core.intents.models import IntentStep


class CustomerOwned(models.Model):
    """A row that belongs to one customer; row-level security compares `user_id`."""

    user_id = models.CharField(
        max_length=255, db_index=True, editable=False, help_text="The identity provider's `sub`."
    )

    class Meta:
        abstract = True


class LeaseRow(models.Model):
    """Who leads what, until when; `core.leases` is its only user."""

    name = models.CharField(max_length=128, primary_key=True)
    holder = models.UUIDField()
    fence = models.BigIntegerField()
    until = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} #{self.fence}"


__all__ = [
    "ApiKey",
    "AuditEntry",
    "AuditLink",
    "AuditPending",
    "CustomerOwned",
    "IdempotencyRow",
    "InboxEvent",
    "IntentStep",
    "LeaseRow",
    "StaffDevice",
    "StreamCursor",
]
