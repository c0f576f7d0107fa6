"""Conversations, what was said in them, and the runs that answer."""

from datetime import timedelta
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from chat.states import OVER, Role, RunState, leading_to
from core.clock import Now
from core.ids import new_id
from core.models import CustomerOwned

LEASE_SECONDS = 20.0


class Conversation(CustomerOwned):
    """A thread of messages; the agents keep their own memory of it under the same id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return str(self.pk)


class RunQuerySet(models.QuerySet["Run"]):
    def unfinished(self) -> Self:
        """Keep the runs that still owe an answer."""
        return self.exclude(state__in=OVER)

    def due(self) -> Self:
        """Keep those that a worker may take now: waiting, or left by a worker that died."""
        return self.filter(
            Q(state=RunState.QUEUED, due_at__lte=Now())
            | Q(state=RunState.RUNNING, lease_until__lt=Now())
        )

    def overdue(self, seconds: float) -> Self:
        """Keep those that nobody has taken although they have been due for this long."""
        return self.filter(
            Q(state=RunState.QUEUED, due_at__lte=Now() - timedelta(seconds=seconds))
            | Q(state=RunState.RUNNING, lease_until__lt=Now())
        )

    def move(self, to: RunState, **changes: Any) -> bool:
        """Move the selected run if its state still allows it; the one who does learns so."""
        return self.filter(state__in=leading_to(to)).update(state=to, **changes) == 1


class Run(CustomerOwned):
    """One question and the work of answering it; at most one worker holds its lease."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    account_id = models.UUIDField(null=True, blank=True, editable=False)
    state = models.CharField(max_length=8, choices=RunState.choices, default=RunState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    proposal_ids = models.JSONField(default=list, blank=True)
    lease_holder = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    due_at = models.DateTimeField(db_default=Now(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[RunQuerySet] = RunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="chat_run_state"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(OVER), finished_at__isnull=False)
                | Q(~Q(state__in=sorted(OVER)), finished_at__isnull=True),
                name="chat_run_finished",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=~Q(state__in=sorted(OVER)), name="chat_run_due"
            ),
            models.Index(fields=["conversation", "id"], name="chat_run_of_conversation"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    # Mutators

    @classmethod
    def take(cls, run_id: UUID, *, holder: UUID) -> bool:
        """Claim a due run for one worker."""
        return (
            cls.objects.filter(pk=run_id)
            .due()
            .move(
                RunState.RUNNING,
                lease_holder=holder,
                lease_until=Now() + timedelta(seconds=LEASE_SECONDS),
                attempts=F("attempts") + 1,
                started_at=Now(),
            )
        )

    @classmethod
    def keep(cls, run_id: UUID, *, holder: UUID) -> bool:
        """Extend the lease; false means that somebody else has the run now."""
        held = cls.objects.filter(pk=run_id, lease_holder=holder, state=RunState.RUNNING)
        return held.update(lease_until=Now() + timedelta(seconds=LEASE_SECONDS)) == 1

    @classmethod
    def put_back(cls, run_id: UUID, *, holder: UUID, seconds: float, counts: bool = True) -> bool:
        """Leave the run for another try, some seconds from now."""
        return cls.objects.filter(pk=run_id, lease_holder=holder).move(
            RunState.QUEUED,
            lease_holder=None,
            lease_until=None,
            due_at=Now() + timedelta(seconds=seconds),
            attempts=F("attempts") - (0 if counts else 1),
        )

    @classmethod
    def finish(cls, run_id: UUID, *, proposal_ids: list[str]) -> bool:
        """End the run with an answer, once, whoever brings it first."""
        return cls.objects.filter(pk=run_id).move(
            RunState.DONE,
            proposal_ids=proposal_ids,
            finished_at=Now(),
            lease_holder=None,
            lease_until=None,
        )

    @classmethod
    def fail(cls, run_id: UUID, *, holder: UUID, error_code: str) -> bool:
        """End the run without an answer; only who holds it may."""
        return cls.objects.filter(pk=run_id, lease_holder=holder).move(
            RunState.FAILED,
            error_code=error_code[:64],
            finished_at=Now(),
            lease_holder=None,
            lease_until=None,
        )

    # Queries

    @property
    def is_over(self) -> bool:
        return self.state in OVER


class Message(CustomerOwned):
    """Something said: by the customer, by the agents, or by us about a proposal."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    role = models.CharField(max_length=9, choices=Role.choices)
    content = models.TextField()
    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, null=True, blank=True, related_name="messages"
    )
    proposal_id = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="chat_message_role"),
            models.UniqueConstraint(
                fields=["run"],
                condition=Q(role=Role.ASSISTANT),
                name="chat_one_answer_per_run",
            ),
        ]
        indexes = [models.Index(fields=["conversation", "id"], name="chat_message_of_conv")]

    def __str__(self) -> str:
        return str(self.pk)
