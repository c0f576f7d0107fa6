"""Wrong passwords at the admin's door: django-axes counts them for each name and address."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from axes.utils import reset
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest

from core import audit
from core.api.addresses import client_address, network_of
from core.auth.principals import Principal
from core.crypto import blind_index

logger = structlog.get_logger()
_NOBODY: Final = "sign-in"


def watch() -> None:
    """Have every lock recorded; called once, when the apps are ready."""
    user_locked_out.connect(_note, dispatch_uid="core.auth.lockout")


def name_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """
    Name whom an attempt was for, in `AXES_USERNAME_CALLABLE`.

    Equal names are all that counting needs, and what is typed into the wrong field is a password.
    """
    return _hidden(str((credentials or request.POST).get("username") or ""))


def address_of(request: HttpRequest) -> str | None:
    """Tell where an attempt came from, in `AXES_CLIENT_IP_CALLABLE`: an IPv6 /64 is one place."""
    address = client_address(request.META)
    return network_of(address).partition("/")[0] if address else None


def locked_among(usernames: Collection[str], *, at: datetime) -> set[str]:
    """Say which of these names are locked out from at least one address."""
    names = {_hidden(name): name for name in usernames}
    full = (
        AccessAttempt.objects.filter(
            username__in=names, attempt_time__gte=at - settings.AXES_COOLOFF_TIME
        )
        .order_by()
        .values("username", "ip_address")
        .annotate(failures=Sum("failures_since_start"))
        .filter(failures__gte=settings.AXES_FAILURE_LIMIT)
    )
    return {names[found["username"]] for found in full}


def unlock(user: User, *, by: Principal | str) -> int:
    """Forget a member's wrong passwords, from every address, and say how many places had some."""
    with transaction.atomic():
        count = int(reset(username=_hidden(user.get_username())))
        _record("staff.unlocked", user, by=by)
    return count


def _note(request: Any, **_: Any) -> None:
    """Record a lock when it falls, and not again for what is refused while it lasts."""
    if request.axes_failures_since_start is None:
        return
    name = (request.axes_credentials or {}).get("username")
    user = User.objects.filter(username=name).first()
    logger.warning("staff.locked_out", id=user.pk if user else None)
    _record("staff.locked_out", user, by=_NOBODY)


def _record(action: str, user: User | None, *, by: Principal | str) -> None:
    subject_id = user.pk if user else ""
    audit.record(action, principal=by, subject_kind="auth.User", subject_id=subject_id)


def _hidden(username: str) -> str:
    return blind_index(username, purpose="staff_username")
