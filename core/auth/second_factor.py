"""The second factor of the admin: a code from an app, asked for after the password."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from core import audit
from core.auth.principals import Principal
from core.auth.staff_device import StaffDevice, matching_step
from core.db.sealed import seal_into
from core.errors import CleraError, NotFound

_SECRET_BYTES: Final = 20  # what RFC 4226 recommends and every app takes
_NAME: Final = "authenticator"
# What opens before the second factor does: the way in, and the way out.
_OPEN: Final = ("admin:login", "admin:logout", "admin:second_factor", "admin:second_factor_enrol")


class CodeRefused(CleraError):
    code = "code_refused"
    status = 403
    detail = "This is not the code that the app shows now, or it was used already."


class CodesThrottled(CleraError):
    code = "codes_throttled"
    status = 429
    detail = "Too many wrong codes."


class AlreadyEnrolled(CleraError):
    code = "already_enrolled"
    status = 409
    detail = "A second factor is set up already."


class SecondFactorGate:
    """
    Leads signed-in staff to the second factor until their session has passed it.

    It stands before `StaffSeesEverything`, so that a password alone shows no row.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith("/admin/") or not is_missing(request):
            return self._get_response(request)
        if request.path in {reverse(name) for name in _OPEN}:
            return self._get_response(request)
        wanted = {"next": request.get_full_path()} if request.method == "GET" else {}
        return HttpResponseRedirect(f"{reverse('admin:second_factor')}?{urlencode(wanted)}")


def is_missing(request: HttpRequest) -> bool:
    """Say whether this session of a member of staff has yet to show its second factor."""
    user: Any = request.user
    is_staff = user.is_active and user.is_staff
    return bool(settings.STAFF_SECOND_FACTOR and is_staff and user.otp_device is None)


def device_of(user: User) -> StaffDevice | None:
    """Find the app that a member has set up."""
    device: StaffDevice | None = StaffDevice.objects.filter(user=user).first()
    return device


def new_secret() -> bytes:
    """Draw the secret that an app and this server are going to share."""
    return secrets.token_bytes(_SECRET_BYTES)


def enrol(user: User, *, secret: bytes, code: str, at: datetime) -> StaffDevice:
    """
    Keep the secret as the member's second factor, once a first code shows that their app has it.

    :raises CodeRefused: the app does not have it, or its clock is wrong.
    :raises AlreadyEnrolled: another session was faster.
    """
    step = matching_step(secret, code, at=at)
    if step is None:
        raise CodeRefused
    with transaction.atomic():
        device: StaffDevice
        device, is_new = StaffDevice.objects.get_or_create(
            user=user, defaults={"name": _NAME, "last_step": step}
        )
        if not is_new:
            raise AlreadyEnrolled
        seal_into(device, "sealed_key", secret)
        device.save(update_fields=["sealed_key"])
        _record("staff.second_factor_enrolled", user, by=Principal.staff(user.pk))
    return device


def verify(user: User, *, code: str, at: datetime) -> StaffDevice:
    """
    Accept the code of a member's app, once.

    :raises CodeRefused: it is wrong or was used before, and the next one has to wait; or the
        member's second factor is gone.
    :raises CodesThrottled: too soon after wrong ones; this one was not even looked at.
    """
    with transaction.atomic():  # left without an error, so that a wrong code stays counted
        found = StaffDevice.objects.select_for_update().filter(user=user)
        device: StaffDevice | None = found.first()
        if device is None:
            raise CodeRefused
        wait = device.wait_seconds(at=at)
        is_right = wait == 0 and device.verify_token(code)
        if is_right:
            _record("staff.signed_in", user, by=Principal.staff(user.pk))
        elif wait == 0:
            count = device.throttling_failure_count
            _record("staff.code_refused", user, by=Principal.staff(user.pk), in_a_row=count)
    if wait:
        raise CodesThrottled(
            f"Too many wrong codes. Try again in {wait} s.", retry_after_seconds=wait
        )
    if not is_right:
        raise CodeRefused
    return device


def reset(user: User, *, by: Principal | str) -> None:
    """
    Forget a member's second factor; sessions that used it are outside again at once.

    :raises NotFound: there is none.
    """
    with transaction.atomic():
        count, _ = StaffDevice.objects.filter(user=user).delete()
        if not count:
            raise NotFound("This member has no second factor.")
        _record("staff.second_factor_reset", user, by=by)


def _record(action: str, user: User, *, by: Principal | str, **details: Any) -> None:
    audit.record(action, principal=by, subject_kind="auth.User", subject_id=user.pk, **details)
