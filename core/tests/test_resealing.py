"""Rotating the keys at rest: everything moves to the newest, and nothing is ever lost."""

import base64
import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from core import crypto, resealing
from core.audit.models import AuditEntry
from core.auth import SYSTEM, acting_as
from core.clock import database_now
from core.db.sealed import seal_into
from core.management.commands import rotate_field_keys
from core.resealing import Rotation
from core.tests.parcels import Parcel, new_parcel, parcel_table
from core.tests.test_access import owner


def key(name: str) -> str:
    return f"{name}:{base64.b64encode(name[-1:].encode() * 32).decode()}"


OLD, NEW, OTHER = key("k1"), key("k2"), key("long-3")
PLACE = "core_parcel.sealed_payload"


@pytest.fixture(autouse=True)
def table(transactional_db, settings, monkeypatch):
    # Tables that are not ours keep what other tests have sealed there.
    monkeypatch.setattr(resealing, "_elsewhere", [])
    settings.FIELD_KEYS = [OLD]
    with parcel_table():
        yield


def parcels(count: int, *, secret: str = "secret") -> list[Parcel]:
    """Write rows whose secrets are sealed with today's newest key."""
    made = [Parcel() for _ in range(count)]
    for number, parcel in enumerate(made):
        parcel.seal_payload(f"{secret} {number}".encode(), at=database_now())
    with acting_as(SYSTEM):
        return Parcel.objects.bulk_create(made)


def rotate(*arguments: str, out: StringIO | None = None) -> str:
    out, told = out or StringIO(), StringIO()
    try:
        call_command("rotate_field_keys", *arguments, stdout=out, stderr=told)
    except CommandError as error:
        return out.getvalue() + told.getvalue() + f"FAILED: {error}"
    return out.getvalue() + told.getvalue()


def opened(parcel: Parcel) -> str:
    parcel.refresh_from_db()
    return parcel.open_payload().decode()


def keys_of(*parcels: Parcel) -> list[str]:
    for parcel in parcels:
        parcel.refresh_from_db()
    return [crypto.key_id_of(parcel.sealed_payload) for parcel in parcels]


def audited() -> list[dict]:
    with acting_as(SYSTEM):
        entries = AuditEntry.objects.filter(action="field_keys.rotated")
        return [entry.details for entry in entries.order_by("pk")]


def set_payload(parcel: Parcel, sealed: bytes) -> None:
    with acting_as(SYSTEM):
        Parcel.objects.filter(pk=parcel.pk).update(sealed_payload=sealed)


@contextmanager
def held(*parcels: Parcel):
    """Lock rows in another transaction for as long as the block lasts."""
    is_locked, may_end = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            list(Parcel.objects.select_for_update().filter(pk__in=[each.pk for each in parcels]))
            is_locked.set()
            may_end.wait(100)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_locked.wait(60)
    try:
        yield
    finally:
        may_end.set()
        thread.join()


class TestRotation:
    def test_seals_everything_anew_and_names_the_key_that_may_go(self, settings):
        made = parcels(450)
        new_parcel()  # has nothing sealed
        settings.FIELD_KEYS = [NEW, OLD]

        said = rotate()

        assert "Resealed with k2: 450 values." in said
        assert "k2 is the newest key and seals 450 values." in said
        assert "k1 seals nothing: take it out of FIELD_KEYS now." in said
        assert "FAILED" not in said
        assert audited() == [{"newest": "k2", "resealed": 450, "unopened": 0, "left": 0}]
        settings.FIELD_KEYS = [NEW]
        assert [opened(each) for each in made] == [f"secret {number}" for number in range(450)]

    def test_changes_nothing_but_the_seal(self, settings):
        (parcel,) = parcels(1)
        before = Parcel.objects.values().get(pk=parcel.pk)
        settings.FIELD_KEYS = [NEW, OLD]
        rotate()

        after = Parcel.objects.values().get(pk=parcel.pk)
        assert {name for name, value in after.items() if value != before[name]} == {
            "sealed_payload"
        }

    def test_repeated_does_nothing_more(self, settings):
        (parcel,) = parcels(1)
        settings.FIELD_KEYS = [NEW, OLD]
        rotate()
        parcel.refresh_from_db()
        sealed = bytes(parcel.sealed_payload)

        assert "Resealed with k2: 0 values." in rotate()
        parcel.refresh_from_db()
        assert bytes(parcel.sealed_payload) == sealed
        assert len(audited()) == 1

    def test_a_dry_run_counts_by_table_column_and_key_and_changes_nothing(self, settings):
        made = parcels(3)
        settings.FIELD_KEYS = [NEW, OLD]
        made += parcels(2)

        said = rotate("--dry-run")

        lines = [line.split() for line in said.splitlines()]
        assert ["core_parcel", "sealed_payload", "k1", "3"] in lines
        assert ["core_parcel", "sealed_payload", "k2", "2"] in lines
        assert "k1 still seals 3 values: keep it." in said
        assert keys_of(*made) == ["k1"] * 3 + ["k2"] * 2
        assert audited() == []

    def test_a_key_whose_name_begins_like_the_newest_is_another_one(self, settings):
        settings.FIELD_KEYS = [f"k2-old:{OLD.split(':')[1]}"]
        made = parcels(2)
        settings.FIELD_KEYS = [NEW, *settings.FIELD_KEYS]

        assert "Resealed with k2: 2 values." in rotate()
        assert keys_of(*made) == ["k2", "k2"]

    def test_files_larger_than_what_is_read_at_once_are_resealed_too(self, settings):
        made = parcels(4, secret="x" * (5 * 1024 * 1024))
        settings.FIELD_KEYS = [NEW, OLD]

        assert "Resealed with k2: 4 values." in rotate()
        assert keys_of(*made) == ["k2"] * 4
        assert opened(made[3]).endswith("x 3")

    def test_without_keys_it_says_so(self, settings):
        settings.FIELD_KEYS = []

        assert rotate().startswith("FAILED: FIELD_KEYS is empty")


class TestLockedRows:
    def test_are_left_out_and_come_later(self, settings):
        made = parcels(3)
        settings.FIELD_KEYS = [NEW, OLD]
        done: list[int] = []
        others_done = threading.Event()

        def tell(_place, number):
            done.append(number)
            others_done.set()

        with held(made[1]):
            rotation = Rotation(tell=tell)
            counted = []
            worker = threading.Thread(target=lambda: counted.append(_run(rotation)))
            worker.start()
            assert others_done.wait(60)
            assert keys_of(made[0], made[2]) == ["k2", "k2"]
        worker.join(60)

        assert done == [2, 1]
        assert keys_of(*made) == ["k2"] * 3
        assert resealing.outdated(counted[0]) == 0

    def test_that_stay_locked_are_named_as_left(self, settings):
        made = parcels(3)
        settings.FIELD_KEYS = [NEW, OLD]

        with held(made[0], made[2]):
            said = rotate("--patience", "0")

        assert "Resealed with k2: 1 value." in said
        assert "k1 still seals 2 values: keep it." in said
        assert "FAILED: Left as it was: 2 values (2 locked" in said
        assert audited() == [{"newest": "k2", "resealed": 1, "unopened": 0, "left": 2}]
        assert "k1 seals nothing" in rotate()

    def test_two_runs_share_the_work(self, settings):
        made = parcels(900)
        settings.FIELD_KEYS = [NEW, OLD]
        rotations = [Rotation(), Rotation()]
        threads = [threading.Thread(target=_run, args=(each,)) for each in rotations]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(each.resealed for each in rotations) == 900
        assert set(keys_of(*made)) == {"k2"}


def _run(rotation: Rotation):
    try:
        return rotation.run(patience_seconds=60)
    finally:
        connection.close()


class TestInterrupted:
    def test_what_is_done_stays_done_and_the_rest_is_done_later(self, settings):
        made = parcels(500)
        settings.FIELD_KEYS = [NEW, OLD]

        def stop(_place, _number):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Rotation(tell=stop).run(patience_seconds=10)
        assert Counter(keys_of(*made)) == {"k2": resealing.BATCH, "k1": 500 - resealing.BATCH}

        assert "Resealed with k2: 300 values." in rotate()
        settings.FIELD_KEYS = [NEW]
        assert [opened(each) for each in made] == [f"secret {number}" for number in range(500)]

    def test_a_batch_that_fails_leaves_its_rows_as_they_were(self, settings):
        made = parcels(5)
        settings.FIELD_KEYS = [NEW, OLD]

        with unwritable(made[3]), pytest.raises(DatabaseError, match="not now"):
            rotate()
        assert keys_of(*made) == ["k1"] * 5
        assert "Resealed with k2: 5 values." in rotate()

    @pytest.fixture
    def heeds_ctrl_c(self):
        """Listen to Ctrl-C, also where a shell has started us in the background and deaf to it."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    def test_by_ctrl_c_it_says_how_far_it_came(self, settings, heeds_ctrl_c, monkeypatch):
        monkeypatch.setattr(rotate_field_keys, "_TELL_EVERY_SECONDS", 0.0)
        made, out, told = parcels(3), StringIO(), f"2 of 3, now at {PLACE}\n"
        settings.FIELD_KEYS = [NEW, OLD]
        watcher = threading.Thread(target=_press_ctrl_c_once_told, args=(out, told))

        with held(made[2]):
            watcher.start()
            said = rotate(out=out)
        watcher.join()

        assert said == f"{told}FAILED: Stopped after 2 values; run it again for the rest."
        assert keys_of(*made) == ["k2", "k2", "k1"]


@contextmanager
def unwritable(parcel: Parcel):
    """Have the database refuse to write one row."""
    with owner(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION not_now() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE 'not now'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER not_now BEFORE UPDATE ON core_parcel FOR EACH ROW"
            f" WHEN (OLD.id = '{parcel.pk}') EXECUTE FUNCTION not_now()"
        )
    yield
    with owner(), connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION not_now CASCADE")


def _press_ctrl_c_once_told(out: StringIO, told: str) -> None:
    # Not as soon as the rows show it: they do before the command has counted them.
    ends = time.monotonic() + 60
    while told not in out.getvalue() and time.monotonic() < ends:
        threading.Event().wait(0.02)
    os.kill(os.getpid(), signal.SIGINT)


class TestWhatDoesNotOpen:
    @pytest.fixture
    def made(self, settings):
        made = parcels(4)
        settings.FIELD_KEYS = [NEW, OLD]
        return made

    def test_a_changed_byte_is_named_and_stops_nothing(self, made):
        sealed = bytearray(made[1].sealed_payload)
        sealed[-1] ^= 1
        set_payload(made[1], bytes(sealed))

        said = rotate()

        row = f"{PLACE} of row {made[1].pk} was changed, or was sealed for another row."
        assert f"Cannot be opened: {row}" in said
        assert "Resealed with k2: 3 values." in said
        assert "k1 still seals 1 value: keep it." in said
        assert "FAILED: Left as it was: 1 value (1 not to be opened, see above)." in said
        made[1].refresh_from_db()
        assert bytes(made[1].sealed_payload) == bytes(sealed)
        assert audited() == [{"newest": "k2", "resealed": 3, "unopened": 1, "left": 1}]

    def test_a_value_copied_from_another_row_is_refused(self, made):
        set_payload(made[2], bytes(made[0].sealed_payload))

        said = rotate()

        assert f"{PLACE} of row {made[2].pk} was changed, or was sealed for another row." in said
        with pytest.raises(crypto.Unsealable):
            opened(made[2])
        assert opened(made[0]) == "secret 0"

    def test_a_missing_key_is_told_from_a_changed_value(self, made, settings):
        settings.FIELD_KEYS = [OTHER]
        lost = Parcel()
        seal_into(lost, "sealed_payload", b"secret")
        with acting_as(SYSTEM):
            lost.save(force_insert=True)
        settings.FIELD_KEYS = [NEW, OLD]

        said = rotate()

        assert (
            f"{PLACE} of row {lost.pk} was sealed with a key that FIELD_KEYS does not have" in said
        )
        assert "Keys that FIELD_KEYS does not have seal 1 value: put them back." in said
        assert "Resealed with k2: 4 values." in said
        assert "(missing)" in rotate("--dry-run")
        settings.FIELD_KEYS = [NEW, OLD, OTHER]
        assert "long-3 seals nothing" in rotate()
        assert opened(lost) == "secret"

    @pytest.mark.parametrize("kept", [b"\x00", b"\xff", b"078-05-1120 in clear", b"\x02k2"])
    def test_what_was_never_sealed_is_reported_without_showing_it(self, made, kept):
        set_payload(made[3], kept)

        said = rotate() + rotate("--dry-run")

        assert f"{PLACE} of row {made[3].pk}" in said or kept == b"\x02k2"
        assert "078-05" not in said
        assert "Resealed with k2: 3 values." in said
