"""The columns of an intent, its one mutator, and its append-only history."""

from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.clock import Now
from core.db.sealed import SealedColumn, open_from, seal_into
from core.ids import new_id
from core.intents.states import SETTLED, TRANSITIONS, UNDECIDED, IllegalMove, IntentState

_Row = TypeVar("_Row", bound="Intent")

# What a row no longer needs once nobody will send it: its lease and its secret.
CLOSED: Final[dict[str, None]] = {
    "lease_holder": None,
    "lease_until": None,
    "sealed_payload": None,
    "sealed_until": None,
}


# Nobody holds the right to work on the row now.
FREE: Final = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


class IntentQuerySet(models.QuerySet[_Row]):
    """What every kind of intent is asked for; apps extend it."""

    def locking(self) -> Self:
        """
        Lock the rows until the transaction ends; rows that refer to them may still be added.

        A lock that keeps those out, too, makes whoever adds one wait for whoever waits for them.
        """
        return self.select_for_update(no_key=True)

    def locked(self, pk: UUID) -> _Row:
        """Lock one row until the transaction ends."""
        return self.locking().get(pk=pk)

    def undecided(self) -> Self:
        """Leave out what is certainly over."""
        return self.filter(state__in=UNDECIDED)


def rows(model: type[_Row]) -> models.QuerySet[_Row]:
    """Return every row of this kind of intent."""
    return model._default_manager.all()  # noqa: SLF001 - Django's name for "the" manager


class IntentStep(models.Model):
    """One move of one intent, kept for ever."""

    id = models.BigAutoField(primary_key=True)
    intent_kind = models.CharField(max_length=64)
    intent_id = models.UUIDField(db_index=True)
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    reason = models.CharField(max_length=300, blank=True)
    vendor_status = models.CharField(max_length=64, blank=True)
    vendor_at = models.DateTimeField(
        null=True, blank=True, help_text="When it happened, in the vendor's words."
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "core"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.intent_kind} {self.from_state} → {self.to_state}"


class Intent(models.Model):
    """Something a vendor is to do once. Subclasses add what it is about."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    state = models.CharField(
        max_length=16, choices=IntentState.choices, default=IntentState.PENDING
    )
    vendor_status = models.CharField(
        max_length=64, blank=True, help_text="The vendor's own word, kept even when unknown to us."
    )
    reason = models.CharField(
        max_length=300, blank=True, help_text="Why it is in this state, in words for people."
    )
    reason_code = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    looks = models.PositiveSmallIntegerField(default=0)
    lease_holder = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    due_at = models.DateTimeField(
        db_default=Now(), help_text="When the sweep should look at it next."
    )
    sealed_payload = SealedColumn(null=True, blank=True)
    sealed_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    settled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=IntentState.values), name="%(app_label)s_%(class)s_state"
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=["PENDING", "SENDING", "UNKNOWN"]),
                name="%(app_label)s_%(class)s_due",
            )
        ]

    @property
    def kind(self) -> str:
        """Name the kind of intent in logs and histories."""
        return self._meta.label

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED

    @property
    def is_accepted(self) -> bool:
        return self.state == IntentState.ACCEPTED

    # Mutators

    def advance(self, to: IntentState, *, at: datetime, reason: str = "", **changes: Any) -> None:
        """
        Make one move of the table, save it and append it to the history.

        The caller holds the row's lock or its lease.

        :raises IllegalMove: when the table has no such move.
        """
        before = IntentState(self.state)
        if to not in TRANSITIONS[before]:
            raise IllegalMove(f"{self.kind} {self.pk} cannot go from {before} to {to}.")
        self.state = to
        self.reason = reason[:300]
        for name, value in changes.items():
            setattr(self, name, value)
        if to in SETTLED:
            self.settled_at = at
        self.save()
        IntentStep.objects.create(
            intent_kind=self.kind,
            intent_id=self.pk,
            from_state=before,
            to_state=to,
            reason=self.reason,
            vendor_status=self.vendor_status,
        )

    def seal_payload(self, plain: bytes, *, at: datetime) -> None:
        """Keep a secret the vendor must get, until it is sent or too old (the caller saves)."""
        seal_into(self, "sealed_payload", plain)
        self.sealed_until = at + timedelta(seconds=settings.SEALED_PAYLOAD_SECONDS)

    def open_payload(self) -> bytes:
        """
        Open the sealed secret.

        :raises Unsealable: it was erased or is not this row's.
        """
        return open_from(self, "sealed_payload")


def take_lease(model: type[_Row], pk: UUID, *, holder: UUID, seconds: float) -> bool:
    """Claim the right to send or look up this row; one UPDATE decides between claimants."""
    taken = (
        rows(model)
        .filter(FREE, pk=pk)
        .exclude(state__in=SETTLED)
        .update(lease_holder=holder, lease_until=Now() + timedelta(seconds=seconds))
    )
    return taken == 1
