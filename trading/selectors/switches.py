"""Questions about kill switches: whether one stands in the way of an order."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import CharField, Exists, OuterRef, Q
from django.db.models.functions import Cast

from trading.models import KillSwitch, Order
from trading.states import SwitchScope

# What `standing` finds, for a statement that reads more than this; see `values_of`.
STANDING: Final = """
    SELECT reason FROM trading_killswitch
     WHERE lifted_at IS NULL
       AND (scope = 'GLOBAL' OR (scope = 'ACCOUNT' AND target = %(stopped_account)s)
            OR (scope = 'PRINCIPAL' AND target = ANY(%(stopped)s)))
     ORDER BY ordered_at, id LIMIT 1
"""


def values_of(account_id: UUID, stopped: Iterable[str]) -> dict[str, Any]:
    """Return what `STANDING` asks for."""
    return {"stopped_account": str(account_id), "stopped": sorted(set(stopped) - {""})}


def standing(*, account_id: str | UUID, user_id: str, placed_by: str = "") -> KillSwitch | None:
    """
    Return the oldest switch that stops the orders of this account now, or nothing.

    `placed_by` names the credential that asks, which may be stopped on its own. Ask inside the
    transaction that acts on the answer: a switch committed before it is then obeyed.
    """
    switches = KillSwitch.objects.over(account_id=account_id, user_id=user_id, placed_by=placed_by)
    return switches.order_by("ordered_at", "pk").first()


def standing_over(order: Order) -> KillSwitch | None:
    """Return a switch that stops this order now, or nothing; see `standing`."""
    return standing(account_id=order.account_id, user_id=order.user_id, placed_by=order.placed_by)


def is_stopped() -> Q:
    """Say in a query of orders which of them a switch stops now."""
    on = KillSwitch.objects.on()
    account = Cast(OuterRef("account_id"), CharField())
    return (
        Q(Exists(on.filter(scope=SwitchScope.GLOBAL)))
        | Q(Exists(on.filter(scope=SwitchScope.ACCOUNT, target=account)))
        | Q(Exists(on.filter(scope=SwitchScope.PRINCIPAL, target=OuterRef("user_id"))))
        | Q(Exists(on.filter(scope=SwitchScope.PRINCIPAL, target=OuterRef("placed_by"))))
    )


def list_switches(*, is_on: bool | None = None) -> list[KillSwitch]:
    """List the switches, the newest first; when asked, only those that stand, or were lifted."""
    switches = KillSwitch.objects.order_by("-ordered_at", "-pk")
    if is_on is not None:
        switches = switches.filter(lifted_at__isnull=is_on)
    return list(switches)
