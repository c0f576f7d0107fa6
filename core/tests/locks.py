"""Locks that tests hold on purpose."""

import time

from django.db import connection


def wait_until_somebody_waits() -> None:
    """Return once another transaction waits for a lock that somebody holds."""
    ends = time.monotonic() + 60
    with connection.cursor() as cursor:
        while time.monotonic() < ends:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            row = cursor.fetchone()
            if row and row[0]:
                return
            time.sleep(0.02)
    raise AssertionError("Nobody waits for our lock.")
