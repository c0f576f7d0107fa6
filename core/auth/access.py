"""Whose rows the database shows: a short transaction that carries the principal."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from core.auth.principals import Principal

# The old values are read first, in the same round trip, so that a nested use can put them back.
_SWITCH = """
    WITH before AS MATERIALIZED (
        SELECT current_setting('clera.user_id', true) AS user_id,
               current_setting('clera.system', true) AS is_system
    )
    SELECT before.user_id, before.is_system,
           set_config('clera.user_id', %s, true), set_config('clera.system', %s, true)
      FROM before
"""


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """
    Open a transaction in which row-level security shows what `principal` may see.

    The settings end with the transaction. Inside an outer one they are put back on a normal
    exit; on an exception PostgreSQL does so itself when it rolls back to the savepoint.
    """
    is_nested = connection.in_atomic_block
    with transaction.atomic():
        before = _switch(principal.user_id or "", "on" if principal.is_system else "off")
        yield
        if is_nested and not connection.needs_rollback:
            _switch(*before)


def _switch(user_id: str, is_system: str) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(_SWITCH, [user_id, is_system])
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - the query has no condition
    return row[0] or "", row[1] or ""
