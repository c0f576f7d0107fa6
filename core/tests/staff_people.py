"""Members of the staff for tests: with a role, and with an app that shows codes."""

import time

from django.contrib.auth.models import User
from django.test import Client

from core.audit.models import AuditEntry
from core.auth import SYSTEM, acting_as, second_factor, staff_members
from core.auth.staff_device import STEP_SECONDS, StaffDevice, code_at
from core.auth.staff_members import Standing
from core.db.sealed import open_from, seal_into

PASSWORD = "the-members-own-words"
SECRET = b"twenty bytes of truth"[:20]


def member(name: str, role: str = "") -> User:
    """Make a member with a known password; `role` may be `superuser` or nothing."""
    user = staff_members.create(username=name, standing=Standing.named(role), by="tests").user
    user.set_password(PASSWORD)
    user.is_staff = True  # also without a role: the door opens, the rooms do not
    user.save()
    return user


def signed_in(user: User) -> Client:
    """Make a browser whose session has passed everything that is asked."""
    client = Client()
    client.force_login(user)
    device = StaffDevice.objects.filter(user=user).first()
    if device is not None:
        session = client.session
        session["otp_device_id"] = device.persistent_id
        session.save()
    return client


def enrolled(user):
    """Give a member an app whose secret the tests know."""
    device = StaffDevice.objects.create(user=user, name="authenticator")
    seal_into(device, "sealed_key", SECRET)
    device.save()
    return device


def code(secret: bytes = SECRET, *, later: int = 0) -> str:
    """Read the app: the code of now, or of a step that comes later."""
    return code_at(secret, int(time.time()) // STEP_SECONDS + later)


def secret_of(user):
    return open_from(second_factor.device_of(user), "sealed_key")


def actions(**wanted: object) -> list[tuple[str, str]]:
    """List what the audit trail holds: the action and who did it."""
    with acting_as(SYSTEM):
        found = AuditEntry.objects.filter(**wanted).exclude(principal="tests").order_by("pk")
        return [(entry.action, entry.principal) for entry in found]
