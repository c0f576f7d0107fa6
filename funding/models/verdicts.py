"""What people have found out about what the machine has lost."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q

from core.clock import Now
from core.ids import new_id
from core.models import CustomerOwned
from funding.models.banks import AchRelationship
from funding.models.transfers import Transfer
from funding.states import Verdict, VerdictState

_OPEN = Q(state=VerdictState.PROPOSED)


class ReviewVerdict(CustomerOwned):
    """What one member of staff says of a transfer, or a bank, under review, and who agreed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    transfer = models.ForeignKey(
        Transfer, on_delete=models.PROTECT, null=True, blank=True, related_name="verdicts"
    )
    relationship = models.ForeignKey(
        AchRelationship, on_delete=models.PROTECT, null=True, blank=True, related_name="verdicts"
    )
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    broker_id = models.CharField(
        "the broker's id",
        max_length=64,
        blank=True,
        help_text="Which of the broker's transfers or banks it is.",
    )
    reason = models.CharField(max_length=300)
    state = models.CharField(
        max_length=10, choices=VerdictState.choices, default=VerdictState.PROPOSED
    )
    proposed_by = models.CharField(max_length=300)
    confirmed_by = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [
            ("propose_verdict", "May say what became of a transfer or a bank under review"),
            ("confirm_verdict", "May settle what is under review as somebody else has proposed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["transfer"], condition=_OPEN, name="funding_one_open_verdict"
            ),
            models.UniqueConstraint(
                fields=["relationship"], condition=_OPEN, name="funding_one_open_bank_verdict"
            ),
            models.CheckConstraint(
                condition=Q(transfer__isnull=True) ^ Q(relationship__isnull=True),
                name="funding_verdict_subject",
            ),
            models.CheckConstraint(
                condition=~Q(state=VerdictState.CONFIRMED)
                | (~Q(confirmed_by="") & ~Q(confirmed_by=F("proposed_by"))),
                name="funding_verdict_two_persons",
            ),
            models.CheckConstraint(
                condition=~Q(verdict=Verdict.ATTACH) | ~Q(broker_id=""),
                name="funding_verdict_names_its_find",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.transfer_id or self.relationship_id}"

    # Factories

    @classmethod
    def propose(
        cls,
        subject: Transfer | AchRelationship,
        *,
        verdict: Verdict,
        broker_id: str,
        reason: str,
        by: str,
    ) -> "ReviewVerdict":
        """Write down what somebody has found out."""
        column = "transfer" if isinstance(subject, Transfer) else "relationship"
        named: dict[str, Any] = {column: subject}
        return cls.objects.create(
            user_id=subject.user_id,
            verdict=verdict,
            broker_id=broker_id,
            reason=reason,
            proposed_by=by,
            **named,
        )

    # Mutators

    def settle(self, to: VerdictState, *, at: datetime, by: str = "") -> None:
        """End the proposal; the caller holds the row's lock."""
        self.state = to
        self.confirmed_by = by
        self.settled_at = at
        self.save(update_fields=["state", "confirmed_by", "settled_at"])
