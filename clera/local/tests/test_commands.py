from clera.local.tests.runs import command


class TestReset:
    def test_deletes_everything_when_it_need_not_ask(self, where):
        (where.local / "demo.json").write_text("{}")
        database = where.database

        told = command(where, "reset", "--force")

        assert "All local data is deleted" in told.stdout
        assert not where.local.exists()
        assert not database.exists()

    def test_deletes_nothing_when_nobody_answers(self, where):
        (where.local / "demo.json").write_text("{}")

        told = command(where, "reset")

        assert told.returncode == 1
        assert "make reset FORCE=1" in told.stderr
        assert (where.local / "demo.json").exists()

    def test_is_refused_while_clera_runs(self, running):
        told = command(running.where, "reset", "--force")

        assert told.returncode == 1
        assert f"Clera already runs here (process {running.run.pid})" in told.stderr
        assert (running.where.local / "demo.json").exists()


class TestExec:
    def test_on_test_servers_passes_their_addresses_and_the_exit_code(self, where):
        code = "import os, sys; print(os.environ['DATABASE_URL'][:13]); sys.exit(7)"

        told = command(where, "exec", "--test", "--", "python", "-c", code)

        assert told.stdout == "postgresql://\n"
        assert told.returncode == 7

    def test_uses_the_servers_of_the_clera_that_runs(self, running):
        code = "import os; print(os.environ['REDIS_URL'])"

        told = command(running.where, "exec", "--", "python", "-c", code)

        assert told.stdout == "redis://elsewhere\n"

    def test_starts_the_servers_on_the_lasting_data_when_nothing_runs(self, where):
        code = (
            "import os; from clera.local.postgres import ask;"
            "ask(os.environ['DATABASE_URL'], 'CREATE SEQUENCE IF NOT EXISTS runs');"
            "print(ask(os.environ['DATABASE_URL'], \"SELECT nextval('runs')\"))"
        )
        words = ("exec", "--", "python", "-c", code)

        assert [command(where, *words).stdout for _ in range(2)] == ["1\n", "2\n"]

    def test_names_a_program_that_does_not_exist(self, where):
        told = command(where, "exec", "--", "no-such-program")

        assert told.stderr == "There is no program called no-such-program.\n"
