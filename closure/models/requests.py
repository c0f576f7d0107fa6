"""The request to the broker to close an account."""

from typing import Any
from uuid import UUID

from django.db import models

from closure.models.closures import Closure
from core.intents.models import Intent, IntentQuerySet
from core.models import CustomerOwned


class ClosingRequestQuerySet(IntentQuerySet["ClosingRequest"]):
    """What a request to close is asked for."""


class ClosingRequest(Intent, CustomerOwned):
    """That the broker is to close an account; asking twice closes it once."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    closure = models.ForeignKey(Closure, on_delete=models.PROTECT, related_name="requests")
    number = models.PositiveSmallIntegerField(default=0)

    objects = ClosingRequestQuerySet.as_manager()

    class Meta(Intent.Meta):
        constraints = [
            *Intent.Meta.constraints,
            models.UniqueConstraint(fields=["closure", "number"], name="closure_request_once"),
        ]

    def __str__(self) -> str:
        return f"closing of {self.account_id}"

    # Factories

    @classmethod
    def ask(cls, closure: Closure, *, pk: UUID, number: int) -> "ClosingRequest":
        """Write the request down, or return what was written down before."""
        request, _ = cls.objects.get_or_create(
            id=pk,
            defaults={
                "user_id": closure.user_id,
                "account_id": closure.account_id,
                "closure": closure,
                "number": number,
            },
        )
        return request
