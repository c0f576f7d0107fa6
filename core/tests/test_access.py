"""What the database shows to whom, with a table of its own under real policies and roles."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.migrations.state import ProjectState

from core.auth import SYSTEM, Kind, Principal, acting_as
from core.db.row_security import EnableRowSecurity, GrantTable

TABLE = "core_test_note"
ADA = Principal(kind=Kind.CUSTOMER, user_id="ada")
BOB = Principal(kind=Kind.CUSTOMER, user_id="bob")
NOBODY = Principal(kind=Kind.SERVICE, key_id="k")


@contextmanager
def owner() -> Iterator[None]:
    """Be the owner of the tables for a moment, as a migration is."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        yield
        cursor.execute("RESET ROLE")


def run(operation, *, undo: bool = False) -> None:
    move = operation.database_backwards if undo else operation.database_forwards
    with owner(), connection.schema_editor(atomic=False) as editor:
        move("core", editor, ProjectState(), ProjectState())


def sql(text: str, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def visible() -> list[str]:
    return [row[0] for row in sql(f"SELECT user_id FROM {TABLE} ORDER BY 1")]


def insert(user_id: str) -> None:
    sql(f"INSERT INTO {TABLE} (user_id) VALUES (%s)", user_id)


def insert_and_fail(user_id: str) -> None:
    insert(user_id)
    raise ZeroDivisionError


@pytest.fixture
def notes(db):
    with owner():
        sql(f"CREATE TABLE {TABLE} (user_id text NOT NULL, body text DEFAULT '')")
        sql(f"INSERT INTO {TABLE} VALUES ('ada'), ('bob'), ('')")
    run(EnableRowSecurity(TABLE))


@pytest.mark.usefixtures("notes")
class TestActingAs:
    def test_shows_nothing_outside(self):
        assert sql("SELECT current_user") == [("clera_app",)]
        assert visible() == []

    def test_shows_each_customer_their_own_and_the_system_everything(self):
        for principal, rows in [
            (ADA, ["ada"]), (BOB, ["bob"]), (NOBODY, []), (SYSTEM, ["", "ada", "bob"]),
        ]:  # fmt: skip
            with acting_as(principal):
                assert visible() == rows
        assert visible() == []

    def test_lets_nobody_write_the_rows_of_another(self):
        with acting_as(ADA):
            insert("ada")
            sql(f"UPDATE {TABLE} SET body = 'mine'")
            sql(f"DELETE FROM {TABLE} WHERE user_id = 'bob'")
        for statement in (
            f"INSERT INTO {TABLE} (user_id) VALUES ('bob')",
            f"UPDATE {TABLE} SET user_id = 'bob'",
        ):
            with (
                pytest.raises(ProgrammingError, match="row-level security"),
                acting_as(ADA),
            ):
                sql(statement)
        with acting_as(SYSTEM):
            assert sql(f"SELECT user_id, body FROM {TABLE} ORDER BY 1, 2") == [
                ("", ""), ("ada", "mine"), ("ada", "mine"), ("bob", ""),
            ]  # fmt: skip

    def test_nests_and_returns_to_the_outer_principal(self):
        with acting_as(ADA):
            with acting_as(SYSTEM):
                assert visible() == ["", "ada", "bob"]
                with acting_as(BOB):
                    assert visible() == ["bob"]
                assert visible() == ["", "ada", "bob"]
            assert visible() == ["ada"]
        assert visible() == []

    def test_returns_to_the_outer_principal_after_an_exception(self):
        with acting_as(ADA):
            with pytest.raises(ZeroDivisionError), acting_as(SYSTEM):
                insert_and_fail("carol")
            assert visible() == ["ada"]
            with pytest.raises(ProgrammingError), acting_as(SYSTEM):
                sql("SELECT nonsense")
            assert visible() == ["ada"]
        with acting_as(SYSTEM):
            assert "carol" not in visible()

    def test_keeps_to_the_outer_principal_when_the_inner_is_rolled_back_without_exception(self):
        with acting_as(ADA):
            with acting_as(SYSTEM):
                transaction.set_rollback(True)
            transaction.set_rollback(False)
            assert visible() == ["ada"]

    def test_costs_one_round_trip_each_way(self, django_assert_num_queries):
        with django_assert_num_queries(4) as queries, acting_as(ADA):
            pass
        kinds = [query["sql"].split()[0] for query in queries.captured_queries]
        assert kinds == ["SAVEPOINT", "WITH", "WITH", "RELEASE"]

    def test_does_not_let_a_user_id_be_sql(self):
        with acting_as(Principal(kind=Kind.CUSTOMER, user_id="' OR true --")):
            assert visible() == []


@pytest.mark.usefixtures("notes")
class TestEnableRowSecurity:
    def test_shows_agents_the_same_rows_and_lets_them_write_none(self):
        with acting_as(ADA):
            sql("SET LOCAL ROLE clera_agents")
            assert visible() == ["ada"]
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                insert("ada")
            sql("SET LOCAL ROLE clera_app")

    def test_gives_agents_what_the_migration_names(self):
        run(EnableRowSecurity(TABLE), undo=True)
        run(EnableRowSecurity(TABLE, agents="SELECT, INSERT"))
        with acting_as(ADA):
            sql("SET LOCAL ROLE clera_agents")
            insert("ada")
            with pytest.raises(ProgrammingError, match="row-level"), transaction.atomic():
                insert("bob")
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                sql(f"DELETE FROM {TABLE}")
            sql("SET LOCAL ROLE clera_app")

    def test_gives_agents_nothing_when_asked_to(self):
        run(EnableRowSecurity(TABLE), undo=True)
        run(EnableRowSecurity(TABLE, agents=""))
        with acting_as(ADA):
            sql("SET LOCAL ROLE clera_agents")
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                visible()
            sql("SET LOCAL ROLE clera_app")

    def test_can_be_undone(self):
        run(EnableRowSecurity(TABLE), undo=True)
        assert sql("SELECT polname FROM pg_policy WHERE polrelid = %s::regclass", TABLE) == []
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            visible()

    def test_leaves_the_owner_unbound(self):
        with owner():
            assert visible() == ["", "ada", "bob"]

    @pytest.mark.parametrize(
        "operation",
        [EnableRowSecurity("t", agents=""), GrantTable("t", app="SELECT", agents="SELECT")],
    )
    def test_can_be_written_into_a_migration(self, operation):
        name, positional, named = operation.deconstruct()
        again = type(operation)(*positional, **named)
        assert name == type(operation).__name__
        assert again.forwards() == operation.forwards()
        assert operation.reversible


class TestGrantTable:
    def test_opens_a_table_of_no_customer_to_the_named_roles_and_closes_it(self, db):
        with owner():
            sql(f"CREATE TABLE {TABLE} (user_id text)")
        grant = GrantTable(TABLE, app="SELECT", agents="")
        run(grant)
        assert visible() == []
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            insert("x")
        run(grant, undo=True)
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            visible()


@pytest.mark.django_db(transaction=True)
class TestActingAsAlone:
    def test_the_settings_end_with_the_transaction(self, django_assert_num_queries):
        with django_assert_num_queries(3) as queries, acting_as(ADA):
            assert connection.in_atomic_block
        assert [query["sql"].split()[0] for query in queries.captured_queries] == [
            "BEGIN", "WITH", "COMMIT",
        ]  # fmt: skip
        assert sql("SELECT nullif(current_setting('clera.user_id', true), '')") == [(None,)]
