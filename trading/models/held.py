"""What an order waits for here before the broker hears of it, and how it goes on."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models

from core.clock import Now
from core.db.columns import PriceColumn
from core.intents.models import CLOSED, Intent
from core.intents.states import IntentState
from trading.states import AfterHours, HeldFor


class Holdable(Intent):
    """An intent that may be held back: by a kill switch, or until the market opens."""

    after_hours = models.CharField(
        max_length=16, choices=AfterHours.choices, default=AfterHours.REFUSE, blank=True
    )
    ready_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="Since when it may be sent."
    )
    held_for = models.CharField(max_length=11, choices=HeldFor.choices, blank=True)
    opens_at = models.DateTimeField(
        null=True, blank=True, help_text="The opening of the session that it waits for."
    )
    held_price = PriceColumn(
        null=True, blank=True, help_text="What the market asked when it was held back."
    )

    class Meta(Intent.Meta):
        abstract = True

    # Mutators

    def advance(self, to: IntentState, *, at: datetime, reason: str = "", **changes: Any) -> None:
        """Make one move; what is no longer held is held for nothing. See `Intent.advance`."""
        if to != IntentState.HELD:
            changes["held_for"] = ""
        super().advance(to, at=at, reason=reason, **changes)

    def wait_for_open(self, *, opens_at: datetime, price: Decimal | None, at: datetime) -> None:
        """Put it aside until a session opens; `price` is what the market asks now."""
        self.advance(
            IntentState.HELD,
            at=at,
            reason="It waits for the market to open.",
            reason_code="queued_for_open",
            held_for=HeldFor.OPEN,
            opens_at=opens_at,
            held_price=price,
        )

    def let_pass(self, *, at: datetime) -> None:
        """Make it ready to be sent."""
        self.advance(
            IntentState.PENDING,
            at=at,
            reason="It was held back and may be sent now.",
            reason_code="",
            ready_at=Now(),
            due_at=Now(),
        )
        self.refresh_from_db(fields=["ready_at", "due_at"])

    def lapse(self, *, reason: str, rule: str, at: datetime) -> None:
        """End it, since it is no longer what the customer wished for."""
        self.advance(IntentState.CANCELED, at=at, reason=reason, reason_code=rule, **CLOSED)

    def look_later(self, wait: timedelta) -> None:
        """Leave it held, and let the others have their turn first."""
        self.due_at = Now() + wait
        self.save(update_fields=["due_at"])
        self.refresh_from_db(fields=["due_at"])
