"""Make or update LangGraph's tables; runs as the owner, after `migrate`, as often as you like."""

from typing import Any

import psycopg
from django.core.management.base import BaseCommand

from agents import checkpoints
from core.db.row_security import AGENTS_ROLE, APP_ROLE

_LOCK = "langgraph:setup"


class Command(BaseCommand):
    help = "Create the schema of the agents' checkpoints and let the product's roles use it."

    def handle(self, *_: Any, **__: Any) -> None:
        parameters = checkpoints.connection_parameters(as_owner=True)
        with psycopg.connect(**parameters, **checkpoints.CONNECTION_OPTIONS) as connection:
            _take_turn(connection)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {checkpoints.SCHEMA}")
            checkpoints.saver(connection).setup()
            for role in (APP_ROLE, AGENTS_ROLE):
                connection.execute(f"GRANT USAGE ON SCHEMA {checkpoints.SCHEMA} TO {role}")
                connection.execute(
                    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"
                    f" IN SCHEMA {checkpoints.SCHEMA} TO {role}"
                )
        self.stdout.write("The agents' checkpoint tables are ready.")


def _take_turn(connection: "psycopg.Connection[Any]") -> None:
    """
    Wait until no other release sets up, by asking again and again.

    A plain wait for the lock would be an open statement, and `CREATE INDEX CONCURRENTLY` in the
    process that holds the lock would wait for that statement: both would wait for ever.
    """
    taken = False
    while not taken:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS taken", [_LOCK]
        ).fetchone()
        taken = bool(row and row["taken"])
        if not taken:
            connection.execute("SELECT pg_sleep(0.2)")
