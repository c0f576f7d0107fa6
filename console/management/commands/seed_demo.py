"""`manage.py seed_demo`: what a local run starts with; harmless to repeat."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from console.seeding import Seeding
from console.wire import StoryError
from core.errors import CleraError


class Command(BaseCommand):
    """Makes the operator, the API key and the demo customer of a local run."""

    help = "Make the demo operator, API key and customer of a local run."

    def add_arguments(self, parser: CommandParser) -> None:
        default = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
        parser.add_argument("--url", default=os.environ.get("CLERA_URL") or default)

    def handle(self, *_: Any, **options: Any) -> None:
        path = settings.LOCAL_DIR / "demo.json"
        try:
            facts = Seeding(options["url"], path, show=self.stdout.write).run(at=timezone.now())
        except (StoryError, CleraError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The demo customer's account is {facts['customer']['account_id']}.")
