import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from clera.local import home, ports, postgres, servers
from clera.local.children import Children
from clera.local.errors import LocalError
from clera.local.home import CHECKOUT, Home
from clera.local.postgres import Cluster
from clera.local.tests.factories import is_running, wait_for


@contextmanager
def serving(cluster: Cluster, log: Path):
    children = Children(log.with_name("started"), log=log)
    try:
        server = servers.launch_postgres(children, cluster, ports.any_free)
        yield cluster.url(server.wait(children.pump)), children.running["postgres"]
    finally:
        children.end()


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    found = Home(tmp_path_factory.mktemp("home") / ".local")
    found.make()
    yield found
    found.forget()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


class TestCluster:
    def test_keeps_its_data_when_the_server_is_restarted(self, where, log):
        cluster = Cluster(where.database)
        with serving(cluster, log) as (url, _):
            postgres.ask(url, "CREATE TABLE kept AS SELECT 42 AS number")
        with serving(cluster, log) as (url, _):
            assert postgres.ask(url, "SELECT number FROM kept") == "42"
            assert postgres.ask(url, "SHOW fsync") == "on"

    def test_keeps_committed_data_when_the_server_is_killed(self, where, log):
        cluster = Cluster(where.database)
        with serving(cluster, log) as (url, child):
            postgres.ask(url, "CREATE TABLE survivor AS SELECT 7 AS number")
            workers = [one.pid for one in psutil.Process(child.popen.pid).children()]
            child.popen.kill()
            wait_for(lambda: not any(map(is_running, workers)), seconds=60)
        with serving(cluster, log) as (url, _):
            assert postgres.ask(url, "SELECT number FROM survivor") == "7"

    def test_starts_although_a_lock_file_names_an_id_that_a_stranger_now_has(self, where, log):
        cluster = Cluster(where.database)
        cluster.prepare()
        stranger = subprocess.Popen(
            ["/bin/sleep", "60"],
            **(home.owner_of(cluster.data).popen if home.is_root() else {}),
        )
        (cluster.data / "postmaster.pid").write_text(f"{stranger.pid}\n{cluster.data}\n")
        try:
            with serving(cluster, log) as (url, _):
                assert postgres.ask(url, "SELECT 1") == "1"
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    def test_ends_a_server_that_nobody_watches_any_more_before_it_starts_another(self, where, log):
        cluster = Cluster(where.database)
        cluster.prepare()
        program = cluster.program(ports.any_free())
        orphan = subprocess.Popen(
            program.command,
            env=program.env,
            cwd=program.cwd,
            start_new_session=True,
            stderr=subprocess.DEVNULL,
            **(program.user.popen if program.user else {}),
        )
        wait_for((cluster.data / "postmaster.pid").exists, seconds=60)

        with serving(cluster, log) as (url, _):
            assert postgres.ask(url, "SELECT 1") == "1"
            assert orphan.wait(timeout=5) is not None

    def test_says_what_to_do_about_the_data_of_another_version(self, where):
        cluster = Cluster(where.database)
        cluster.prepare()
        version = cluster.data / "PG_VERSION"
        version.write_text("17\n")
        try:
            with pytest.raises(LocalError, match=r"written by PostgreSQL 17 .* `make reset`"):
                cluster.prepare()
        finally:
            version.write_text("18\n")

    def test_makes_a_new_start_when_the_first_was_cut_short(self, tmp_path, log, where):
        folder = where.scratch / "half"
        folder.mkdir(mode=0o755)
        (folder / "data.draft").mkdir()
        (folder / "data.draft" / "half").write_text("written")
        cluster = Cluster(folder, is_durable=False)
        try:
            with serving(cluster, log) as (url, _):
                assert postgres.ask(url, "SELECT 1") == "1"
            assert not (folder / "data.draft").exists()
        finally:
            shutil.rmtree(folder)

    def test_keeps_the_password_where_only_its_owner_reads_it(self, where):
        Cluster(where.database).prepare()

        assert (where.database / "password").stat().st_mode & 0o777 == 0o600


class TestServer:
    def test_takes_another_port_when_it_loses_the_race_for_one(self, where, log, taken_port):
        cluster = Cluster(where.database)
        children = Children(log.with_name("started"), log=log)
        free = ports.any_free()
        choice = iter([taken_port, free])
        try:
            server = servers.launch_postgres(children, cluster, lambda: next(choice))

            assert server.wait(children.pump) == free
        finally:
            children.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change users")
class TestAsRoot:
    def test_serves_although_nobody_else_can_pass_into_the_checkout(self, tmp_path):
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        checkout = closed / "checkout"
        shutil.copytree(CHECKOUT / "clera" / "local", checkout / "clera" / "local")
        (checkout / "clera" / "__init__.py").touch()
        code = (
            "from clera.local import home, postgres, testing\n"
            "found = testing.start_servers()\n"
            "print(home.CHECKOUT, postgres.ask(found.database_url, 'SELECT 6 * 7'))\n"
        )
        told = subprocess.run(
            [sys.executable, "-c", code],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=False,
            umask=0o077,
        )

        assert told.stdout.split() == [str(checkout), "42"], told.stderr

    def test_runs_it_as_a_user_without_privileges_and_without_our_groups(self, where, log):
        with serving(Cluster(where.database), log) as (_, child):
            process = psutil.Process(child.popen.pid)

            assert 0 not in process.uids()
            assert 0 not in process.gids()
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert "Groups:\t \n" in status

    def test_trusts_no_folder_that_another_user_could_change(self, tmp_path):
        tmp_path.chmod(0o777)

        assert not home.is_trusted(tmp_path)
        assert home.is_trusted(home.shared_folder())

    def test_keeps_the_programs_where_only_root_changes_them(self):
        program = postgres.programs() / "postgres"

        assert program.stat().st_uid == 0
        assert all(not one.stat().st_mode & 0o022 for one in (program, *program.parents))

    def test_deletes_the_data_of_a_checkout_that_has_lost_its_way_to_it(self, tmp_path):
        shared = tmp_path / "shared"
        for name, local in (("lost", tmp_path / "gone"), ("kept", tmp_path), ("away", "/no/disk")):
            (shared / name).mkdir(parents=True)
            (shared / name / home.OWNER_FILE).write_text(str(local))
        (tmp_path / "id").write_text("kept")

        home.remove_orphans(shared)

        assert sorted(path.name for path in shared.iterdir()) == ["away", "kept"]

    def test_forgets_the_data_outside_the_checkout_too(self, tmp_path):
        where = Home(tmp_path / ".local")
        where.make()
        outside = where.database

        where.forget()

        assert not outside.exists()
        assert not where.local.exists()
