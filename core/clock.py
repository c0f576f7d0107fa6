"""The database's clock, which decides about leases, deadlines and expiry."""

from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Func


class Now(Func):
    """`clera_now()`: the wall clock of the database, moved only by tests."""

    function = "clera_now"
    template = "%(function)s()"
    output_field = DateTimeField()


def database_now() -> datetime:
    """Ask the database what time it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clera_now()")
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - SELECT of a function has one row
    now: datetime = row[0]
    return now
