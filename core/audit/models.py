"""The tables of the audit trail; triggers fill and guard them."""

from django.db import models

from core.clock import Now


class AuditEntry(models.Model):
    """
    One thing that somebody did, never changed again.

    `digest` is the SHA-256 of `clera_audit_text` of the row; a trigger computes it.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=64, help_text="What happened, such as `pii.revealed`.")
    principal = models.CharField(max_length=300, help_text="Which credential did it.")
    request_id = models.CharField(max_length=64, blank=True)
    subject_kind = models.CharField(max_length=64, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    user_id = models.CharField("customer", max_length=255, blank=True)
    details = models.JSONField(default=dict, help_text="Ids, states and names; nothing personal.")
    digest = models.BinaryField(editable=False)

    class Meta:
        app_label = "core"
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["subject_id", "id"], name="core_audit_subject"),
            models.Index(fields=["user_id", "id"], name="core_audit_customer"),
            models.Index(
                fields=["request_id"],
                condition=~models.Q(request_id=""),
                name="core_audit_request",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.action}"


class AuditLink(models.Model):
    """
    One link of the chain: the hash of the link before and of the entry's digest.

    Entries are linked a moment after their commit, by one process at a time. To link them in their
    own transaction would make every transaction of the product wait for the one before.
    """

    seq = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    hash = models.BinaryField()
    linked_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return f"link {self.seq}"


class AuditPending(models.Model):
    """An entry that waits for its link."""

    entry_id = models.BigIntegerField(primary_key=True)

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return f"entry {self.entry_id} waits"
