"""Linked banks: by their numbers or through Plaid, one at a time for each account."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from core import crypto
from core.intents.models import Intent
from core.intents.news import ToldByVendor
from core.intents.states import UNDECIDED, IntentState
from core.models import CustomerOwned
from funding import states
from funding.models.base import FundingQuerySet
from funding.states import BankAccountType, LinkedBy

S = IntentState

# The broker has at most one such bank per account; NEEDS_REVIEW does not stand in the way of a
# new try, because the broker itself refuses a second bank.
ACTIVE_BANK = Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.ACCEPTED]) & ~Q(
    vendor_status__in=sorted(states.RELATIONSHIP_GONE)
)


@dataclass(frozen=True)
class Bank:
    """What we keep of a bank, and whose it is; of its number only a fingerprint and four digits."""

    user_id: str
    account_id: UUID
    account_type: str
    nickname: str
    number: str = field(repr=False)
    routing_number: str = field(repr=False)


@dataclass(frozen=True)
class Chosen:
    """Which of the accounts behind a sign-in is meant; its number is never known."""

    plaid_account_id: str
    account_type: str
    mask: str


class AchRelationshipQuerySet(FundingQuerySet["AchRelationship"]):
    def active(self) -> Self:
        """Keep what the broker has, or may have, as the bank of its account."""
        return self.filter(ACTIVE_BANK)

    def shown(self) -> Self:
        """Leave out what never came to be."""
        return self.exclude(state__in=[S.REJECTED, S.CANCELED])

    def at_broker(self) -> Self:
        """Keep what the broker should have in its list."""
        gone = sorted(states.RELATIONSHIP_GONE)
        return self.filter(state=S.ACCEPTED).exclude(vendor_status__in=gone)

    def seen_elsewhere(self, bank: "AchRelationship") -> Self:
        """Keep the banks of other customers that have the same number."""
        same = self.shown().filter(number_index=bank.number_index).exclude(number_index="")
        return same.exclude(user_id=bank.user_id)


class AchRelationship(ToldByVendor, CustomerOwned):
    """A bank from which an account is paid. Its number rides sealed until it is sent."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    broker_relationship_id = models.CharField(max_length=64, blank=True)
    account_type = models.CharField(max_length=10, choices=BankAccountType.choices)
    linked_by = models.CharField(max_length=7, choices=LinkedBy.choices, default=LinkedBy.NUMBERS)
    item = models.ForeignKey(
        "funding.PlaidItem",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="relationships",
    )
    plaid_account_id = models.CharField(max_length=64, blank=True)
    number_last4 = models.CharField("number ends in", max_length=4)
    number_index = models.CharField(
        max_length=64,
        editable=False,
        blank=True,
        db_index=True,
        help_text="Empty for a bank linked through Plaid, whose number we never learn.",
    )
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

    @classmethod
    def sign_in(
        cls, item: Any, chosen: "Chosen", *, pk: UUID, secret: bytes, at: datetime
    ) -> "AchRelationship":
        """Write a bank down that was signed in to; `secret` is the broker's way to it."""
        relationship = cls(
            id=pk,
            user_id=item.user_id,
            account_id=item.account_id,
            linked_by=LinkedBy.PLAID,
            item=item,
            plaid_account_id=chosen.plaid_account_id,
            account_type=chosen.account_type,
            number_last4=chosen.mask,
            bank_name=item.institution_name,
        )
        relationship.seal_payload(secret, at=at)
        relationship.save(force_insert=True)
        return relationship

    # Mutators

    def note_reason(self, reason: str) -> None:
        """Keep why the bank stands as it does."""
        if reason:
            self.reason = reason[:300]
            self.save(update_fields=["reason"])

    def note_missing(self, code: str) -> None:
        """Keep, or take back, that a look at the broker's list did not show the bank."""
        if code != self.reason_code:
            self.reason_code = code
            self.save(update_fields=["reason_code"])

    # Queries

    @property
    def is_usable(self) -> bool:
        """Say whether money may move through it."""
        is_approved = self.is_accepted and self.vendor_status == states.APPROVED
        return is_approved and not self.is_being_removed

    @property
    def is_gone(self) -> bool:
        """Say whether the broker had it and has it no more, which is for good."""
        return self.is_accepted and self.vendor_status in states.RELATIONSHIP_GONE

    @property
    def is_being_removed(self) -> bool:
        """Say whether its removal is asked for and not decided."""
        return any(removal.state in UNDECIDED for removal in self.removals.all())

    @property
    def shown_status(self) -> str:
        """The status for its owner, to whom a removal under way is more than its approval."""
        is_going = self.is_accepted and not self.is_gone and self.is_being_removed
        return states.CANCEL_REQUESTED if is_going else self.public_status

    @property
    def public_id(self) -> str:
        """The id that reference shapes show: the broker's once known, else ours."""
        return self.broker_relationship_id or str(self.pk)


# Only a removal that was refused, or never sent, makes room for another.
_STANDS = Q(state__in=[S.PENDING, S.HELD, S.SENDING, S.UNKNOWN, S.ACCEPTED])


class BankRemovalQuerySet(FundingQuerySet["BankRemoval"]):
    def standing(self) -> Self:
        """Keep what was carried out, or still may be."""
        return self.filter(_STANDS)


class BankRemoval(Intent, CustomerOwned):
    """That a linked bank is to be removed at the broker; asking twice removes it once."""

    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    relationship = models.ForeignKey(
        AchRelationship, on_delete=models.PROTECT, related_name="removals"
    )

    objects = BankRemovalQuerySet.as_manager()

    class Meta(Intent.Meta):
        constraints = [
            *Intent.Meta.constraints,
            models.UniqueConstraint(
                fields=["relationship"], condition=_STANDS, name="funding_one_removal"
            ),
        ]

    def __str__(self) -> str:
        return f"removal of {self.relationship_id}"

    # Factories

    @classmethod
    def ask(cls, bank: AchRelationship) -> "BankRemoval":
        """Write down that a bank is to go."""
        return cls.objects.create(
            user_id=bank.user_id, account_id=bank.account_id, relationship=bank
        )


def number_index(routing_number: str, number: str) -> str:
    """Fingerprint a bank account, to notice it again."""
    return crypto.blind_index(f"{routing_number}:{number}", purpose="bank_account")
