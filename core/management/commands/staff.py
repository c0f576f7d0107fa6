"""Make members of the staff, list them, and help those who cannot get in."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.auth import api_keys, lockout, second_factor, staff_members
from core.auth.roles import Role
from core.auth.staff_members import SUPERUSER, Standing
from core.backoffice import columns
from core.errors import CleraError

_BY = api_keys.COMMAND


class Command(BaseCommand):
    help = "Members of the staff: create, list, reset-factor (a lost phone), unlock."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a member and print the password once")
        create.add_argument("username")
        create.add_argument("--role", required=True, choices=[*Role, SUPERUSER])
        actions.add_parser("list", help="show who may do what, and who is locked out")
        reset = actions.add_parser("reset-factor", help="forget the second factor: a lost phone")
        reset.add_argument("username")
        unlock = actions.add_parser("unlock", help="forget wrong passwords: a locked-out member")
        unlock.add_argument("username")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action.replace('-', '_')}")(options)
        except CleraError as error:
            raise CommandError(error.detail) from error

    def _create(self, options: dict[str, Any]) -> None:
        role = options["role"]
        new = staff_members.create(
            username=options["username"], standing=Standing.named(role), by=_BY
        )
        self._tell(f"{options['username']} is a member of the staff now, as {role}.")
        self._tell("They sign in at /admin/ with the password below and change it there, by the")
        self._tell("menu at the bottom left." + _second_step())
        self._tell("The password is shown this once:")
        self.stdout.write(new.password)

    def _list(self, _: dict[str, Any]) -> None:
        at = timezone.now()
        members = list(staff_members.list_members())
        locked = lockout.locked_among([user.get_username() for user in members], at=at)
        rows = [
            [
                user.get_username(),
                Standing.of(user).name,
                "active" if user.is_active else "ended",
                "set up" if getattr(user, "has_second_factor", False) else "none yet",
                columns.ago(user.last_login, at=at),
                "locked out" if user.get_username() in locked else "",
            ]
            for user in members
        ]
        headers = ["member", "role", "state", "second factor", "last sign-in", ""]
        self.stdout.write(columns.plain_table(headers, rows))

    def _reset_factor(self, options: dict[str, Any]) -> None:
        user = staff_members.find(options["username"])
        second_factor.reset(user, by=_BY)
        self._tell(f"The second factor of {user.get_username()} is forgotten. Whoever signs in")
        self._tell("next with their password sets up a new one: have them do so now.")

    def _unlock(self, options: dict[str, Any]) -> None:
        user = staff_members.find(options["username"])
        count = lockout.unlock(user, by=_BY)
        self._tell(f"{user.get_username()} may try again; wrong passwords forgotten: {count}.")

    def _tell(self, text: str) -> None:
        """Explain on the other stream, so that a script reads nothing but the result."""
        self.stderr.write(text, str)  # as it is: red is for errors


def _second_step() -> str:
    if settings.STAFF_SECOND_FACTOR:
        return " Then they scan a code with an authenticator app."
    return ""
