"""Whose rows the database shows: a short transaction that carries the principal."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from core.auth.principals import Principal
from core.tracing import current_request_id

# The old values are read first, in the same round trip, so that a nested use can put them back.
# The last two are what the audit trail writes beside each change.
_SWITCH = """
    WITH before AS MATERIALIZED (
        SELECT current_setting('clera.user_id', true) AS user_id,
               current_setting('clera.system', true) AS is_system,
               current_setting('clera.principal', true) AS principal,
               current_setting('clera.request_id', true) AS request_id
    )
    SELECT before.*,
           set_config('clera.user_id', %s, true), set_config('clera.system', %s, true),
           set_config('clera.principal', %s, true), set_config('clera.request_id', %s, true)
      FROM before
"""
_Settings = tuple[str, str, str, str]


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """
    Open a transaction in which row-level security shows what `principal` may see.

    The settings end with the transaction. Inside an outer one they are put back on a normal
    exit; on an exception PostgreSQL does so itself when it rolls back to the savepoint.
    """
    is_nested = connection.in_atomic_block
    with transaction.atomic():
        before = _switch(_settings_of(principal))
        yield
        if is_nested and not connection.needs_rollback:
            _switch(before)


def _settings_of(principal: Principal) -> _Settings:
    return (
        principal.user_id or "",
        "on" if principal.sees_everything else "off",
        principal.name,
        current_request_id() or "",
    )


def _switch(values: _Settings) -> _Settings:
    with connection.cursor() as cursor:
        cursor.execute(_SWITCH, values)
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - the query has no condition
    return row[0] or "", row[1] or "", row[2] or "", row[3] or ""
