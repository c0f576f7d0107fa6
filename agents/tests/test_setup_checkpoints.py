"""Making LangGraph's tables, again and at the same time."""

from concurrent.futures import ThreadPoolExecutor

from django.core.management import call_command
from django.db import connection, connections

from agents import checkpoints


def test_several_releases_may_set_up_at_once(transactional_db, checkpoint_tables) -> None:
    def set_up(_: int) -> None:
        call_command("setup_checkpoints", verbosity=0)
        connections.close_all()

    with checkpoints._pool().connection() as pooled:
        before = pooled.execute("SELECT count(*) AS n FROM checkpoint_migrations").fetchone()
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(set_up, range(4)))

    with checkpoints._pool().connection() as pooled:
        after = pooled.execute("SELECT count(*) AS n FROM checkpoint_migrations").fetchone()
    assert before == after


def test_the_product_owns_nothing_of_it(transactional_db, checkpoint_tables) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_schema_privilege(role, 'langgraph', 'CREATE'),"
            " has_schema_privilege(role, 'langgraph', 'USAGE')"
            " FROM unnest(ARRAY['clera_app', 'clera_agents']) AS role"
        )
        assert cursor.fetchall() == [(False, True)] * 2
