"""The second factor of a member of staff: an app on their phone that shows a new code each time."""

import hmac
import math
from datetime import datetime, timedelta
from typing import Final

from django.db import models
from django.utils import timezone
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import hotp

from core.db.sealed import SealedColumn, open_from

STEP_SECONDS: Final = 30
DIGITS: Final = 6
_TOLERANCE: Final = 1  # a code is good for half a minute before and after its own


class StaffDevice(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc]  # untyped
    """
    A confirmed authenticator app.

    django-otp's own table keeps the secret readable; here it is sealed like every other one.
    """

    sealed_key = SealedColumn(null=True)
    last_step = models.BigIntegerField(default=-1, editable=False)

    class Meta:
        app_label = "core"
        default_permissions = ()  # no page shows it
        constraints = [models.UniqueConstraint(fields=["user"], name="core_staffdevice_one_each")]

    def __str__(self) -> str:
        return f"second factor of {self.user_id}"

    # Mutators

    def verify_token(self, token: str) -> bool:
        """Accept a code once; a wrong one makes the next wait, each time twice as long."""
        is_allowed, _ = self.verify_is_allowed()
        if not is_allowed:
            return False
        step = matching_step(
            open_from(self, "sealed_key"), token, at=timezone.now(), after=self.last_step
        )
        if step is None:
            self.throttle_increment()
            return False
        self.last_step = step
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    # Queries

    def get_throttle_factor(self) -> int:
        """Say how many seconds the first wrong code costs."""
        return 1

    def wait_seconds(self, *, at: datetime) -> int:
        """Say how long no code will be looked at."""
        is_allowed, reason = self.verify_is_allowed()
        if is_allowed or reason is None:
            return 0
        left: timedelta = reason["locked_until"] - at
        return max(1, math.ceil(left.total_seconds()))


def matching_step(secret: bytes, code: str, *, at: datetime, after: int = -1) -> int | None:
    """Find the step of time later than `after` whose code this is."""
    now = int(at.timestamp()) // STEP_SECONDS
    for step in range(max(now - _TOLERANCE, after + 1), now + _TOLERANCE + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            return step
    return None


def code_at(secret: bytes, step: int) -> str:
    """Compute the code that the app shows during one step of time."""
    return f"{hotp(secret, step, digits=DIGITS):0{DIGITS}}"
