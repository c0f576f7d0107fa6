"""The table of API keys; `core.auth.api_keys` is its only user."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

from core.clock import Now
from core.ids import new_id

LAST_USED_PRECISION = timedelta(minutes=1)


class KeyState(StrEnum):
    LIVE = "LIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


class ApiKey(models.Model):
    """
    A key of a service. The secret is 192 random bits, so a plain SHA-256 of it is enough.

    A key and its successors share `family`, in which at most two live at a time.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    public_id = models.CharField(max_length=32, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    label = models.CharField(max_length=100, help_text="Who uses the key and for what.")
    # The database knows a value for both, since a release runs old code beside new.
    owner = models.CharField(
        max_length=100,
        db_default="Not recorded",
        help_text="The person or team that answers for it.",
    )
    family = models.UUIDField(db_default=RandomUUID(), db_index=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        app_label = "core"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=models.F("created_at")),
                name="core_apikey_expires_later",
            ),
            models.CheckConstraint(condition=~Q(owner=""), name="core_apikey_has_owner"),
        ]
        verbose_name = "API key"
        permissions = [("manage_apikey", "Can create, rotate and revoke API keys")]

    def __str__(self) -> str:
        return f"{self.label} ({self.public_id})"

    # Queries

    @classmethod
    def named(cls, public_id: str) -> "ApiKey | None":
        """
        Find a key by its public part.

        In SQL, because every request of a service asks this: the ORM took longer to put the query
        together than the database to answer it.
        """
        found = cls.objects.raw("SELECT * FROM core_apikey WHERE public_id = %s", [public_id])
        return next(iter(found), None)

    def is_live(self, *, at: datetime) -> bool:
        """Say whether the key still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > at)

    def state(self, *, at: datetime) -> KeyState:
        """Say what has become of the key."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.LIVE if self.is_live(at=at) else KeyState.EXPIRED

    def was_used_before(self, *, at: datetime) -> bool:
        """Say whether `last_used_at` is old enough to be worth a write."""
        return self.last_used_at is None or at - self.last_used_at >= LAST_USED_PRECISION
