"""Brokerage accounts: an application on its way to the broker, and the account it becomes."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from accounts import states
from core import crypto
from core.intents.models import IntentQuerySet
from core.intents.news import ToldByVendor
from core.intents.states import IntentState
from core.models import CustomerOwned

# One customer, and one e-mail address, has at most one of these.
LIVE = ~Q(state__in=[IntentState.REJECTED, IntentState.CANCELED]) & ~Q(
    vendor_status__in=sorted(states.OVER)
)
ONE_PER_CUSTOMER = "accounts_one_live_account"
ONE_PER_EMAIL = "accounts_one_live_email"


@dataclass(frozen=True)
class Person:
    """What we keep of an applicant: the e-mail in its compared form, the tax id without dashes."""

    email: str = field(repr=False)
    tax_id: str = field(repr=False)
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)


class BrokerageAccountQuerySet(IntentQuerySet["BrokerageAccount"]):
    def live(self) -> Self:
        """Leave out what was refused or closed."""
        return self.filter(LIVE)

    def named(self, account_id: str | UUID) -> Self:
        """Find by our id or by the broker's."""
        text = str(account_id)
        try:
            return self.filter(Q(pk=UUID(text)) | Q(broker_account_id=text.lower()))
        except ValueError:
            return self.none()

    def moving(self) -> Self:
        """Keep the accounts whose status the broker is about to change."""
        return self.filter(state=IntentState.ACCEPTED).exclude(
            vendor_status__in=sorted(states.RESTING)
        )


class BrokerageAccount(ToldByVendor, CustomerOwned):
    """
    A customer's account at the broker.

    The application itself rides in `sealed_payload` until it is sent. What stays is what we need
    again: the address to find the account by, and the name that its bank must know.
    """

    broker_account_id = models.CharField(max_length=64, blank=True)
    account_number = models.CharField(max_length=32, blank=True)
    email_masked = models.CharField("e-mail", max_length=80)
    email_index = models.CharField(max_length=64, editable=False)
    tax_id_last4 = models.CharField("tax id ends in", max_length=4, blank=True)
    tax_id_index = models.CharField(max_length=64, editable=False, db_index=True)
    sealed_profile = models.BinaryField(editable=False)

    objects = BrokerageAccountQuerySet.as_manager()

    class Meta(ToldByVendor.Meta):
        constraints = [
            *ToldByVendor.Meta.constraints,
            models.UniqueConstraint(fields=["user_id"], condition=LIVE, name=ONE_PER_CUSTOMER),
            models.UniqueConstraint(fields=["email_index"], condition=LIVE, name=ONE_PER_EMAIL),
            models.UniqueConstraint(
                fields=["broker_account_id"],
                condition=~Q(broker_account_id=""),
                name="accounts_broker_account_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=IntentState.ACCEPTED) | ~Q(broker_account_id=""),
                name="accounts_accepted_has_broker_id",
            ),
        ]
        indexes = [
            *ToldByVendor.Meta.indexes,
            models.Index(
                fields=["due_at"],
                condition=Q(state=IntentState.ACCEPTED)
                & ~Q(vendor_status__in=sorted(states.RESTING)),
                name="accounts_moving",
            ),
        ]

    def __str__(self) -> str:
        return self.account_number or str(self.pk)

    # Factories

    @classmethod
    def apply(
        cls, person: Person, *, secret: bytes, pk: UUID, user_id: str, at: datetime
    ) -> "BrokerageAccount":
        """Write an application down; `secret` is all of it, for the broker's eyes only."""
        account = cls(
            id=pk,
            user_id=user_id,
            email_masked=masked(person.email),
            email_index=email_index(person.email),
            tax_id_last4=person.tax_id[-4:],
            tax_id_index=crypto.blind_index(person.tax_id, purpose="tax_id"),
        )
        profile = json.dumps(
            {
                "email": person.email,
                "given_name": person.given_name,
                "family_name": person.family_name,
            }
        )
        account.sealed_profile = crypto.seal(profile.encode(), bound_to=account._profile_bound_to())
        account.seal_payload(secret, at=at)
        account.save(force_insert=True)
        return account

    # Mutators

    def forget_person(self) -> None:
        """Erase who applied: nobody needs the name behind an application that came to nothing."""
        self.sealed_profile = b""
        self.save(update_fields=["sealed_profile"])

    # Queries

    @property
    def is_tradable(self) -> bool:
        """Say whether orders and transfers may be sent for it."""
        return self.is_accepted and self.vendor_status == states.ACTIVE

    @property
    def public_id(self) -> str:
        """The id that reference shapes show: the broker's once known, else ours."""
        return self.broker_account_id or str(self.pk)

    def profile(self) -> dict[str, Any]:
        """Open what we keep of the person: `email`, `given_name`, `family_name`."""
        plain = crypto.unseal(bytes(self.sealed_profile), bound_to=self._profile_bound_to())
        profile: dict[str, Any] = json.loads(plain)
        return profile

    def _profile_bound_to(self) -> str:
        return f"{self._meta.label}.sealed_profile.{self.pk}"


def email_index(email: str) -> str:
    """Fingerprint an e-mail address, to notice a second account with it."""
    return crypto.blind_index(email, purpose="email")


def masked(email: str) -> str:
    """Show enough of an address for its owner to know it."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"[:80]
