"""Transfers, what was asked about them afterwards, and what came back."""

from datetime import date
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from core.clock import Now
from core.db.columns import MoneyColumn, finite, positive
from core.ids import new_id
from core.intents.models import Intent
from core.intents.news import ToldByVendor
from core.intents.states import IntentState
from core.models import CustomerOwned
from funding import states
from funding.models.banks import AchRelationship
from funding.models.base import FundingQuerySet
from funding.states import Direction, ReturnState

S = IntentState

# The broker knows no key of ours, so a lost transfer can only be told from a new one while there
# is one at a time. Here NEEDS_REVIEW does stand in the way.
UNDECIDED = Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.NEEDS_REVIEW])

_MOVING = Q(state=S.ACCEPTED) & ~Q(vendor_status__in=sorted(states.TRANSFER_ENDED))


class TransferQuerySet(FundingQuerySet["Transfer"]):
    def undecided(self) -> Self:
        """Keep what may still turn out to have moved money."""
        return self.filter(UNDECIDED)

    def moving(self) -> Self:
        """Keep the ones whose status the broker is about to change."""
        return self.filter(_MOVING)

    def unfinished(self) -> Self:
        """Keep what may be about to move money, whether or not the broker has it."""
        return self.filter(UNDECIDED | _MOVING)


class Transfer(ToldByVendor, CustomerOwned):
    """Money on its way into an account or out of it."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    relationship = models.ForeignKey(
        AchRelationship, on_delete=models.PROTECT, related_name="transfers"
    )
    broker_transfer_id = models.CharField(max_length=64, blank=True)
    direction = models.CharField(max_length=8, choices=Direction.choices)
    amount = MoneyColumn()
    fee = MoneyColumn(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    business_date = models.DateField(
        null=True, blank=True, help_text="The broker's working day on which it is handed in."
    )
    expected_on = models.DateField(
        null=True, blank=True, help_text="By when it should have arrived; an estimate."
    )
    evidence = models.JSONField(
        default=dict, blank=True, help_text="What the broker's list showed at the last look."
    )

    objects = TransferQuerySet.as_manager()

    class Meta(ToldByVendor.Meta):
        constraints = [
            *ToldByVendor.Meta.constraints,
            positive("amount", name="funding_transfer_amount_positive"),
            finite("fee", name="funding_transfer_fee_finite"),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="funding_transfer_direction"
            ),
            models.UniqueConstraint(
                fields=["account", "relationship", "direction"],
                condition=UNDECIDED,
                name="funding_one_undecided_transfer",
            ),
            models.UniqueConstraint(
                fields=["broker_transfer_id"],
                condition=~Q(broker_transfer_id=""),
                name="funding_broker_transfer_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=S.ACCEPTED) | ~Q(broker_transfer_id=""),
                name="funding_accepted_transfer_has_broker_id",
            ),
        ]
        indexes = [
            *ToldByVendor.Meta.indexes,
            models.Index(fields=["account", "-id"], name="funding_transfer_of_account"),
        ]

    def __str__(self) -> str:
        return self.broker_transfer_id or str(self.pk)

    # Factories

    @classmethod
    def ask(
        cls,
        *,
        pk: UUID,
        relationship: AchRelationship,
        direction: str,
        amount: Decimal,
        business_date: date | None = None,
        expected_on: date | None = None,
    ) -> "Transfer":
        """Write down money that is to move."""
        return cls.objects.create(
            id=pk,
            user_id=relationship.user_id,
            account_id=relationship.account_id,
            relationship=relationship,
            direction=direction,
            amount=amount,
            business_date=business_date,
            expected_on=expected_on,
        )

    # Mutators

    def note_reason(self, reason: str) -> None:
        """Keep the broker's words on why a transfer went wrong."""
        if reason and reason != self.reason:
            self.reason = reason[:300]
            self.save(update_fields=["reason"])

    # Queries

    @property
    def public_id(self) -> str:
        """The id that reference shapes show: the broker's once known, else ours."""
        return self.broker_transfer_id or str(self.pk)

    @property
    def has_ended(self) -> bool:
        """Say whether the broker is through with it, as far as anybody knows today."""
        return self.is_accepted and self.vendor_status in states.TRANSFER_ENDED

    @property
    def is_cancelable(self) -> bool:
        """Say whether it has certainly not left yet, so that it may still be stopped."""
        if self.is_accepted:
            return self.vendor_status in states.TRANSFER_CANCELABLE
        return self.state in {S.PENDING, S.HELD}


# A transfer has one of these at a time; only after it has failed there may be another.
_STANDING = Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.ACCEPTED])


class CancellationQuerySet(FundingQuerySet["Cancellation"]):
    def standing(self) -> Self:
        """Keep what has not failed."""
        return self.filter(_STANDING)


class Cancellation(Intent, CustomerOwned):
    """That a transfer is to be stopped before it leaves; asking twice stops it once."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="cancellations")
    canceled_at = models.DateTimeField(
        null=True, blank=True, help_text="When that was, in the broker's words."
    )

    objects = CancellationQuerySet.as_manager()

    class Meta(Intent.Meta):
        constraints = [
            *Intent.Meta.constraints,
            models.UniqueConstraint(
                fields=["transfer"], condition=_STANDING, name="funding_one_cancellation"
            ),
        ]

    def __str__(self) -> str:
        return f"cancellation of {self.transfer_id}"


class TransferLimit(CustomerOwned):
    """What staff lets one account move, in place of the limits for everybody."""

    account: "models.OneToOneField[Any, Any]" = models.OneToOneField(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+", primary_key=True
    )
    largest = MoneyColumn(null=True, blank=True)
    daily_amount = MoneyColumn(null=True, blank=True)
    daily_count = models.PositiveSmallIntegerField(null=True, blank=True)
    note = models.CharField(max_length=300)
    set_by = models.CharField(max_length=300)
    set_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            positive("largest", name="funding_limit_largest"),
            positive("daily_amount", name="funding_limit_daily_amount"),
        ]

    def __str__(self) -> str:
        return f"limits of {self.account_id}"


class TransferReturn(CustomerOwned):
    """
    That a bank has sent a transfer back: why, and what it led to; work for an operator.

    `code` is the reason in the words of the ACH network, such as R01, or empty when unknown.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    transfer = models.OneToOneField(Transfer, on_delete=models.PROTECT, related_name="returned")
    code = models.CharField(max_length=8, blank=True)
    words = models.CharField(max_length=300, blank=True)
    was_complete = models.BooleanField(help_text="The money had arrived before it went back.")
    has_restricted = models.BooleanField(default=False, help_text="It stopped the account.")
    state = models.CharField(max_length=8, choices=ReturnState.choices, default=ReturnState.OPEN)
    note = models.CharField(max_length=300, blank=True)
    resolved_by = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When the customer was told why; once."
    )
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("resolve_transferreturn", "May close the case of a returned transfer")]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state=ReturnState.OPEN),
                name="funding_return_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code or 'return'} of {self.transfer_id}"
