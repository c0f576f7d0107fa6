"""Emptying the database after a test that commits: only the tables that it has filled."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from django.test import TransactionTestCase

from core.auth import SYSTEM, acting_as, roles

# What `migrate` writes: Django's own way empties and rewrites it each time. Tests only add groups.
_KEPT = {
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}
# Deleting rows is on record, too.
_AUDIT = {"core_auditentry", "core_auditlink", "core_auditpending"}
_DELETABLE = """
    SELECT relname FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
       AND has_table_privilege(oid, 'DELETE')
"""
_REFERRING = """
    SELECT confrelid::regclass::text, conrelid::regclass::text
      FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""


def install() -> None:
    """Take the place of Django's flush, which empties every table whether it holds rows or not."""
    TransactionTestCase._fixture_teardown = _empty  # type: ignore[attr-defined]


def _empty(_case: Any) -> None:
    # Row-level security would hide from us what there is to empty.
    with acting_as(SYSTEM), connection.cursor() as cursor:
        Group.objects.exclude(name__in=roles.NAMES).delete()
        filled = _filled(cursor)
        deletable = filled & _deletable()
        # A few rows are deleted sooner than a table is made anew. References are checked at the
        # commit, when all of them are gone.
        for name in sorted(deletable):
            cursor.execute(f'DELETE FROM "{name}"')
        rest = filled - deletable | (_AUDIT if filled else set())
        if rest:
            names = ", ".join(f'"{name}"' for name in sorted(_with_referring(rest, _graph())))
            cursor.execute(f"TRUNCATE {names}")


def _filled(cursor: Any) -> set[str]:
    looks = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in _tables())
    cursor.execute(" UNION ALL ".join(looks))
    return {name for (name,) in cursor.fetchall()}


def _tables() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    return tuple(name for name in names if name not in _KEPT)


@cache
def _deletable() -> frozenset[str]:
    """List the tables of which the product's role may delete rows."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETABLE)
        return frozenset(name for (name,) in cursor.fetchall())


@cache
def _graph() -> Mapping[str, frozenset[str]]:
    """Say which tables refer to each."""
    with connection.cursor() as cursor:
        cursor.execute(_REFERRING)
        pairs = cursor.fetchall()
    found: dict[str, set[str]] = {}
    for referred, referring in pairs:
        found.setdefault(referred, set()).add(referring)
    return {name: frozenset(names) for name, names in found.items()}


def _with_referring(names: Iterable[str], graph: Mapping[str, frozenset[str]]) -> set[str]:
    """Add the tables that refer to these: PostgreSQL empties one only together with them."""
    whole, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in whole:
            whole.add(name)
            waiting.extend(graph.get(name, ()))
    return whole
