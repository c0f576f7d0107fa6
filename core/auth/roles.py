"""What each role of the staff may do: one table, which every `migrate` puts into the database."""

from enum import StrEnum
from typing import Any, Final

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from django.db.models.signals import post_migrate


class Role(StrEnum):
    """Each may do what the one before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"


# Whoever works here sees how everything stands. Members, roles and sessions are a superuser's.
_SEEN: Final = (
    "accounts", "agents", "chat", "closure", "core", "funding", "ledger", "market", "portfolio",
    "trading",
)  # fmt: skip
GRANTS: Final[dict[Role, frozenset[str]]] = {
    Role.VIEWER: frozenset(f"{app}.view_*" for app in _SEEN),
    Role.OPERATOR: frozenset(
        {
            "accounts.operate_brokerageaccount",
            "accounts.reveal_pii",
            "closure.operate_closure",
            "funding.propose_verdict",
            "funding.resolve_transferreturn",
            "ledger.propose_drift",
            "trading.cancel_order",
            "trading.order_killswitch",
            "trading.propose_positiondrift",
        }
    ),
    Role.APPROVER: frozenset(
        {
            "accounts.approve_brokerageaccount",
            "closure.confirm_closure",
            "core.manage_apikey",
            "funding.change_transferlimit",
            "funding.confirm_verdict",  # settles what the broker shows no trace of
            "ledger.resolve_drift",
            "trading.change_restrictedsymbol",
            "trading.change_risklimit",
            "trading.confirm_positiondrift",
            "trading.lift_killswitch",
            "trading.settle_order",  # of which the broker shows no trace
        }
    ),
}
NAMES: Final = frozenset(role.value for role in Role)


def watch() -> None:
    """Have the table applied after each `migrate`; called once, when the apps are ready."""
    # The turn of the last app that has tables comes when every permission is there.
    *_, last = (config for config in apps.get_app_configs() if config.models_module)
    post_migrate.connect(_apply_after_migrating, sender=last, dispatch_uid="core.auth.roles")


def apply() -> None:
    """Make each role's group grant exactly what the table says and the database knows of."""
    granted: frozenset[str] = frozenset()
    for role in Role:
        granted |= GRANTS[role]
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.set(Permission.objects.filter(_matching(granted)))


def _apply_after_migrating(sender: AppConfig, **_: Any) -> None:  # noqa: ARG001 - Django's names
    apply()


def _matching(names: frozenset[str]) -> Q:
    """Ask for permissions by name, of which `app.view_*` means all that begin so."""
    wanted = Q(pk__in=[])
    for name in sorted(names):
        app, _, codename = name.partition(".")
        lookup = "startswith" if codename.endswith("*") else "exact"
        wanted |= Q(
            content_type__app_label=app, **{f"codename__{lookup}": codename.removesuffix("*")}
        )
    return wanted
