"""Make, list, rotate and revoke the API keys of services."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.auth import api_keys
from core.auth.api_keys import NewKey
from core.backoffice import columns
from core.errors import CleraError


class Command(BaseCommand):
    help = "API keys: create, list, rotate, revoke. The text of a key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        self._add_create(actions.add_parser("create", help="make a key and print it once"))
        actions.add_parser("list", help="show every key without its secret")
        rotate = actions.add_parser("rotate", help="make a successor; both work for a while")
        rotate.add_argument("public_id")
        hours = round(api_keys.OVERLAP / timedelta(hours=1))
        rotate.add_argument("--overlap-hours", type=int, default=hours, metavar="HOURS")
        revoke = actions.add_parser("revoke", help="end a key at once")
        revoke.add_argument("public_id")

    def _add_create(self, create: ArgumentParser) -> None:
        create.add_argument("--label", required=True, help="who uses it and for what")
        create.add_argument("--owner", required=True, help="the person or team answering for it")
        create.add_argument(
            "--scope",
            action="append",
            required=True,
            dest="scopes",
            choices=sorted(api_keys.KEY_SCOPES),
            help="repeat for each",
        )
        life = create.add_mutually_exclusive_group()
        days = api_keys.LIFE.days
        life.add_argument("--days", type=int, default=days, help=f"end after so many ({days})")
        life.add_argument("--never", action="store_true", help="live until it is revoked")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except CleraError as error:
            raise CommandError(error.detail) from error

    def _create(self, options: dict[str, Any]) -> None:
        if options["days"] < 1:
            raise CommandError("A key lives for a day at least; say --days 1 or more.")
        end = None if options["never"] else timezone.now() + timedelta(days=options["days"])
        new = api_keys.create(
            label=options["label"],
            owner=options["owner"],
            scopes=options["scopes"],
            expires_at=end,
        )
        self._tell(f"Made key {new.key.public_id}, which {_until(end)}.")
        self._show(new)

    def _rotate(self, options: dict[str, Any]) -> None:
        old, hours = options["public_id"], options["overlap_hours"]
        if hours < 0:
            raise CommandError("The overlap is a number of hours, 0 or more.")
        at = timezone.now()
        new = api_keys.rotate(public_id=old, at=at, overlap=timedelta(hours=hours))
        self._tell(f"Made key {new.key.public_id}, which {_until(new.key.expires_at)}.")
        self._tell(f"The old one, {old}, works for {hours} h more at most. Give the new one to")
        self._tell("whoever uses it; once `list` shows the old one unused, end it for good:")
        self._tell(f"  manage.py api_key revoke {old}")
        self._show(new)

    def _revoke(self, options: dict[str, Any]) -> None:
        api_keys.revoke(public_id=options["public_id"], at=timezone.now())
        self.stdout.write(f"{options['public_id']} is revoked.")

    def _list(self, _: dict[str, Any]) -> None:
        keys, at = api_keys.list_keys(), timezone.now()
        if not keys:
            self._tell("There are no keys yet; `api_key create --help` says how to make one.")
            return
        rows = [
            [
                key.public_id,
                key.state(at=at).lower(),
                key.label,
                key.owner,
                _day(key.expires_at),
                columns.ago(key.last_used_at, at=at),
                str(key.family)[-6:],
                " ".join(key.scopes),
            ]
            for key in keys
        ]
        headers = ["key", "state", "label", "owner", "ends", "used", "family", "scopes"]
        self.stdout.write(columns.plain_table(headers, rows))

    def _show(self, new: NewKey) -> None:
        self._tell("Its text is shown this once; only a hash of it is kept:")
        self.stdout.write(new.text)

    def _tell(self, text: str) -> None:
        """Explain on the other stream, so that a script reads nothing but the key."""
        self.stderr.write(text, str)  # as it is: red is for errors


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"


def _until(end: datetime | None) -> str:
    return f"ends on {_day(end)}" if end else "lives until it is revoked"
