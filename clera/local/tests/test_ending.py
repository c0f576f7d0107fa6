import json
import signal

import psutil
import pytest

from clera.local.tests.factories import is_running, line_with, pids_in, wait_for
from clera.local.tests.runs import FAMILY, STUBBORN, command
from core.tests.promises import promised

LONGEST_SECONDS = promised(5)


class TestTheEnd:
    @pytest.mark.promise
    def test_by_ctrl_c_takes_children_and_grandchildren_and_no_stranger(
        self, start, family, stranger
    ):
        run = start(worker=[FAMILY, str(family)])
        line_with(run, "data stays")
        wait_for(lambda: len(pids_in(family)) == 3, seconds=30)

        run.send_signal(signal.SIGINT)
        wait_for(lambda: run.poll() is not None, seconds=LONGEST_SECONDS)

        assert not any(is_running(pid) for pid in pids_in(family))
        assert stranger.poll() is None

    @pytest.mark.promise
    def test_comes_within_five_seconds_for_a_process_that_does_not_listen(self, start, family):
        run = start(worker=[STUBBORN + FAMILY, str(family)])
        line_with(run, "data stays")
        wait_for(lambda: len(pids_in(family)) == 3, seconds=30)

        run.send_signal(signal.SIGINT)
        wait_for(lambda: run.poll() is not None, seconds=LONGEST_SECONDS)

        assert not any(is_running(pid) for pid in pids_in(family))

    def test_comes_at_once_when_asked_twice(self, start, family):
        run = start(grace=100, worker=[STUBBORN + FAMILY, str(family)])
        line_with(run, "data stays")
        run.send_signal(signal.SIGINT)
        line_with(run, "stopping")
        run.send_signal(signal.SIGINT)

        wait_for(lambda: run.poll() is not None, seconds=50)
        assert not any(is_running(pid) for pid in pids_in(family))

    def test_by_make_stop_is_the_same(self, start, where, family):
        run = start(worker=[FAMILY, str(family)])
        line_with(run, "data stays")

        told = command(where, "stop")

        assert told.stdout == "Clera has stopped.\n"
        assert run.wait(timeout=60) == 0
        assert not any(is_running(pid) for pid in pids_in(family))
        assert command(where, "stop").stdout == "Clera does not run here.\n"

    @pytest.mark.promise
    def test_by_sigkill_takes_everything_too_and_the_data_serves_the_next_run(
        self, start, where, family, stranger
    ):
        worker = [FAMILY, str(family)]
        run = start(env={"DATABASE_URL": "", "REDIS_URL": ""}, worker=worker)
        line_with(run, "data stays")
        started = psutil.Process(run.pid).children(recursive=True)
        names = {process.name() for process in started}
        assert "postgres" in names
        assert names & {"valkey-server", "redis-server"}

        run.kill()
        wait_for(lambda: not any(is_running(one.pid) for one in started), seconds=LONGEST_SECONDS)

        assert stranger.poll() is None
        assert not any(is_running(pid) for pid in pids_in(family))
        again = start(env={"DATABASE_URL": "", "REDIS_URL": ""})
        assert "ready" in line_with(again, "Clera is ready")

    def test_of_both_the_run_and_its_guard_leaves_the_next_run_to_end_the_rest(
        self, start, where, family
    ):
        run = start(env={"REDIS_URL": "", "DATABASE_URL": "none"}, worker=[FAMILY, str(family)])
        line_with(run, "data stays")
        started = psutil.Process(run.pid).children(recursive=True)
        guards = [one for one in started if "guard.py" in " ".join(one.cmdline())]
        for one in (*guards, psutil.Process(run.pid)):
            one.kill()
        assert sum(is_running(one.pid) for one in started) >= 4

        line_with(start(), "Clera is ready")

        assert not any(is_running(one.pid) for one in started)
        assert not any(is_running(pid) for pid in pids_in(family))

    def test_of_a_process_id_that_a_stranger_now_has_is_none(self, where, stranger):
        told = json.dumps({"pid": stranger.pid, "created": 1.0})
        (where.local / "run.pid").write_text(told)

        assert command(where, "stop").stdout == "Clera does not run here.\n"
        assert stranger.poll() is None
