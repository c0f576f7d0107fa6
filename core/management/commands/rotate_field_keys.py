"""Seal everything anew with the newest key, and say which old keys may go."""

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core import crypto, resealing
from core.backoffice import columns
from core.resealing import Census, Place, Rotation

PATIENCE_SECONDS: Final = 60
_TELL_EVERY_SECONDS: Final = 2.0
_NO_KEY: Final = "(missing)"


class Command(BaseCommand):
    help = "Seal every value anew with the newest of FIELD_KEYS; stop and repeat it as you like."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count only, change nothing")
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE_SECONDS,
            metavar="SECONDS",
            help=f"come back to locked rows for so long ({PATIENCE_SECONDS})",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if not crypto.key_ids():
            raise CommandError("FIELD_KEYS is empty; there is no key to seal with.")
        counted = resealing.count()
        if options["dry_run"]:
            self._show(counted)
        else:
            self._rotate(counted, patience_seconds=options["patience"])

    def _show(self, counted: Census) -> None:
        rows = [
            [place.table, place.column, _named(key_id), f"{number:,}"]
            for place, counter in counted.items()
            for key_id, number in sorted(counter.items(), key=lambda pair: _named(pair[0]))
        ]
        self.stdout.write(columns.plain_table(["table", "column", "key", "values"], rows))
        self._conclude(counted)

    def _rotate(self, counted: Census, *, patience_seconds: float) -> None:
        progress = _Progress(self, wanted=resealing.outdated(counted))
        rotation = Rotation(tell=progress.tell)
        try:
            after = rotation.run(patience_seconds=patience_seconds)
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped after {_values(rotation.resealed)}; run it again for the rest."
            ) from None
        self.stdout.write(f"Resealed with {crypto.key_ids()[0]}: {_values(rotation.resealed)}.")
        for unopened in rotation.unopened:
            self.stderr.write(f"Cannot be opened: {unopened}.")
        self._conclude(after)
        if resealing.outdated(after):
            raise CommandError(_what_is_left(after, unopened=len(rotation.unopened)))

    def _conclude(self, counted: Census) -> None:
        """Say of each old key whether it is still needed."""
        totals: Counter[str | None] = sum(counted.values(), Counter())
        newest, *old = crypto.key_ids()
        self.stdout.write(f"{newest} is the newest key and seals {_values(totals[newest])}.")
        for key_id in old:
            if totals[key_id]:
                self.stdout.write(f"{key_id} still seals {_values(totals[key_id])}: keep it.")
            else:
                self.stdout.write(f"{key_id} seals nothing: take it out of FIELD_KEYS now.")
        if totals[None]:
            self.stdout.write(
                f"Keys that FIELD_KEYS does not have seal {_values(totals[None])}: put them back."
            )


class _Progress:
    """Tells now and then how far it is."""

    def __init__(self, command: BaseCommand, *, wanted: int) -> None:
        self._write = command.stdout.write
        self._wanted = wanted
        self._done = 0
        self._told_at = time.monotonic()

    def tell(self, place: Place, number: int) -> None:
        """Hear of one batch."""
        self._done += number
        if time.monotonic() - self._told_at >= _TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            self._write(f"{self._done:,} of {self._wanted:,}, now at {place}")


def _named(key_id: str | None) -> str:
    return _NO_KEY if key_id is None else key_id


def _values(number: int) -> str:
    return "1 value" if number == 1 else f"{number:,} values"


def _what_is_left(counted: Census, *, unopened: int) -> str:
    left = resealing.outdated(counted)
    busy = max(0, left - unopened)
    why = [
        *([f"{busy:,} locked, or of a process with old FIELD_KEYS: run it again"] if busy else []),
        *([f"{unopened:,} not to be opened, see above"] if unopened else []),
    ]
    return f"Left as it was: {_values(left)} ({'; '.join(why)})."
