"""`manage.py watch`: the live value of an account in the terminal."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console import demo
from console.wire import Api, StoryError
from core.errors import CleraError

FOREVER = 10**9


class Command(BaseCommand):
    """Rewrites one line with every message until Ctrl-C."""

    help = "Show the demo customer's value (or another's, with --token) as it moves."

    def add_arguments(self, parser: CommandParser) -> None:
        default = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
        parser.add_argument("--url", default=os.environ.get("CLERA_URL") or default)
        parser.add_argument("--token", help="a customer's access token")
        parser.add_argument("--account", help="the account's id; the first one when left out")
        parser.add_argument("--seconds", type=float, default=FOREVER)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            self._watch(options)
        except (StoryError, CleraError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("")

    def _watch(self, options: dict[str, Any]) -> None:
        token = options["token"] or demo.mint_token().access_token
        api = Api(options["url"], token, show=self.stdout.write)
        account = options["account"] or self._first_account(api)
        ending = "\r" if sys.stdout.isatty() else "\n"
        for message in api.values(account, seconds=options["seconds"]):
            mark = "old prices" if message["stale"] else "live"
            self.stdout.write(
                f"{message['total_value']:>16}   today {message['today_return']:<24} {mark:<12}",
                ending=ending,
            )
            self.stdout.flush()

    def _first_account(self, api: Api) -> str:
        accounts = api.get("/api/me", quiet=True)["accounts"]
        if not accounts:
            raise StoryError("This customer has no account yet; `make demo` opens one.")
        return str(accounts[0]["id"])
