"""What an account's owner is told as it happens, in a sequence without gaps."""

from typing import Any

from django.db import models

from core.clock import Now
from core.models import CustomerOwned


class AccountFeed(CustomerOwned):
    """How far the sequence of one account has come; its row is locked by whoever adds to it."""

    account: "models.OneToOneField[Any, Any]" = models.OneToOneField(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    last_seq = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.account_id} @ {self.last_seq}"


class AccountEvent(CustomerOwned):
    """One message to the owner of an account; ids, states and words, nothing personal."""

    id = models.BigAutoField(primary_key=True)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="accounts_event_seq_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.seq}"
