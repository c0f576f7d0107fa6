"""The audit trail: added to by everybody, changed by nobody, and a chain that names a lie."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import DatabaseError, ProgrammingError, connection, transaction

from core import audit
from core.audit import chain
from core.audit.models import AuditEntry, AuditLink, AuditPending
from core.auth import SYSTEM, Kind, Principal, acting_as
from core.auth.delegation import act_for
from core.auth.principals import ACT_FOR, UserMismatch
from core.db.audit_trail import AuditChanges
from core.tests.test_access import TABLE, owner, run

ADA = Principal(kind=Kind.CUSTOMER, user_id="ada")
SERVICE = Principal(kind=Kind.SERVICE, key_id="k1", scopes=frozenset({ACT_FOR}))


def sql(text: str, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def entries(**wanted):
    with acting_as(SYSTEM):
        return list(AuditEntry.objects.filter(**wanted).order_by("pk"))


def write(count: int = 3) -> list[int]:
    for number in range(count):
        audit.record("test.done", principal=ADA, subject_kind="test", subject_id=number, n=number)
    return [entry.pk for entry in entries(action="test.done")]


SAID = "action, principal, request_id, subject_kind, subject_id, user_id, details"
SAYING = "'x', 'y', '', '', '', '', '{}'"


def flipped(column: str) -> str:
    """SQL that changes one byte of a column."""
    return f"{column} = set_byte({column}, 7, 255 - get_byte({column}, 7))"


@contextmanager
def unguarded():
    """Be somebody who may do everything to the tables, as an intruder on the server would."""
    with owner():
        for table in ("core_auditentry", "core_auditlink"):
            sql(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
        yield
        for table in ("core_auditentry", "core_auditlink"):
            sql(f"ALTER TABLE {table} ENABLE TRIGGER append_only")


@pytest.mark.django_db
class TestRecord:
    def test_keeps_who_did_what_to_whose_thing_in_which_request(self):
        with structlog.contextvars.bound_contextvars(request_id="request-1"):
            audit.record(
                "pii.revealed",
                principal=Principal.staff(7),
                user_id="ada",
                subject_kind="accounts.BrokerageAccount",
                subject_id="x",
                why="call",
            )

        (entry,) = entries()
        assert (entry.action, entry.principal, entry.request_id, entry.user_id) == (
            "pii.revealed", "staff:7", "request-1", "ada",
        )  # fmt: skip
        assert (entry.subject_kind, entry.subject_id, entry.details) == (
            "accounts.BrokerageAccount", "x", {"why": "call"},
        )  # fmt: skip

    def test_is_about_the_principals_own_data_unless_it_says_otherwise(self):
        audit.record("a", principal=ADA)
        audit.record("b", principal="manage.py")

        assert [(entry.user_id, entry.principal) for entry in entries()] == [
            ("ada", "customer:ada"), ("", "manage.py"),
        ]  # fmt: skip

    def test_a_customer_reads_nothing_of_it(self):
        write()
        with acting_as(ADA):
            assert AuditEntry.objects.count() == 0
        assert AuditEntry.objects.count() == 0

    def test_the_agents_add_entries_and_read_none(self):
        with acting_as(ADA):
            sql("SET LOCAL ROLE clera_agents")
            audit.record("tool.refused", principal=ADA)
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                AuditEntry.objects.count()
            sql("SET LOCAL ROLE clera_app")
        assert [entry.action for entry in entries()] == ["tool.refused"]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE core_auditentry SET action = 'nothing'",
            "DELETE FROM core_auditentry",
            "UPDATE core_auditlink SET hash = ''",
            "DELETE FROM core_auditlink",
            "UPDATE core_intentstep SET reason = ''",
            "DELETE FROM core_intentstep",
            "INSERT INTO core_auditpending VALUES (1)",
            "DELETE FROM core_auditpending",
            "INSERT INTO core_auditlink (seq, entry_id, hash) VALUES (1, 1, '')",
            f"INSERT INTO core_auditentry (id, {SAID}) VALUES (-7, {SAYING})",
            f"INSERT INTO core_auditentry (at, {SAID}) VALUES ('2001-01-01', {SAYING})",
            f"INSERT INTO core_auditentry (digest, {SAID}) VALUES ('forged', {SAYING})",
            "SELECT setval('core_auditentry_id_seq', 1)",
        ],
    )
    def test_the_product_cannot_change_what_is_written(self, statement):
        write()
        with pytest.raises(ProgrammingError, match="permission denied"), acting_as(SYSTEM):
            sql(statement)

    @pytest.mark.parametrize("table", ["core_auditentry", "core_auditlink", "core_intentstep"])
    def test_nor_can_the_owner_of_the_tables(self, table):
        write()
        for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
            text = statement.replace("id = id", "seq = seq") if "link" in table else statement
            with owner(), pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                sql(text)

    def test_not_even_the_owner_chooses_the_digest_or_the_time(self):
        with owner():
            sql(
                f"INSERT INTO core_auditentry (at, digest, {SAID})"
                f" VALUES ('2001-01-01', 'forged', {SAYING})"
            )
        (entry,) = entries()
        assert entry.at.year > 2001
        assert len(bytes(entry.digest)) == 32


@pytest.mark.django_db
class TestActFor:
    def test_is_recorded_with_the_key_and_the_customer(self):
        acting = act_for(SERVICE, "bob", via="header")

        assert acting.user_id == "bob"
        (entry,) = entries()
        assert (entry.action, entry.principal, entry.user_id, entry.details) == (
            "auth.acted_for", "service:k1", "bob", {"via": "header"},
        )  # fmt: skip

    def test_leaves_no_entry_when_nobody_new_is_named_or_it_is_refused(self):
        act_for(ADA, "ada", via="body")
        act_for(SERVICE.acting_for("bob"), "bob", via="account")
        with pytest.raises(UserMismatch):
            act_for(ADA, "bob", via="body")

        assert entries() == []


@pytest.mark.django_db
class TestAuditChanges:
    @pytest.fixture
    def notes(self):
        with owner():
            sql(f"CREATE TABLE {TABLE} (id int, user_id text, state text, body text)")
            sql(f"GRANT ALL ON {TABLE} TO clera_app")
        run(AuditChanges(TABLE, subject="test.Note", columns=["state"]))

    @pytest.mark.usefixtures("notes")
    def test_records_every_change_of_the_watched_columns_and_nothing_else(self):
        with structlog.contextvars.bound_contextvars(request_id="request-1"), acting_as(ADA):
            sql(f"INSERT INTO {TABLE} VALUES (1, 'ada', 'NEW', 'secret')")
            sql(f"UPDATE {TABLE} SET body = 'another secret'")
            sql(f"UPDATE {TABLE} SET state = 'NEW'")
            sql(f"UPDATE {TABLE} SET state = 'DONE'")
        sql(f"DELETE FROM {TABLE}")

        found = [(e.action, e.principal, e.request_id, e.user_id, e.details) for e in entries()]
        assert found == [
            ("row.added", "customer:ada", "request-1", "ada", {"to": {"state": "NEW"}}),
            ("row.changed", "customer:ada", "request-1", "ada",
             {"from": {"state": "NEW"}, "to": {"state": "DONE"}}),
            ("row.removed", "nobody", "", "ada", {"from": {"state": "DONE"}}),
        ]  # fmt: skip
        assert {(e.subject_kind, e.subject_id) for e in entries()} == {("test.Note", "1")}

    @pytest.mark.usefixtures("notes")
    def test_is_undone_with_the_change_it_tells_of(self):
        with acting_as(ADA):
            sql(f"INSERT INTO {TABLE} VALUES (1, 'ada', 'NEW', '')")
            transaction.set_rollback(True)
        transaction.set_rollback(False)
        assert entries() == []

    def test_can_be_written_into_a_migration_and_undone(self, notes):
        operation = AuditChanges(TABLE, subject="test.Note", columns=["state"])
        _, positional, named = operation.deconstruct()
        assert type(operation)(*positional, **named).forwards() == operation.forwards()
        run(operation, undo=True)
        sql(f"INSERT INTO {TABLE} VALUES (1, 'ada', 'NEW', '')")
        assert entries() == []


@pytest.mark.django_db
class TestChain:
    def test_links_every_entry_once_in_order(self):
        first = write(3)
        assert chain.extend() == 3
        both = write(2)
        assert chain.extend() == 2
        assert chain.extend() == 0

        with acting_as(SYSTEM):
            links = list(AuditLink.objects.order_by("seq").values_list("seq", "entry_id"))
            assert AuditPending.objects.count() == 0
        assert links == list(enumerate(both, start=1))
        assert both[:3] == first
        finding = chain.verify()
        assert (finding.fault, finding.waiting, finding.head) == (None, 0, chain.head())
        assert finding.head.seq == 5

    def test_the_agents_cannot_extend_it(self):
        write()
        with acting_as(ADA):
            sql("SET LOCAL ROLE clera_agents")
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                sql("SELECT clera_audit_extend(10)")
            sql("SET LOCAL ROLE clera_app")

    def test_an_empty_trail_is_whole(self):
        assert chain.verify().fault is None

    @pytest.mark.parametrize(
        "lie",
        [
            "UPDATE core_auditentry SET action = 'test.dona' WHERE id = %s",
            "UPDATE core_auditentry SET principal = 'customer:adb' WHERE id = %s",
            "UPDATE core_auditentry SET details = '{\"n\": 3}' WHERE id = %s",
            "UPDATE core_auditentry SET at = at + interval '1 microsecond' WHERE id = %s",
            "UPDATE core_auditentry SET user_id = 'bob' WHERE id = %s",
            f"UPDATE core_auditentry SET {flipped('digest')} WHERE id = %s",
            f"UPDATE core_auditlink SET {flipped('hash')} WHERE entry_id = %s",
            "DELETE FROM core_auditentry WHERE id = %s",
        ],
    )
    def test_one_flipped_byte_is_named(self, lie):
        written = write(5)
        chain.extend()
        with unguarded():
            sql(lie, written[2])

        fault = chain.verify().fault

        assert fault is not None
        assert fault.entry_id == written[2]

    def test_a_changed_entry_with_a_matching_digest_is_named_too(self):
        written = write(5)
        chain.extend()
        with unguarded():
            sql("UPDATE core_auditentry SET action = 'test.dona' WHERE id = %s", written[2])
            sql("UPDATE core_auditentry e SET digest = sha256(convert_to(clera_audit_text(e),"
                " 'UTF8')) WHERE id = %s", written[2])  # fmt: skip

        fault = chain.verify().fault

        assert fault == chain.Fault(written[2], "link 3 does not follow from the one before")

    def test_a_removed_entry_with_its_link_is_named(self):
        written = write(5)
        chain.extend()
        with unguarded():
            sql("DELETE FROM core_auditlink WHERE entry_id = %s", written[2])
            sql("DELETE FROM core_auditentry WHERE id = %s", written[2])

        assert chain.verify().fault == chain.Fault(written[3], "links 3 to 3 are missing")

    def test_a_cut_off_end_is_noticed_by_whoever_kept_the_head(self):
        written = write(5)
        chain.extend()
        kept = chain.anchor()
        with unguarded():
            sql("DELETE FROM core_auditlink WHERE seq > 3")
            sql("DELETE FROM core_auditentry WHERE id > %s", written[2])

        assert chain.verify().fault is None
        assert chain.verify(anchored=kept).fault == chain.Fault(
            None, "link 5 is not the one that was anchored"
        )

    def test_a_head_of_long_ago_is_still_in_the_chain(self):
        write(2)
        chain.extend()
        kept = chain.head()
        write(3)
        chain.extend()

        assert chain.verify(anchored=kept).fault is None

    def test_an_entry_kept_out_of_the_chain_is_named_after_a_while(self):
        (entry,) = write(1)
        with owner():
            sql("DELETE FROM core_auditpending")
        assert chain.extend() == 0
        assert chain.verify().fault is None
        late = chain.LATE + timedelta(seconds=1)
        sql("SELECT set_config('clera.clock_offset', %s, true)", f"{late.total_seconds()} seconds")

        assert chain.verify().fault == chain.Fault(entry, "the entry was never linked")


@pytest.mark.django_db
class TestCommand:
    def test_says_that_the_trail_is_whole_and_where_it_ends(self, capsys):
        write(3)
        call_command("audit", "verify")
        said = capsys.readouterr().out
        assert "3 entries" in said
        assert str(chain.head()) in said

    def test_names_the_entry_that_was_changed_and_fails(self):
        written = write(3)
        chain.extend()
        with unguarded():
            sql("UPDATE core_auditentry SET action = 'x' WHERE id = %s", written[1])
        with pytest.raises(CommandError, match=f"entry {written[1]}: the entry is not what was"):
            call_command("audit", "verify")

    def test_compares_with_a_head_kept_elsewhere(self, capsys):
        write(3)
        chain.extend()
        call_command("audit", "head")
        kept = capsys.readouterr().out.strip()
        write(1)
        call_command("audit", "verify", "--head", kept)
        with pytest.raises(CommandError, match="anchored"):
            call_command("audit", "verify", "--head", kept.replace("3:", "2:"))
        with pytest.raises(CommandError, match=r"SEQ:HASH"):
            call_command("audit", "verify", "--head", "nonsense")

    def test_shows_what_happened_to_one_thing(self, capsys):
        write(3)
        call_command("audit", "show", "--subject", "1")
        said = capsys.readouterr().out
        assert said.count("test.done") == 1
        assert "customer:ada" in said


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_linkers_at_once_make_one_whole_chain():
    def work(number: int) -> int:
        for _ in range(25):
            write_one(number)
            chain.extend()
        connection.close()
        return number

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(work, range(8))) == list(range(8))

    chain.extend()
    finding = chain.verify()
    assert (finding.fault, finding.head.seq, finding.waiting) == (None, 200, 0)


def write_one(number: int) -> None:
    """Write one entry in a transaction that takes a while, so that ids and commits cross."""
    with transaction.atomic():
        audit.record("test.done", principal=ADA, subject_id=number)
        sql("SELECT pg_sleep(0.002 * %s)", number % 3)
