"""Sign-ins at banks through Plaid: the pages on the way, and the items that come of them."""

from datetime import datetime
from typing import Any, Final, Self

from django.db import models
from django.db.models import Q

from core import crypto
from core.clock import Now
from core.db.sealed import SealedColumn, open_from, seal_into
from core.ids import new_id
from core.models import CustomerOwned
from funding.states import (
    ITEM_IN_USE,
    LINK_MOVES,
    LINK_WAITING,
    ItemState,
    LinkPurpose,
    LinkState,
)

ACCOUNT: Final = "accounts.BrokerageAccount"


class PlaidItemQuerySet(models.QuerySet["PlaidItem"]):
    def in_use(self) -> Self:
        """Leave out what was given up."""
        return self.filter(state__in=ITEM_IN_USE)


class PlaidItem(CustomerOwned):
    """A customer's sign-in at one bank; its access token opens it and rests sealed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    item_id = models.CharField("Plaid's id", max_length=64, unique=True)
    sealed_access_token = SealedColumn(null=True, blank=True)
    institution_id = models.CharField(max_length=64, blank=True)
    institution_name = models.CharField(max_length=100, blank=True)
    bank_accounts = models.JSONField(
        default=list, blank=True, help_text="Id, last digits and kind of each; never a balance."
    )
    state = models.CharField(max_length=16, choices=ItemState.choices, default=ItemState.LIVE)
    error_code = models.CharField(max_length=64, blank=True)
    consent_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    checked_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(db_default=Now())

    objects = PlaidItemQuerySet.as_manager()

    class Meta:
        verbose_name = "Plaid item"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ItemState.values), name="funding_item_state"
            ),
            # What may still be used can be opened; what is gone cannot.
            models.CheckConstraint(
                condition=Q(state=ItemState.REMOVED, sealed_access_token__isnull=True)
                | (~Q(state=ItemState.REMOVED) & Q(sealed_access_token__isnull=False)),
                name="funding_item_token",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=~Q(state=ItemState.REMOVED),
                name="funding_item_due",
            )
        ]

    def __str__(self) -> str:
        return self.institution_name or self.item_id

    # Factories

    @classmethod
    def keep(
        cls, *, account: Any, item_id: str, access_token: str, institution_id: str = ""
    ) -> "PlaidItem":
        """Write down a sign-in that was just exchanged."""
        item = cls(
            user_id=account.user_id,
            account_id=account.pk,
            item_id=item_id,
            institution_id=institution_id,
        )
        seal_into(item, "sealed_access_token", access_token.encode())
        item.save(force_insert=True)
        return item

    # Queries

    def access_token(self) -> str:
        """
        Open the token; only a gateway call may see it.

        :raises Unsealable: it was erased, because the item is gone.
        """
        return open_from(self, "sealed_access_token").decode()


class LinkSessionQuerySet(models.QuerySet["LinkSession"]):
    def waiting(self) -> Self:
        """Keep the ones of which something may yet come."""
        return self.filter(state__in=LINK_WAITING)


class LinkSession(CustomerOwned):
    """One page on which a customer signs in to a bank, and how far that has come."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    purpose = models.CharField(max_length=6, choices=LinkPurpose.choices, default=LinkPurpose.NEW)
    state = models.CharField(max_length=10, choices=LinkState.choices, default=LinkState.OPEN)
    sealed_link_token = SealedColumn(null=True, blank=True)
    link_token_index = models.CharField(max_length=64, editable=False, blank=True)
    public_token_index = models.CharField(max_length=64, editable=False, blank=True)
    plaid_account_id = models.CharField(
        max_length=64, blank=True, help_text="Which of the accounts behind the sign-in is meant."
    )
    item = models.ForeignKey(
        PlaidItem, on_delete=models.PROTECT, null=True, blank=True, related_name="sessions"
    )
    relationship = models.ForeignKey(
        "funding.AchRelationship",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    reason = models.CharField(max_length=300, blank=True)
    reason_code = models.CharField(max_length=64, blank=True)
    looks = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(db_default=Now())

    objects = LinkSessionQuerySet.as_manager()

    class Meta:
        verbose_name = "bank sign-in"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=LinkState.values), name="funding_link_state"
            ),
            models.UniqueConstraint(
                fields=["link_token_index"],
                condition=~Q(link_token_index=""),
                name="funding_link_token_once",
            ),
            # A public token can be exchanged once, whoever brings it.
            models.UniqueConstraint(
                fields=["public_token_index"],
                condition=~Q(public_token_index=""),
                name="funding_public_token_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=sorted(LINK_WAITING)),
                name="funding_link_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.state}"

    # Mutators

    def hold_link_token(self, token: str) -> None:
        """Keep the page's token sealed, and what finds it again (the caller saves)."""
        seal_into(self, "sealed_link_token", token.encode())
        self.link_token_index = token_index(token)

    def advance(self, to: LinkState, *, at: datetime, reason: str = "", **changes: Any) -> None:
        """
        Make one move of the table and save it; the caller holds the row's lock.

        :raises ValueError: when the table has no such move.
        """
        if to not in LINK_MOVES[LinkState(self.state)]:
            raise ValueError(f"A bank sign-in cannot go from {self.state} to {to}.")
        self.state = to
        self.reason = reason[:300]
        for name, value in changes.items():
            setattr(self, name, value)
        if to not in LINK_WAITING:
            self.settled_at = at
            self.sealed_link_token = None
            self.lease_until = None
        self.save()

    # Queries

    def link_token(self) -> str:
        """
        Open the page's token.

        :raises Unsealable: it was erased, because the page is done with.
        """
        return open_from(self, "sealed_link_token").decode()


def token_index(token: str) -> str:
    """Fingerprint a token of Plaid's, to know it again when it comes back."""
    return crypto.blind_index(token, purpose="plaid_token")
