"""The second wall: the database shows each customer their own rows, whatever we ask it for."""

import json
from contextlib import contextmanager, nullcontext

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.db.models import QuerySet
from psycopg.errors import InsufficientPrivilege

from core.auth import SYSTEM, Kind, Principal, acting_as
from core.db.row_security import AGENTS_ROLE, APP_ROLE
from core.models import CustomerOwned
from core.tests.admin_rows import one_of_everything
from tests.authorization import table
from tests.authorization.kinds import Who, codes
from tests.authorization.world import contents, customer_models, url_of

pytestmark = pytest.mark.django_db
ADA, BOB = "customer-1", "customer-2"
MODELS = pytest.mark.parametrize("model", customer_models(), ids=lambda model: model._meta.label)
# Tables that say whose a row is and belong to no customer, and why that is so.
OF_NOBODY = {
    "core_auditentry": "who did what about whom: added to by all, read by staff alone",
    "trading_risklimit": "the desk's rules; each order is judged by the row for everybody, too",
    "trading_restrictedsymbol": "the desk's rules, the same for everybody",
    "trading_killswitch": "the desk's rules; one of them may stop everybody",
}
GUARDED = [route for route in table.ROUTES if route.scope and route.kind != "shared"]
NAMING = [route for route in GUARDED if route.kind in {"of an account", "of a customer"}]
READING = [route for route in NAMING if route.method == "GET"]


def acting(user_id):
    return acting_as(Principal(kind=Kind.CUSTOMER, user_id=user_id))


def sql(text, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def unprotected() -> list[str]:
    """Name the tables with customers' rows in them that the database does not watch over."""
    found = sql(
        """
        SELECT c.relname,
               c.relrowsecurity,
               pg_get_userbyid(c.relowner) = ANY(%s) AS is_owner,
               (SELECT count(*) FROM pg_policy p
                 WHERE p.polrelid = c.oid
                   AND p.polcmd = '*'
                   AND %s::regrole::oid = ANY(p.polroles)
                   AND pg_get_expr(p.polqual, c.oid) LIKE %s
                   AND pg_get_expr(p.polwithcheck, c.oid) = pg_get_expr(p.polqual, c.oid)) AS good,
               (SELECT count(DISTINCT pg_get_expr(p.polqual, c.oid)) FROM pg_policy p
                 WHERE p.polrelid = c.oid) AS kinds
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id' AND a.attnum > 0
         WHERE c.relkind IN ('r', 'p')
           AND c.relnamespace = 'public'::regnamespace
           AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)
        """,
        [APP_ROLE, AGENTS_ROLE],
        APP_ROLE,
        "%clera.user_id%",
    )
    return sorted(
        name
        for name, is_on, is_owner, good, kinds in found
        if name not in OF_NOBODY and (not is_on or is_owner or good != 1 or kinds != 1)
    )


class TestPolicies:
    def test_watch_over_every_table_that_says_whose_its_rows_are(self, db):
        assert unprotected() == [], "add EnableRowSecurity(table) to the migration that makes it"

    def test_would_be_missed(self, db):
        """A table that somebody adds without a policy is named."""
        sql("SET LOCAL ROLE NONE")
        sql("CREATE TABLE core_test_new (id bigint, user_id text)")
        sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON core_test_new TO {APP_ROLE}")

        assert unprotected() == ["core_test_new"]

    def test_stand_on_every_model_of_customers(self, db):
        tables = {name for (name,) in sql("SELECT DISTINCT tablename FROM pg_policies")}

        assert {model._meta.db_table for model in customer_models()} <= tables

    def test_bind_the_roles_that_we_take(self, db):
        roles = [APP_ROLE, AGENTS_ROLE]
        rights = sql(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles"
            " WHERE rolname = ANY(%s)",
            roles,
        )
        assert rights == [(False,) * 5] * 2
        assert sql("SELECT current_user") == [(APP_ROLE,)]
        members = "SELECT 1 FROM pg_auth_members WHERE member = ANY(%s::regrole[]::oid[])"
        assert sql(members, roles) == []


@pytest.fixture
def two_customers(db):
    one_of_everything(1)
    one_of_everything(2)


def pks_of(model, user_id):
    with acting_as(SYSTEM):
        found = list(model.objects.filter(user_id=user_id).values_list("pk", flat=True))
    assert found, f"{model._meta.label}: add a row of it to core/tests/admin_rows.py"
    return found


def _rows_touched(statement, *values) -> int:
    """Run a statement and count; where the role may not even try, none."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.rowcount)
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        return 0


@contextmanager
def refused():
    """Expect that the database says no, and go on after it."""
    with pytest.raises(DatabaseError), transaction.atomic():
        yield


@pytest.mark.usefixtures("two_customers")
class TestEveryTable:
    @MODELS
    def test_shows_each_customer_their_own_rows(self, model):
        pks = {user: set(pks_of(model, user)) for user in (ADA, BOB)}
        for user, theirs in pks.items():
            with acting(user):
                assert set(model.objects.values_list("pk", flat=True)) == theirs
                assert set(model.objects.values_list("user_id", flat=True)) == {user}

    @MODELS
    def test_shows_nothing_to_a_stranger_and_outside(self, model):
        pks_of(model, ADA)
        assert model.objects.count() == 0
        for user in ("customer-3", "", None, f"{ADA} ", ADA.upper(), f"{ADA}' OR true --"):
            with acting(user):
                assert model.objects.count() == 0

    @MODELS
    def test_changes_no_row_of_another(self, model):
        pks_of(model, BOB)
        table_name, before = model._meta.db_table, contents()
        change = f"UPDATE {table_name} SET user_id = user_id WHERE user_id = %s"
        for principal in (acting(ADA), nullcontext()):
            with principal:
                assert _rows_touched(change, BOB) == 0
                assert _rows_touched(f"DELETE FROM {table_name} WHERE user_id = %s", BOB) == 0

        assert contents() == before

    @MODELS
    def test_gives_no_row_to_another(self, model):
        mine, before = pks_of(model, ADA), contents()
        with acting(ADA), refused():
            model.objects.filter(pk__in=mine).update(user_id=BOB)
        with acting(ADA), refused():
            _insert_copy(model, mine[0], user_id=BOB)
        with refused():
            _insert_copy(model, mine[0], user_id=ADA)

        assert contents() == before

    @MODELS
    def test_shows_agents_no_more(self, model):
        pks_of(model, ADA)
        [(may_read,)] = sql(
            "SELECT has_table_privilege(%s, %s, 'SELECT')", AGENTS_ROLE, model._meta.db_table
        )
        with acting(ADA), transaction.atomic():
            sql(f"SET LOCAL ROLE {AGENTS_ROLE}")
            if may_read:
                assert set(model.objects.values_list("user_id", flat=True)) == {ADA}
            else:
                with refused():
                    model.objects.count()
            transaction.set_rollback(True)


def _insert_copy(model, pk, *, user_id):
    """Insert a row by SQL, made of the values that the owner of the tables can read."""
    with acting_as(SYSTEM):
        values = model.objects.filter(pk=pk).values().get() | {"user_id": user_id}
    columns = [model._meta.get_field(name).column for name in values]
    adapted = [json.dumps(v) if isinstance(v, dict | list) else v for v in values.values()]
    places = ", ".join(["%s"] * len(columns))
    sql(f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) VALUES ({places})", *adapted)


@pytest.fixture
def no_conditions(monkeypatch):
    """Take every condition out of every query for customers' rows. The policies stay."""
    kept = QuerySet._filter_or_exclude_inplace

    def filter_nothing(rows, negate, args, kwargs):
        if not issubclass(rows.model, CustomerOwned):
            kept(rows, negate, args, kwargs)

    monkeypatch.setattr(QuerySet, "_filter_or_exclude_inplace", filter_nothing)


def names_of(routes):
    return {"ids": [route.name for route in routes]}


@pytest.mark.slow
@pytest.mark.usefixtures("no_conditions")
class TestWithoutAnyConditionInOurQueries:
    @pytest.mark.parametrize("route", GUARDED, **names_of(GUARDED))
    def test_a_newcomer_reaches_nothing_of_anybody(self, world, route):
        headers = world.bearer("newcomer")
        with world.undone() as vendors:
            effects = vendors.effects()
            answer = world.ask(route, world.ada.rows, headers)
            assert changed_of(world, contents()) == set()
            if answer.status_code >= 400:
                assert vendors.effects() == effects

        if route in NAMING:
            assert answer.status_code in {403, 404}
        seen = "" if answer.streaming else answer.content.decode()
        marks = world.ada.marks | world.bob.marks | world.cleo.marks
        assert {m for m in marks if m in seen} == set()

    @pytest.mark.parametrize("route", READING, **names_of(READING))
    def test_another_customer_sees_at_most_their_own(self, world, route):
        headers = world.credential(Who.OTHER, route.scope)
        answer = world.ask(route, world.ada.rows, headers)

        seen = "" if answer.streaming else answer.content.decode()
        marks, asked = world.ada.marks | world.cleo.marks, url_of(route, world.ada.rows)
        assert {m for m in marks if m in seen and m not in asked} == set()

    @pytest.mark.parametrize("route", READING, **names_of(READING))
    def test_nothing_but_the_policies_stands_in_between(self, world, route):
        """Whoever they do not bind, such as the owner of the tables, sees what is not theirs."""
        with world.undone(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            answer = world.ask(route, world.ada.rows, world.bearer("newcomer"))

        # 500: a query for one row found those of several customers.
        assert answer.status_code in {*codes(route.answers[Who.OWNER]), 500}


def changed_of(world, after) -> set[str]:
    """Say whose rows have changed, among those who have some."""
    owners = {owner for (_, owner), _ in after.items() ^ world.contents.items()}
    return owners & {c.rows.user for c in (world.ada, world.bob, world.cleo)}
