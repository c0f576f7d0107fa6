"""Throwing the kill switch and lifting it, as a member of staff does."""

from datetime import UTC, datetime

from core.auth import Principal
from trading.services import switches
from trading.states import SwitchScope

STAFF = Principal.staff(7)


def now():
    return datetime.now(UTC)


def stop(scope=SwitchScope.GLOBAL, target="", *, reason="A program ran wild.", cancels=False):
    return switches.order_stop(
        staff=STAFF, scope=scope, target=target, reason=reason, cancels_open=cancels, at=now()
    )


def lift(switch, reason="It was stopped."):
    return switches.lift(staff=STAFF, switch_id=switch.pk, reason=reason, at=now())
