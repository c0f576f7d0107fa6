"""Closures, and what was done in each of their steps."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from closure.states import (
    CLOSURE_MOVES,
    LIVE,
    STOPPABLE,
    TAKES_TWO,
    ClosureState,
    ProblemKind,
    Step,
)
from core.clock import Now
from core.errors import CleraError
from core.ids import new_id
from core.intents.models import FREE
from core.models import CustomerOwned

ONE_LIVE: Final = "closure_one_live"


class IllegalMove(CleraError):
    """The code asked for a move that the table does not have: a bug, never a user's fault."""

    code = "illegal_move"
    status = 500
    detail = "The closure cannot move that way."


class ClosureQuerySet(models.QuerySet["Closure"]):
    def live(self) -> Self:
        """Keep what may still close the account."""
        return self.filter(state__in=sorted(LIVE))

    def due(self, *, at: datetime) -> Self:
        """Keep what nobody works on and is to go on now, the longest due first."""
        running = self.filter(FREE, state=ClosureState.RUNNING, next_at__lte=at)
        return running.order_by("next_at")

    def locked(self, pk: UUID) -> "Closure":
        """Lock one row until the transaction ends, with what its answers show."""
        whole = self.select_related("account", "relationship")
        return whole.select_for_update(no_key=True, of=("self",)).get(pk=pk)


class Closure(CustomerOwned):
    """
    That an account is to be closed, and how far that has come.

    `sales` says of each symbol how often it was sold and when it is tried again; `number` counts
    the requests to the broker to close the account; `excused` are the withdrawals that failed and
    that our staff has seen.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "accounts.BrokerageAccount", on_delete=models.PROTECT, related_name="+"
    )
    relationship: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        "funding.AchRelationship", on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(
        max_length=12, choices=ClosureState.choices, default=ClosureState.RUNNING
    )
    step = models.CharField(max_length=13, choices=Step.choices, default=Step.READINESS)
    confirmation_number = models.CharField(max_length=20, unique=True)
    confirmations = models.JSONField(
        default=list, help_text="What was confirmed, by which credential, and when."
    )
    sales = models.JSONField(default=dict, blank=True)
    settles_on = models.DateField(
        null=True, blank=True, help_text="The day on which what was sold is settled."
    )
    number = models.PositiveSmallIntegerField(default=0)
    excused = models.JSONField(default=list, blank=True)
    problem_kind = models.CharField(max_length=20, choices=ProblemKind.choices, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    about = models.JSONField(default=list, blank=True, help_text="What the problem is about.")
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    stop_asked_by = models.CharField(max_length=600, blank=True)
    resume_asked_at = models.DateTimeField(null=True, blank=True)
    resume_asked_by = models.CharField(max_length=300, blank=True)
    resume_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    moved_at = models.DateTimeField(db_default=Now(), help_text="When it came to this step.")
    finished_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(db_default=Now())
    lease_holder = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ClosureQuerySet.as_manager()

    class Meta:
        permissions = [
            ("operate_closure", "May stop a closure, and ask for it to go on"),
            ("confirm_closure", "May confirm that money is sent once more"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(state__in=sorted(LIVE)), name=ONE_LIVE
            ),
            models.CheckConstraint(
                condition=Q(state__in=ClosureState.values), name="closure_closure_state"
            ),
            models.CheckConstraint(condition=Q(step__in=Step.values), name="closure_closure_step"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(LIVE)) | Q(finished_at__isnull=False),
                name="closure_over_has_end",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(state=ClosureState.RUNNING),
                name="closure_due",
            ),
            models.Index(fields=["account", "-id"], name="closure_of_account"),
        ]

    def __str__(self) -> str:
        return self.confirmation_number

    # Factories

    @classmethod
    def begin(
        cls, account: Any, relationship: Any, *, pk: UUID, confirmed: Sequence[str], by: str,
        at: datetime,
    ) -> "Closure":  # fmt: skip
        """Write down that an account is to be closed."""
        closure = cls.objects.create(
            id=pk,
            user_id=account.user_id,
            account=account,
            relationship=relationship,
            confirmation_number=f"CLR-{pk.hex[-12:].upper()}",
            created_at=at,
            moved_at=at,
            next_at=at,
        )
        closure.confirm(confirmed, by=by, at=at)
        closure.log("initiated", "The customer has asked for the account to be closed.", at=at)
        return closure

    # Mutators

    def confirm(self, confirmed: Sequence[str], *, by: str, at: datetime) -> None:
        """Keep what somebody has confirmed."""
        told = [{"what": what, "by": by, "at": at.isoformat()} for what in confirmed]
        self.confirmations = [*self.confirmations, *told]
        self.save(update_fields=["confirmations"])

    def log(self, what: str, words: str = "", *, at: datetime, **details: Any) -> None:
        """Append to the history what was done in this step."""
        ClosureStep.objects.create(
            user_id=self.user_id,
            closure=self,
            step=self.step,
            what=what,
            words=words[:500],
            details=details,
            at=at,
        )

    def go_to(self, step: Step, *, at: datetime) -> None:
        """Begin another step (the caller saves)."""
        self.step, self.moved_at, self.next_at = step, at, at
        self.clear_problem()

    def advance(self, to: ClosureState, *, at: datetime) -> None:
        """
        Make one move of the table and save; the caller holds the row's lock.

        :raises IllegalMove: when the table has no such move.
        """
        if to not in CLOSURE_MOVES[ClosureState(self.state)]:
            raise IllegalMove(f"Closure {self.pk} cannot go from {self.state} to {to}.")
        self.state = to
        if to not in LIVE:
            self.finished_at = at
        self.free()
        self.save()

    def note_problem(self, words: str, *, kind: str = "", about: Sequence[UUID] = ()) -> bool:
        """Keep why it does not go on, and say whether that is news (the caller saves)."""
        is_new = (words[:500], kind) != (self.problem, self.problem_kind)
        self.problem, self.problem_kind = words[:500], kind
        self.about = [str(each) for each in about]
        return is_new

    def clear_problem(self) -> None:
        """Nothing stands in its way now (the caller saves)."""
        self.note_problem("")

    def free(self) -> None:
        """Let others work on it (the caller saves)."""
        self.lease_holder = self.lease_until = None

    def note_sale(self, symbol: str, changes: Mapping[str, Any]) -> None:
        """Keep how the sale of a symbol stands (the caller saves)."""
        self.sales = {**self.sales, symbol: {**self.sales.get(symbol, {}), **changes}}

    # Queries

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_stoppable(self) -> bool:
        """Say whether its owner may still stop it: until money may be on its way to the bank."""
        if not self.is_live or self.step not in STOPPABLE:
            return False
        # A late correction leads back from there; what was paid out stays paid out.
        return not self.steps.exclude(step__in=sorted(STOPPABLE)).exists()

    @property
    def takes_two(self) -> bool:
        """Say whether going on sends money again, so that two people have to agree."""
        return self.problem_kind in TAKES_TWO


def keep_lease(pk: UUID, *, holder: UUID, seconds: float) -> bool:
    """Prolong the right to work on a closure, unless it has run out and somebody has it now."""
    ours = Closure.objects.filter(pk=pk, state=ClosureState.RUNNING, lease_holder=holder)
    return ours.update(lease_until=Now() + timedelta(seconds=seconds)) == 1


def take_lease(pk: UUID, *, holder: UUID, seconds: float) -> bool:
    """Claim the right to work on a closure; one UPDATE decides between claimants."""
    free = Closure.objects.filter(FREE, pk=pk, state=ClosureState.RUNNING)
    until = Now() + timedelta(seconds=seconds)
    return free.update(lease_holder=holder, lease_until=until) == 1


class ClosureStep(CustomerOwned):
    """One thing that was done or found out, kept for ever."""

    id = models.BigAutoField(primary_key=True)
    closure = models.ForeignKey(Closure, on_delete=models.PROTECT, related_name="steps")
    step = models.CharField(max_length=13, choices=Step.choices)
    what = models.CharField(max_length=32)
    words = models.CharField(max_length=500, blank=True)
    details = models.JSONField(default=dict, blank=True, help_text="Ids of what it was done with.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.step} {self.what}"
