"""Where our lots and the broker's positions differ."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q

from core.clock import Now
from core.db.columns import QuantityColumn, finite
from core.ids import new_id
from core.models import CustomerOwned
from trading.models.orders import ACCOUNT
from trading.states import DRIFT_MOVES, UNSETTLED_DRIFT, DriftRemedy, DriftState

# What an account has at most one of for each symbol.
STANDING = UNSETTLED_DRIFT | {DriftState.ACCEPTED}


class PositionDrift(CustomerOwned):
    """
    A symbol of which the broker shows another quantity than our lots add up to.

    Whoever proposes a remedy may not confirm it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account: "models.ForeignKey[Any, Any]" = models.ForeignKey(
        ACCOUNT, on_delete=models.PROTECT, related_name="+"
    )
    symbol = models.CharField(max_length=32)
    ours = QuantityColumn()
    theirs = QuantityColumn()
    state = models.CharField(max_length=9, choices=DriftState.choices, default=DriftState.SUSPECTED)
    remedy = models.CharField(max_length=5, choices=DriftRemedy.choices, blank=True)
    note = models.CharField(max_length=300, blank=True)
    proposed_by = models.CharField(max_length=300, blank=True)
    proposed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.CharField(max_length=300, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Since when it differs by so much."
    )
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        permissions = [
            ("propose_positiondrift", "May propose how a difference of positions is settled"),
            ("confirm_positiondrift", "May settle one that somebody else has proposed"),
        ]
        constraints = [
            finite("ours", name="trading_drift_ours"),
            finite("theirs", name="trading_drift_theirs"),
            models.CheckConstraint(
                condition=Q(state__in=DriftState.values), name="trading_drift_state"
            ),
            models.UniqueConstraint(
                fields=["account", "symbol"],
                condition=Q(state__in=sorted(STANDING)),
                name="trading_drift_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[DriftState.SETTLED, DriftState.ACCEPTED])
                | (~Q(confirmed_by="") & ~Q(confirmed_by=F("proposed_by"))),
                name="trading_drift_two_persons",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account"],
                condition=Q(state__in=sorted(UNSETTLED_DRIFT)),
                name="trading_drift_unsettled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.theirs - self.ours}"

    # Mutators

    def advance(self, to: DriftState, *, at: datetime, **changes: Any) -> None:
        """
        Make one move of the table and save it; the caller holds the account's lock.

        :raises ValueError: when the table has no such move.
        """
        if to not in DRIFT_MOVES[DriftState(self.state)]:
            raise ValueError(f"A drift cannot go from {self.state} to {to}.")
        self.state = to
        for name, value in changes.items():
            setattr(self, name, value)
        if to not in UNSETTLED_DRIFT:
            self.settled_at = at
        self.save()

    def forget_proposal(self, *, at: datetime) -> None:
        """Open it again without what somebody has proposed."""
        self.advance(DriftState.OPEN, at=at, remedy="", note="", proposed_by="", proposed_at=None)
