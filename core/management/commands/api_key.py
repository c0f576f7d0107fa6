"""Make, list, rotate and revoke the API keys of services."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.auth import api_keys
from core.errors import CleraError


class Command(BaseCommand):
    help = "API keys: create, list, rotate, revoke. The text of a key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key and print it once")
        create.add_argument("--label", required=True, help="who uses it and for what")
        create.add_argument(
            "--scope",
            action="append",
            required=True,
            dest="scopes",
            choices=sorted(api_keys.KEY_SCOPES),
            help="repeat for each",
        )
        create.add_argument("--days", type=int, help="end after this many days")
        actions.add_parser("list", help="show every key without its secret")
        rotate = actions.add_parser("rotate", help="make a successor; both work for a while")
        rotate.add_argument("public_id")
        rotate.add_argument("--overlap-hours", type=int, default=24)
        revoke = actions.add_parser("revoke", help="end a key at once")
        revoke.add_argument("public_id")

    def handle(self, *_: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except CleraError as error:
            raise CommandError(error.detail) from error

    def _create(self, options: dict[str, Any]) -> None:
        days = options["days"]
        expires_at = timezone.now() + timedelta(days=days) if days else None
        new = api_keys.create(
            label=options["label"], scopes=options["scopes"], expires_at=expires_at
        )
        self.stdout.write(new.text)

    def _list(self, _: dict[str, Any]) -> None:
        at = timezone.now()
        for key in api_keys.list_keys():
            state = "live" if key.is_live(at=at) else "ended"
            self.stdout.write(
                f"{key.public_id}  {state:5}  {key.label}  {' '.join(key.scopes)}"
                f"  expires {key.expires_at or 'never'}  used {key.last_used_at or 'never'}"
            )

    def _rotate(self, options: dict[str, Any]) -> None:
        new = api_keys.rotate(
            public_id=options["public_id"],
            at=timezone.now(),
            overlap=timedelta(hours=options["overlap_hours"]),
        )
        self.stdout.write(new.text)

    def _revoke(self, options: dict[str, Any]) -> None:
        api_keys.revoke(public_id=options["public_id"], at=timezone.now())
        self.stdout.write(f"{options['public_id']} is revoked.")
