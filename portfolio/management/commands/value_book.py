"""Value all accounts at once: keep the day's end when it is due, or only look."""

from argparse import ArgumentParser
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from core.errors import CleraError
from portfolio import services
from portfolio.whole_book.valuing import ValuedPart


class Command(BaseCommand):
    help = "Keep what every account is worth after today's close; workers do so by themselves."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="value everything as it is now and keep nothing"
        )

    def handle(self, *_: Any, dry_run: bool, **__: Any) -> None:
        began, valued = perf_counter(), 0

        def show(part: ValuedPart) -> None:
            nonlocal valued
            valued += len(part)
            self.stdout.write(f"{valued:>12,} accounts  {perf_counter() - began:7.1f} s")

        run = services.preview_book if dry_run else services.value_book
        try:
            totals = run(at=timezone.now(), look=show)
        except CleraError as error:
            raise CommandError(error.detail) from error
        if totals is None:
            self.stdout.write(
                "Nothing is due: today has no session, it is not over, its accounts are valued,"
                " another process values them now, or a vendor that has not answered is asked"
                " again in some minutes."
            )
            return
        self.stdout.write(
            f"Valued {totals.account_count:,} accounts, {totals.incomplete_count:,} of them without"
            f" a total because a price lacks; {totals.kept_count:,} rows written."
        )
