"""Leases in PostgreSQL: at most one holder of a name, and a fence that only grows."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from core.ids import new_id


@dataclass(frozen=True)
class Lease:
    """The right to work under `name` until it runs out; a later holder has a higher fence."""

    name: str
    holder: UUID
    fence: int


def acquire(name: str, *, seconds: float) -> Lease | None:
    """Take the lease when it is free or has run out, else return nothing."""
    holder = new_id()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_leaserow (name, holder, fence, until)
            VALUES (%(name)s, %(holder)s, 1, clera_now() + %(ttl)s * interval '1 second')
            ON CONFLICT (name) DO UPDATE
               SET holder = EXCLUDED.holder, fence = core_leaserow.fence + 1,
                   until = EXCLUDED.until
             WHERE core_leaserow.until < clera_now()
            RETURNING fence
            """,
            {"name": name, "holder": holder, "ttl": seconds},
        )
        row = cursor.fetchone()
    return Lease(name, holder, row[0]) if row else None


def is_held(name: str) -> bool:
    """Say whether somebody holds the lease now, which costs less than asking for it in vain."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM core_leaserow WHERE name = %s AND until >= clera_now()", [name]
        )
        return cursor.fetchone() is not None


def renew(lease: Lease, *, seconds: float) -> bool:
    """Extend the lease; false means that somebody else holds it now and we must stop."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_leaserow SET until = clera_now() + %s * interval '1 second'"
            " WHERE name = %s AND holder = %s AND fence = %s",
            [seconds, lease.name, lease.holder, lease.fence],
        )
        return bool(cursor.rowcount == 1)


def release(lease: Lease) -> None:
    """
    Let the lease run out now, so that the next holder need not wait.

    Nobody is its holder any more: a renewal that was held up on its way must not bring it back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE core_leaserow SET until = clera_now(), holder = %s"
            " WHERE name = %s AND holder = %s AND fence = %s",
            [new_id(), lease.name, lease.holder, lease.fence],
        )
