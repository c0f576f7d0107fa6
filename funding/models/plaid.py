"""Sign-ins at banks through Plaid: the pages on the way, and the items that come of them."""

from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from core import crypto
from core.clock import Now
from core.db.sealed import SealedColumn, open_from, seal_into
from core.ids import new_id
from core.intents.states import IntentState
from core.models import CustomerOwned
from funding.states import (
    ITEM_IN_USE,
    LINK_MOVES,
    LINK_WAITING,
    TOKEN_NEEDED,
    ItemState,
    LinkPurpose,
    LinkState,
)

ACCOUNT: Final = "accounts.BrokerageAccount"
# Nobody has signed in to a bank any sooner.
FIRST_LOOK: Final = timedelta(seconds=5)
# Of a page whose end Plaid has not told.
PAGE_LASTS: Final = timedelta(hours=4)
# How often Plaid is asked whether a sign-in still works.
CHECK_EVERY: Final = timedelta(hours=6)


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
        cls, *, account: Any, item_id: str, access_token: str, state: ItemState = ItemState.LIVE
    ) -> "PlaidItem":
        """Write down a sign-in that was just exchanged."""
        item = cls(
            user_id=account.user_id,
            account_id=account.pk,
            item_id=item_id,
            state=state,
            due_at=Now() if state == ItemState.REMOVING else Now() + CHECK_EVERY,
        )
        seal_into(item, "sealed_access_token", access_token.encode())
        item.save(force_insert=True)
        return item

    # Mutators

    def take_over(self, facts: Any, *, state: ItemState, at: datetime) -> None:
        """Keep what Plaid says of it; a name once known is not forgotten (the caller saves)."""
        self.state = state
        self.error_code = facts.error_code[:64]
        self.institution_id = facts.institution_id[:64] or self.institution_id
        self.institution_name = facts.institution_name[:100] or self.institution_name
        self.consent_expires_at = facts.consent_expires_at or self.consent_expires_at
        self.checked_at = at

    # Queries

    def is_needed(self) -> bool:
        """Say whether a bank hangs on it, or may yet come of it."""
        # In this order: what ends between the two looks has led to a bank by the second.
        return self.sessions.waiting().exists() or self.relationships.active().exists()

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

    def going_on(self) -> Self:
        """Leave out what waits for an operator to find out about its bank."""
        return self.waiting().exclude(relationship__state=IntentState.NEEDS_REVIEW)


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
    sealed_public_token = SealedColumn(null=True, blank=True)
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

    # Factories

    @classmethod
    def begin(
        cls,
        account: Any,
        *,
        page_token: str,
        expires_at: datetime | None,
        relationship: Any = None,
    ) -> "LinkSession":
        """Write down a page; with a relationship it is there to mend that one's sign-in."""
        session = cls(
            user_id=account.user_id,
            account_id=account.pk,
            purpose=LinkPurpose.UPDATE if relationship else LinkPurpose.NEW,
            relationship=relationship,
            item_id=relationship.item_id if relationship else None,
            expires_at=expires_at or Now() + PAGE_LASTS,
            due_at=Now() + FIRST_LOOK,
        )
        session.hold_link_token(page_token)
        session.save(force_insert=True)
        return session

    @classmethod
    def bring(
        cls, account: Any, *, pk: UUID, public_token: str, plaid_account_id: str
    ) -> "LinkSession":
        """Write down a sign-in whose token the customer's browser has brought."""
        session = cls(id=pk, user_id=account.user_id, account_id=account.pk)
        session.hold_public_token(public_token)
        session.plaid_account_id = plaid_account_id
        session.save(force_insert=True)
        return session

    # Mutators

    def hold_public_token(self, token: str) -> None:
        """Keep what may be exchanged sealed, and what finds it again (the caller saves)."""
        seal_into(self, "sealed_public_token", token.encode())
        self.public_token_index = token_index(token)

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
        if to not in TOKEN_NEEDED:
            self.sealed_public_token = None
        if to not in LINK_WAITING:
            self.settled_at = at
            self.sealed_link_token = None
            self.lease_until = None
        self.save()

    # Queries

    def public_token(self) -> str:
        """
        Open what may be exchanged.

        :raises Unsealable: it was exchanged, or is of no use any more.
        """
        return open_from(self, "sealed_public_token").decode()

    def link_token(self) -> str:
        """
        Open the page's token.

        :raises Unsealable: it was erased, because the page is done with.
        """
        return open_from(self, "sealed_link_token").decode()


def token_index(token: str) -> str:
    """Fingerprint a token of Plaid's, to know it again when it comes back."""
    return crypto.blind_index(token, purpose="plaid_token")
