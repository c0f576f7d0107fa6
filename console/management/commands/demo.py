"""`manage.py demo`: the whole story through the public API, every request and answer printed."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.story import Story
from console.wire import StoryError
from core.errors import CleraError


class Command(BaseCommand):
    """Tells the story to the terminal; exits with 1 when a chapter fails."""

    help = "Open, fund, buy, watch, ask and approve as a new customer, over HTTP."

    def add_arguments(self, parser: CommandParser) -> None:
        default = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
        parser.add_argument("--url", default=os.environ.get("CLERA_URL") or default)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            facts = Story(options["url"], show=self.stdout.write).tell()
        except (StoryError, CleraError) as error:
            raise CommandError(str(error)) from error
        held = ", ".join(facts["symbols"])
        self.stdout.write(self.style.SUCCESS(f"\nDone: the new customer holds {held}."))
