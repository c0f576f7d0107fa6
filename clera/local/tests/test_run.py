import os
import signal

import pytest

from clera.local import ports
from clera.local.tests.factories import is_running, line_with, pids_in
from clera.local.tests.runs import FAMILY, command


class TestRun:
    def test_lasts_until_ctrl_c_and_then_says_that_it_has_stopped(self, start, where):
        run = start()
        line_with(run, "Clera is ready")
        block = line_with(run, "data stays")
        run.send_signal(signal.SIGINT)

        assert "`make stop`" in block
        assert run.communicate(timeout=60)[0].splitlines()[-1].endswith("stopped")
        assert run.returncode == 0

        assert not (where.local / "run.env").exists()
        assert not (where.local / "run.pid").exists()

    def test_names_the_addresses_the_keys_and_the_commands(self, running):
        for expected in (
            "migrate  | migrated",
            "/api/docs/",
            "/admin/   ada / pw-of-ada",
            "API key     clr_test_key",
            "customer    eve@example.com",
            "account     acc-1",
            "token       jwt-1",
            "balance     curl balance",
        ):
            assert expected in running.shown
        assert running.shown.count("Clera is ready") == 1
        assert "\x1b" not in running.shown

    def test_tells_other_terminals_where_the_servers_are_while_it_lasts(self, running):
        path = running.where.local / "run.env"
        urls = "DATABASE_URL=postgresql://elsewhere/x\nREDIS_URL=redis://elsewhere\n"

        assert path.read_text().startswith(urls)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_happens_once_at_a_time(self, running):
        second = running.start()

        said = second.communicate(timeout=60)[0]
        refusal = f"Clera already runs here (process {running.run.pid}); `make stop` ends it.\n"
        assert said == refusal
        assert second.returncode == 1
        assert running.run.poll() is None

    def test_starts_nothing_else_when_a_step_fails(self, start, family):
        run = start(migrate=["raise SystemExit('no such table')"], worker=[FAMILY, str(family)])

        said = run.communicate(timeout=60)[0]
        assert run.returncode == 1
        assert "migrate  | no such table" in said
        assert said.splitlines()[-1] == "migrate failed; what it printed is above."
        assert pids_in(family) == []

    def test_starts_again_what_dies_and_says_so(self, start, tmp_path):
        first = tmp_path / "first"
        code = (
            "import os, pathlib, signal, sys, time\n"
            "first = pathlib.Path(sys.argv[1])\n"
            "if not first.exists():\n"
            "    first.touch()\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "print('second life')\n"
            "time.sleep(60)\n"
        )
        run = start(worker=[code, str(first)])

        assert "worker died (signal SIGKILL); starting it again in 0.25 s." in line_with(
            run, "died"
        )
        assert line_with(run, "second life") == "worker   | second life\n"

    def test_gives_up_on_what_keeps_dying_and_ends_the_rest(self, start, family):
        run = start(worker=["raise SystemExit(3)"], other=[FAMILY, str(family)])

        said = run.communicate(timeout=60)[0]
        assert run.returncode == 1
        assert said.count("worker died (exit code 3)") == 4
        assert said.splitlines()[-1] == "worker died 5 times; what it printed is above."
        assert len(pids_in(family)) == 3
        assert not any(is_running(pid) for pid in pids_in(family))


class TestPortInUse:
    @pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT", "CLERA_PG_PORT"])
    def test_is_one_sentence_with_the_variable_that_helps(self, variable, where, taken_port):
        free = {"PORT": str(ports.any_free()), "SANDBOX_PORT": str(ports.any_free())}
        told = command(where, "run", **{**free, variable: str(taken_port)})

        said = told.stderr.strip()
        assert said.startswith(f"Port {taken_port} is in use by ")
        assert f"(process {os.getpid()}); choose another with {variable}=" in said
        assert "\n" not in said
        assert told.returncode == 1
