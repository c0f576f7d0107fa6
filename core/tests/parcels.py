"""A small intent for tests, its table, and a vendor that can be told how to behave."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from django.db import connection, models

from core.auth import SYSTEM, acting_as
from core.errors import VendorError
from core.intents.couriers import Courier, Receipt
from core.intents.models import Intent
from core.intents.states import IntentState


class Parcel(Intent):
    vendor_id = models.CharField(max_length=64, blank=True)

    objects: ClassVar[models.Manager["Parcel"]] = models.Manager()

    class Meta:
        app_label = "core"


@contextmanager
def parcel_table() -> Iterator[None]:
    """Make the table as the owner does, and take it away again."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("DROP TABLE IF EXISTS core_parcel")
        with connection.schema_editor() as editor:
            editor.create_model(Parcel)
        cursor.execute("GRANT ALL ON core_parcel TO clera_app")
        cursor.execute("SET ROLE clera_app")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("DROP TABLE core_parcel")
        cursor.execute("SET ROLE clera_app")


@dataclass
class Vendor:
    """Keeps what it accepted; `answers` says how each call ends, the last one for ever."""

    answers: list[VendorError | None] = field(default_factory=lambda: [None])
    accepts: bool = True
    parcels: list[str] = field(default_factory=list)
    looks: int = 0
    look_error: VendorError | None = None

    def take(self, key: str) -> str:
        if self.accepts:
            self.parcels.append(key)
        error = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if error is not None:
            raise error
        return f"v-{key}"


class ParcelCourier(Courier[Parcel]):
    model = Parcel
    gives_up_after = timedelta(minutes=5)

    def __init__(self, vendor: Vendor, *, resends: bool = False) -> None:
        self.vendor = vendor
        self.resends = resends  # type: ignore[misc]  # a class constant outside tests
        self.outcomes: list[tuple[str, str]] = []

    def send(self, intent: Parcel) -> Receipt:
        return Receipt("taken", changes={"vendor_id": self.vendor.take(str(intent.pk))})

    def find(self, intent: Parcel) -> Receipt | None:
        self.vendor.looks += 1
        if self.vendor.look_error is not None:
            raise self.vendor.look_error
        if str(intent.pk) in self.vendor.parcels:
            return Receipt("taken", changes={"vendor_id": f"v-{intent.pk}"})
        return None

    def settled(self, intent: Parcel, *, before: IntentState, at: Any) -> None:
        self.outcomes.append((before, intent.state))


def new_parcel(**columns: Any) -> Parcel:
    with acting_as(SYSTEM):
        parcel = Parcel.objects.create(**columns)
        parcel.refresh_from_db()
        return parcel


def pass_time(seconds: int) -> None:
    """Move the database's clock for this session; another call adds to it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('clera.clock_offset', (coalesce(nullif(current_setting("
            "'clera.clock_offset', true), ''), '0')::interval + %s * interval '1 second')::text,"
            " false)",
            [seconds],
        )
