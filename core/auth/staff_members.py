"""The members of the staff: who they are, which role they have, and how that is changed."""

import secrets
from dataclasses import dataclass
from typing import Any, Final, Self

from django.contrib.auth.models import Group, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from core import audit
from core.auth import roles
from core.auth.principals import Principal
from core.auth.roles import Role
from core.auth.staff_device import StaffDevice
from core.errors import Invalid, NotFound, RuleBroken

SUPERUSER: Final = "superuser"
NONE: Final = "none"
_PASSWORD_BYTES: Final = 15


@dataclass(frozen=True)
class Standing:
    """What a member is: a role, or everything, or nobody any more."""

    role: Role | None
    is_superuser: bool = False
    is_active: bool = True

    @classmethod
    def of(cls, user: User) -> Self:
        """Read it from the member's row and groups."""
        return cls(role_of(user), is_superuser=user.is_superuser, is_active=user.is_active)

    @classmethod
    def named(cls, name: str, *, is_active: bool = True) -> Self:
        """Make the standing that `name` names; without a name, none."""
        is_superuser = name == SUPERUSER
        role = Role(name) if name and not is_superuser else None
        return cls(role, is_superuser=is_superuser, is_active=is_active)

    @property
    def name(self) -> str:
        """Name the role in one word."""
        return SUPERUSER if self.is_superuser else self.role or NONE


@dataclass(frozen=True)
class NewMember:
    """A member just made; `password` is shown once."""

    user: User
    password: str

    def __repr__(self) -> str:
        return f"NewMember({self.user.pk})"


def role_of(user: User) -> Role | None:
    """Find the member's role; of several, the one that may do most."""
    held = {group.name for group in user.groups.all()}
    return next((role for role in reversed(Role) if role in held), None)


def find(username: str) -> User:
    """
    Find a member by name.

    :raises NotFound: nobody is called that.
    """
    user = User.objects.filter(username=username).first()
    if user is None:
        raise NotFound(f"No member of the staff is called {username}.")
    return user


def list_members() -> QuerySet[User]:
    """List everybody with their groups, and whether they have set up a second factor."""
    return with_standing(User.objects.order_by("username"))


def with_standing(users: QuerySet[User]) -> QuerySet[User]:
    """Add what a list of members shows, at the price of one query for all of them."""
    has_device = StaffDevice.objects.filter(user=OuterRef("pk"))
    named = Group.objects.filter(name__in=roles.NAMES)
    return users.annotate(has_second_factor=Exists(has_device)).prefetch_related(
        Prefetch("groups", queryset=named)
    )


def create(*, username: str, standing: Standing, by: Principal | str) -> NewMember:
    """
    Make a member with a password of their own, which the caller shows once.

    :raises Invalid: the name is taken, or is none.
    """
    try:
        UnicodeUsernameValidator()(username)
    except ValidationError as error:
        raise Invalid("A name has letters, digits and @ . + - _ only.") from error
    if User.objects.filter(username=username).exists():
        raise Invalid(f"Somebody is called {username} already.")
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    with transaction.atomic():
        user = User.objects.create_user(username, password=password)
        note("staff.created", user, by=by)
        set_standing(user, standing, by=by)
    return NewMember(user, password)


def set_standing(user: User, standing: Standing, *, by: Principal | str) -> None:
    """
    Give a member another role, or end or renew their membership, and record it.

    :raises RuleBroken: superusers do not take their own rights away; another one does.
    """
    with transaction.atomic():
        stored = User.objects.select_for_update().get(pk=user.pk)
        before = Standing.of(stored)
        if before == standing:
            return
        refuse_self_harm(stored, standing, by=by)
        _write(user, before, standing)
        if before.name != standing.name:
            note("staff.role_changed", user, by=by, before=before.name, after=standing.name)
        if before.is_active != standing.is_active:
            action = "staff.reactivated" if standing.is_active else "staff.deactivated"
            note(action, user, by=by)


def note(action: str, user: User, *, by: Principal | str, **details: Any) -> None:
    """Record something that was done about a member."""
    audit.record(action, principal=by, subject_kind="auth.User", subject_id=user.pk, **details)


def refuse_self_harm(user: User, after: Standing, *, by: Principal | str) -> None:
    """
    Keep superusers from locking themselves out.

    :raises RuleBroken: they would take their own rights away; another one does that.
    """
    keeps_all = after.is_superuser and after.is_active
    if user.is_superuser and not keeps_all and by == Principal.staff(user.pk):
        raise RuleBroken("Another superuser has to take your rights away.")


def _write(user: User, before: Standing, after: Standing) -> None:
    user.is_superuser, user.is_active = after.is_superuser, after.is_active
    if before.name != after.name:
        user.is_staff = after.name != NONE
    user.save(update_fields=["is_superuser", "is_active", "is_staff"])
    user.groups.remove(*Group.objects.filter(name__in=roles.NAMES))
    if after.role is not None:
        user.groups.add(Group.objects.get(name=after.role.value))
