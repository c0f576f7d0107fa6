"""The small parts of the broker on their own: agenda, identifiers, the store."""

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.broker.agenda import Agenda
from sandbox.broker.banks import is_routing_number
from sandbox.broker.ulids import Ulids, is_ulid
from sandbox.clock import SimClock
from sandbox.store import Store

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class TestAgenda:
    def test_steps_come_in_the_order_they_fall_due_and_are_told_when_that_was(self):
        clock = SimClock(0, start=NOON)
        agenda = Agenda(clock)
        done: list[tuple[str, datetime]] = []
        later, sooner = NOON + timedelta(seconds=20), NOON + timedelta(seconds=10)
        agenda.add(later, lambda at: done.append(("later", at)))
        agenda.add(sooner, lambda at: done.append(("sooner", at)))

        agenda.run_due()
        before = list(done)
        clock.advance(60)
        agenda.run_due()

        assert before == []
        assert done == [("sooner", sooner), ("later", later)]

    def test_a_step_may_plan_the_next_one_within_the_same_jump(self):
        clock = SimClock(0, start=NOON)
        agenda = Agenda(clock)
        done: list[datetime] = []

        def first(at: datetime) -> None:
            agenda.add(at + timedelta(seconds=5), done.append)

        agenda.add(NOON + timedelta(seconds=5), first)
        clock.advance(60)
        agenda.run_due()

        assert done == [NOON + timedelta(seconds=10)]

    def test_a_step_that_fails_does_not_stop_the_others(self, caplog):
        clock = SimClock(0, start=NOON)
        agenda = Agenda(clock)
        done: list[datetime] = []

        def broken(_at: datetime) -> None:
            raise RuntimeError

        agenda.add(NOON, broken)
        agenda.add(NOON, done.append)
        agenda.run_due()

        assert done == [NOON]
        assert "a planned step of the broker failed" in caplog.text


class TestUlids:
    def test_they_grow_within_one_moment_and_when_time_falls_back(self):
        ulids = Ulids()

        made = [ulids.next(NOON) for _ in range(1000)]
        made.append(ulids.next(NOON - timedelta(days=1)))

        assert made == sorted(set(made))
        assert all(is_ulid(each) for each in made)

    def test_they_begin_with_their_time(self):
        earlier, later = Ulids().next(NOON), Ulids().next(NOON + timedelta(milliseconds=1))

        assert earlier[:10] < later[:10]

    def test_they_go_on_behind_one_of_an_earlier_run(self):
        old = Ulids().next(NOON + timedelta(days=1))
        ulids = Ulids()
        ulids.after(old)

        assert ulids.next(NOON) > old

    @pytest.mark.parametrize("text", ["", "12", "01KE6Z3M5Q000000000000000U"])
    def test_other_texts_are_none(self, text):
        assert not is_ulid(text)


class TestStore:
    def test_a_document_is_written_as_it_is_at_the_flush(self, tmp_path):
        store, words = Store(tmp_path), ["first"]
        store.mark("word", "1", lambda: words[-1])
        store.mark("word", "1", lambda: words[-1])
        words.append("last")
        store.close()

        again = Store(tmp_path)
        assert list(again.load("word")) == [("1", "last")]
        again.close()

    def test_without_a_folder_nothing_is_kept(self):
        store = Store(None)
        store.mark("word", "1", lambda: "first")
        store.flush()

        assert list(store.load("word")) == []


@pytest.mark.parametrize(
    ("number", "is_valid"),
    [
        ("121000358", True),
        ("011401533", True),
        ("121000359", False),
        ("12100035", False),
        ("", False),
    ],
)
def test_a_routing_number_has_nine_digits_of_which_one_checks_the_others(number, is_valid):
    assert is_routing_number(number) is is_valid
