"""Which value is shown, and how long to wait: what both clients decide without a server."""

import json
import subprocess
from pathlib import Path

import pytest
from clera_live import Book, Timing, order_of, pause_after
from clera_live.pauses import wait_between_polls

from tests.clients.factories import node

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text())


@pytest.mark.parametrize("steps", [pytest.param(c["steps"], id=c["name"]) for c in CASES])
def test_what_is_shown(steps):
    book = Book()
    for step in steps:
        if "take" in step:
            assert book.take(step["take"]) == step["shows"]
        elif "poll" in step:
            assert book.take_polled(step["poll"]) == step["shows"]
        elif "mark" in step:
            assert book.mark_stale(but=step["mark"]) == step["marks"]
        else:
            book.keep_only(step["keep"])
            known = [*book.ids, *([None] if book.shown(None) else [])]
            assert known == step["ids"]
        if "resume" in step:
            assert book.resume("a") == step["resume"]


def test_what_was_shown_does_not_change_afterwards():
    book = Book()
    first = book.take(
        {"type": "snapshot", "account_id": "a", "epoch": "1.1", "seq": 1, "stale": False, "x": 1}
    )
    before = dict(first)
    book.take({"type": "update", "account_id": "a", "epoch": "1.1", "seq": 2, "stale": True})
    book.mark_stale()

    assert first == before


@pytest.mark.parametrize("epoch", ["", "x", "1.y", "later"])
def test_an_epoch_we_cannot_read_is_the_oldest(epoch):
    assert order_of({"epoch": epoch, "seq": 3}) == (0, 0, 3)


@pytest.mark.parametrize(
    ("tries", "limit"), [(0, 0.5), (1, 1), (2, 2), (5, 16), (6, 30), (60, 30), (100_000, 30)]
)
def test_pauses_lie_anywhere_below_a_doubling_limit(tries, limit):
    drawn = [pause_after(tries) for _ in range(300)]

    assert pause_after(tries, draw=lambda: 1.0) == limit
    assert pause_after(tries, draw=lambda: 0.0) == 0
    assert all(0 <= pause < limit for pause in drawn)
    assert max(drawn) - min(drawn) > limit / 2


@pytest.mark.parametrize(("failures", "usual"), [(0, 5), (1, 10), (3, 30), (5_000, 30)])
def test_polls_that_fail_come_seldom_for_however_long(failures, usual):
    told = wait_between_polls(failures, told=0, timing=Timing())
    longer = wait_between_polls(failures, told=9_000, timing=Timing())

    assert 0.75 * usual <= told <= 1.25 * usual
    assert 300 + 0.75 * usual <= longer <= 300 + 1.25 * usual


def test_pauses_follow_the_timing():
    timing = Timing(first_pause_seconds=2, longest_pause_seconds=3)

    assert [pause_after(tries, timing=timing, draw=lambda: 1.0) for tries in (0, 1)] == [2, 3]


@pytest.mark.parametrize("name", ["book", "browser"])
def test_the_same_holds_in_javascript(name):
    done = subprocess.run(
        [node()[0], "--test", HERE / "javascript" / f"{name}.test.mjs"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout
