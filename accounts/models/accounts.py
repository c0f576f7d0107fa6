"""Brokerage accounts: an application on its way to the broker, and the account it becomes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from accounts import states
from core import crypto
from core.clock import Now
from core.db.sealed import SealedColumn, open_from, seal_into
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
    """
    Who an account belongs to, in the broker's words; every part of it is secret.

    `identity` may hold the tax id, which is only fingerprinted: what is kept leaves it out.
    """

    contact: Mapping[str, Any] = field(repr=False)
    identity: Mapping[str, Any] = field(repr=False)
    trusted_contact: Mapping[str, Any] | None = field(repr=False, default=None)

    @property
    def email(self) -> str:
        """The e-mail address as it is compared: without case and surrounding space."""
        return str(self.contact["email_address"]).strip().casefold()

    @property
    def tax_id(self) -> str:
        """The tax id without dashes and spaces, as it is fingerprinted."""
        return "".join(filter(str.isalnum, str(self.identity.get("tax_id", ""))))

    def to_bytes(self) -> bytes:
        """Write down what may be kept, to be sealed."""
        identity = {name: value for name, value in self.identity.items() if name != "tax_id"}
        trusted = dict(self.trusted_contact) if self.trusted_contact else None
        return json.dumps(
            {"contact": dict(self.contact), "identity": identity, "trusted_contact": trusted}
        ).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls(**json.loads(plain))


def parsed_id(name: str) -> UUID | None:
    """Read an account's id, ours or the broker's; nothing if it cannot be one."""
    try:
        return UUID(name)
    except ValueError:
        return None


class BrokerageAccountQuerySet(IntentQuerySet["BrokerageAccount"]):
    def live(self) -> Self:
        """Leave out what was refused or closed."""
        return self.filter(LIVE)

    def named(self, *account_ids: str | UUID) -> Self:
        """Find accounts, each by our id or by the broker's."""
        ids = {str(name).lower(): pk for name in account_ids if (pk := parsed_id(str(name)))}
        if not ids:
            return self.none()
        # Said in full, else PostgreSQL does not use the index for more than a hundred of them.
        by_broker_id = Q(broker_account_id__in=list(ids)) & ~Q(broker_account_id="")
        return self.filter(Q(pk__in=list(ids.values())) | by_broker_id)

    def to_refresh(self) -> Self:
        """Keep the accounts whose status is due to be read at the broker, the longest due first."""
        return self.filter(state=IntentState.ACCEPTED, due_at__lte=Now()).order_by("due_at")

    def to_mirror(self) -> Self:
        """Keep the accounts whose status the identity provider has not been told."""
        return self.filter(state=IntentState.ACCEPTED).exclude(mirrored_status=F("vendor_status"))


class BrokerageAccount(ToldByVendor, CustomerOwned):
    """
    A customer's account at the broker.

    The application itself rides in `sealed_payload` until it is sent. What stays is what we need
    again, sealed: who the customer is and how they are reached.
    """

    broker_account_id = models.CharField(max_length=64, blank=True)
    account_number = models.CharField(max_length=32, blank=True)
    crypto_status = models.CharField(max_length=64, blank=True)
    requirements = models.JSONField(
        default=list, blank=True, help_text="What the broker still wants to see, in its words."
    )
    email_masked = models.CharField("e-mail", max_length=80)
    email_index = models.CharField(max_length=64, editable=False)
    tax_id_type = models.CharField(max_length=30, blank=True)
    tax_id_last4 = models.CharField("tax id ends in", max_length=4, blank=True)
    tax_id_index = models.CharField(max_length=64, editable=False, db_index=True)
    sealed_profile = SealedColumn()
    frozen_at = models.DateTimeField(null=True, blank=True)
    frozen_by = models.CharField(max_length=300, blank=True)
    freeze_reason = models.CharField(max_length=300, blank=True)
    closing_since = models.DateTimeField(
        null=True, blank=True, help_text="Its owner has asked for it to be closed."
    )
    mirrored_status = models.CharField(
        max_length=64, blank=True, help_text="What the identity provider was told last."
    )

    objects = BrokerageAccountQuerySet.as_manager()

    class Meta(ToldByVendor.Meta):
        permissions = [
            ("operate_brokerageaccount", "May sync, freeze and ask for documents"),
            ("approve_brokerageaccount", "May lift a freeze and settle what is under review"),
            ("reveal_pii", "May look at personal data; each look is recorded"),
        ]
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
                condition=Q(state=IntentState.ACCEPTED),
                name="accounts_to_refresh",
            ),
            models.Index(
                fields=["id"],
                condition=Q(state=IntentState.ACCEPTED) & ~Q(mirrored_status=F("vendor_status")),
                name="accounts_to_mirror",
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
        account = cls(id=pk, user_id=user_id)
        account._describe(person)
        account.tax_id_type = str(person.identity.get("tax_id_type", ""))[:30]
        account.tax_id_last4 = person.tax_id[-4:]
        account.tax_id_index = crypto.blind_index(person.tax_id, purpose="tax_id")
        account.seal_payload(secret, at=at)
        account.save(force_insert=True)
        return account

    # Mutators

    def _describe(self, person: Person) -> None:
        """Keep who the customer is: sealed as a whole, with what finds and shows the address."""
        self.email_masked = masked(person.email)
        self.email_index = email_index(person.email)
        seal_into(self, "sealed_profile", person.to_bytes())

    def update_person(self, person: Person) -> None:
        """Take over what the broker now knows of the customer."""
        self._describe(person)
        self.save(update_fields=["email_masked", "email_index", "sealed_profile"])

    def freeze(self, *, by: str, reason: str, at: datetime) -> None:
        """Stop orders and transfers from now on; what was sent goes on."""
        self.frozen_at, self.frozen_by, self.freeze_reason = at, by[:300], reason[:300]
        self.save(update_fields=["frozen_at", "frozen_by", "freeze_reason"])

    def unfreeze(self) -> None:
        """Let orders and transfers pass again."""
        self.frozen_at, self.frozen_by, self.freeze_reason = None, "", ""
        self.save(update_fields=["frozen_at", "frozen_by", "freeze_reason"])

    def begin_closing(self, *, at: datetime) -> None:
        """Let nothing new begin in it from now on."""
        self.closing_since = at
        self.save(update_fields=["closing_since"])

    def end_closing(self) -> None:
        """Let new things begin in it again."""
        self.closing_since = None
        self.save(update_fields=["closing_since"])

    def forget_person(self) -> None:
        """Erase who applied: nobody needs the name behind an application that came to nothing."""
        self.sealed_profile = b""
        self.save(update_fields=["sealed_profile"])

    # Queries

    @property
    def is_tradable(self) -> bool:
        """Say whether orders and transfers may be sent for it."""
        return self.is_accepted and self.vendor_status == states.ACTIVE and not self.is_frozen

    @property
    def is_over(self) -> bool:
        """Say whether it was refused or closed: its owner may apply anew."""
        is_refused = self.state in {IntentState.REJECTED, IntentState.CANCELED}
        return is_refused or self.vendor_status in states.OVER

    @property
    def is_frozen(self) -> bool:
        """Say whether our staff has stopped its orders and transfers."""
        return self.frozen_at is not None

    @property
    def is_closing(self) -> bool:
        """Say whether it is on its way to being closed: nothing new may begin."""
        return self.closing_since is not None

    @property
    def public_id(self) -> str:
        """The id that reference shapes show: the broker's once known, else ours."""
        return self.broker_account_id or str(self.pk)

    def person(self) -> Person:
        """
        Open what we keep of the customer.

        :raises Unsealable: it was erased, because the application came to nothing.
        """
        return Person.from_bytes(open_from(self, "sealed_profile"))


def email_index(email: str) -> str:
    """Fingerprint an e-mail address, to notice a second account with it."""
    return crypto.blind_index(email, purpose="email")


def masked(email: str) -> str:
    """Show enough of an address for its owner to know it."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}***@{domain}"[:80]
