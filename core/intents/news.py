"""Intents that live on at the vendor after it has accepted them."""

from datetime import datetime

from django.db import models

from core.intents.models import Intent, IntentStep
from core.intents.states import IntentState


class ToldByVendor(Intent):
    """An intent whose vendor goes on talking of it: late, twice, or in the wrong order."""

    vendor_status_at = models.DateTimeField(
        null=True, blank=True, help_text="When the vendor says its status changed."
    )

    class Meta(Intent.Meta):
        abstract = True

    # Mutators

    def note_status(self, status: str, *, at: datetime | None) -> bool:
        """
        Take over the vendor's word; false when it is old news or says nothing new.

        The caller holds the row's lock. News without a time counts as newer than all before. Old
        news changes nothing and still belongs to the history.
        """
        before = (self.vendor_status, self.vendor_status_at)
        is_new, step = self.take_over(status, at=at)
        if (self.vendor_status, self.vendor_status_at) != before:
            self.save(update_fields=["vendor_status", "vendor_status_at"])
        if step is not None:
            step.save(force_insert=True)
        return is_new

    def take_over(self, status: str, *, at: datetime | None) -> tuple[bool, IntentStep | None]:
        """Do what `note_status` does and save nothing: the caller saves the row and the step."""
        if not status:
            return False, None
        if at is not None and self.vendor_status_at is not None and at < self.vendor_status_at:
            late = "This news came late; the status had moved on."
            return False, self._step(status, at=at, reason=late)
        is_new = status[:64] != self.vendor_status
        self.vendor_status = status[:64]
        self.vendor_status_at = at or self.vendor_status_at
        return is_new, self._step(status, at=at) if is_new else None

    def _step(self, status: str, *, at: datetime | None, reason: str = "") -> IntentStep:
        return IntentStep(
            intent_kind=self._meta.label,
            intent_id=self.pk,
            from_state=self.state,
            to_state=self.state,
            vendor_status=status[:64],
            vendor_at=at,
            reason=reason,
        )

    # Queries

    @property
    def public_status(self) -> str:
        """The vendor's word once it has taken the intent; until then, what became of it here."""
        if self.state in {IntentState.REJECTED, IntentState.CANCELED}:
            return self.state  # the vendor's word is then the code of its refusal
        return self.vendor_status or "PENDING"
