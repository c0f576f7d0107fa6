"""Linked banks and transfers: what we asked the broker for, and what it makes of it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from core import crypto
from core.db.columns import MoneyColumn, finite, positive
from core.intents.models import IntentQuerySet
from core.intents.news import ToldByVendor
from core.intents.states import IntentState
from core.models import CustomerOwned
from funding import states
from funding.states import BankAccountType, Direction

S = IntentState
_Row = TypeVar("_Row", "AchRelationship", "Transfer")

# The broker has at most one such bank per account; NEEDS_REVIEW does not stand in the way of a
# new try, because the broker itself refuses a second bank.
ACTIVE_BANK = Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.ACCEPTED]) & ~Q(
    vendor_status__in=sorted(states.RELATIONSHIP_GONE)
)
# The broker knows no key of ours, so a lost transfer can only be told from a new one while there
# is one at a time. Here NEEDS_REVIEW does stand in the way.
UNDECIDED = Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.NEEDS_REVIEW])


@dataclass(frozen=True)
class Bank:
    """What we keep of a bank, and whose it is; of its number only a fingerprint and four digits."""

    user_id: str
    account_id: UUID
    account_type: str
    nickname: str
    number: str = field(repr=False)
    routing_number: str = field(repr=False)


class FundingQuerySet(IntentQuerySet[_Row], Generic[_Row]):
    def named(self, given: str | UUID, *, broker_column: str) -> Self:
        """Find by our id or by the broker's."""
        try:
            wanted = UUID(str(given))
        except ValueError:
            return self.none()
        return self.filter(Q(pk=wanted) | Q(**{broker_column: str(wanted)}))


class AchRelationshipQuerySet(FundingQuerySet["AchRelationship"]):
    def active(self) -> Self:
        """Keep what the broker has, or may have, as the bank of its account."""
        return self.filter(ACTIVE_BANK)

    def shown(self) -> Self:
        """Leave out what never came to be."""
        return self.exclude(state__in=[S.REJECTED, S.CANCELED])

    def moving(self) -> Self:
        """Keep the ones whose status the broker is about to change."""
        resting = sorted(states.RELATIONSHIP_GONE | {states.APPROVED})
        return self.filter(state=S.ACCEPTED).exclude(vendor_status__in=resting)


class AchRelationship(ToldByVendor, CustomerOwned):
    """A bank from which an account is paid. Its number rides sealed until it is sent."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    broker_relationship_id = models.CharField(max_length=64, blank=True)
    account_type = models.CharField(max_length=10, choices=BankAccountType.choices)
    number_last4 = models.CharField("number ends in", max_length=4)
    number_index = models.CharField(max_length=64, editable=False, db_index=True)
    bank_name = models.CharField(max_length=100, blank=True)
    nickname = models.CharField(max_length=100, blank=True)

    objects = AchRelationshipQuerySet.as_manager()

    class Meta(ToldByVendor.Meta):
        verbose_name = "ACH relationship"
        constraints = [
            *ToldByVendor.Meta.constraints,
            models.UniqueConstraint(
                fields=["account"], condition=ACTIVE_BANK, name="funding_one_active_bank"
            ),
            models.UniqueConstraint(
                fields=["broker_relationship_id"],
                condition=~Q(broker_relationship_id=""),
                name="funding_broker_relationship_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=S.ACCEPTED) | ~Q(broker_relationship_id=""),
                name="funding_accepted_bank_has_broker_id",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_type.lower()} …{self.number_last4}"

    # Factories

    @classmethod
    def link(cls, bank: Bank, *, pk: UUID, secret: bytes, at: datetime) -> "AchRelationship":
        """Write a bank down; `secret` is its number and all else the broker must get."""
        relationship = cls(
            id=pk,
            user_id=bank.user_id,
            account_id=bank.account_id,
            account_type=bank.account_type,
            number_last4=bank.number[-4:],
            number_index=number_index(bank.routing_number, bank.number),
            nickname=bank.nickname,
        )
        relationship.seal_payload(secret, at=at)
        relationship.save(force_insert=True)
        return relationship

    # Queries

    @property
    def is_usable(self) -> bool:
        """Say whether money may move through it."""
        return self.is_accepted and self.vendor_status == states.APPROVED

    @property
    def public_id(self) -> str:
        """The id that reference shapes show: the broker's once known, else ours."""
        return self.broker_relationship_id or str(self.pk)


class TransferQuerySet(FundingQuerySet["Transfer"]):
    def undecided(self) -> Self:
        """Keep what may still turn out to have moved money."""
        return self.filter(UNDECIDED)

    def moving(self) -> Self:
        """Keep the ones whose status the broker is about to change."""
        return self.filter(state=S.ACCEPTED).exclude(
            vendor_status__in=sorted(states.TRANSFER_ENDED)
        )


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
        cls, *, pk: UUID, relationship: AchRelationship, direction: str, amount: Decimal
    ) -> "Transfer":
        """Write down money that is to move."""
        return cls.objects.create(
            id=pk,
            user_id=relationship.user_id,
            account_id=relationship.account_id,
            relationship=relationship,
            direction=direction,
            amount=amount,
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


def number_index(routing_number: str, number: str) -> str:
    """Fingerprint a bank account, to notice it again."""
    return crypto.blind_index(f"{routing_number}:{number}", purpose="bank_account")
