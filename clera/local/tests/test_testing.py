import os
import signal
import socket
import subprocess
from urllib.parse import urlsplit

import psutil
import pytest

from clera.local import guard, postgres, testing
from clera.local.errors import LocalError
from clera.local.home import Home, take_lock
from clera.local.tests.factories import is_running, line_with, python, wait_for
from core.tests.promises import promised

HOLD = """
import sys
from pathlib import Path
from clera.local.home import Home, take_lock
from clera.local.testing import start_servers
found = start_servers(where=Home(Path(sys.argv[1])))
print("urls", found.database_url, found.redis_url)
print("folder", found._folder)
print("guard", found._children._guard.pid)
sys.stdin.read() if len(sys.argv) < 3 else None
"""


def answers(url: str) -> bool:
    found = urlsplit(url)
    try:
        socket.create_connection((found.hostname, found.port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home") / ".local")


@pytest.fixture(scope="module")
def servers(home):
    found = testing.start_servers(where=home)
    yield found
    found.stop()


def redis_says(url: str, *words: str) -> list[str]:
    found = urlsplit(url)
    with socket.create_connection((found.hostname, found.port), timeout=2) as connection:
        lines = [f"AUTH {found.password}", *words, "QUIT"]
        connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
        with connection.makefile("r") as answer:
            return answer.read().split("\n")[1:-2]


class TestServers:
    def test_are_a_real_postgresql_18_and_a_redis(self, servers):
        version = postgres.ask(servers.database_url, "SHOW server_version_num")

        assert version.startswith("18")
        assert [line.strip() for line in redis_says(servers.redis_url, "PING")] == ["+PONG"]

    def test_keep_nothing_of_a_crash_for_the_sake_of_speed(self, servers):
        assert postgres.ask(servers.database_url, "SHOW fsync") == "off"
        assert "appendonly" in redis_says(servers.redis_url, "CONFIG GET appendonly")[2]
        assert redis_says(servers.redis_url, "CONFIG GET appendonly")[4].strip() == "no"

    def test_give_an_owner_who_is_no_superuser_yet_makes_roles_and_takes_them(self, servers):
        url = servers.database_url
        postgres.ask(url, "CREATE ROLE app NOLOGIN")
        postgres.ask(url, "GRANT app TO clera_owner")

        assert postgres.ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = user") == "f"
        assert postgres.ask(url, "SET ROLE app; SELECT current_user").split()[-1] == "app"

    def test_let_nobody_in_without_the_password(self, servers):
        wrong = servers.database_url.replace(urlsplit(servers.database_url).password, "guess")

        with pytest.raises(LocalError, match="password authentication failed"):
            postgres.ask(wrong, "SELECT 1")

    def test_let_the_superuser_in_by_no_way(self, servers):
        with pytest.raises(LocalError, match=r"no pg_hba\.conf entry"):
            postgres.ask(servers.database_url.replace("clera_owner", "postgres"), "SELECT 1")

    def test_do_not_show_redis_password_to_other_users_of_the_machine(self, servers):
        password = urlsplit(servers.redis_url).password
        listed = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout

        assert password not in listed

    def test_are_listening_on_this_machine_only(self, servers):
        listening = [
            (connection.family, connection.laddr[0] if connection.laddr else "")
            for child in servers._children.running.values()
            for connection in psutil.Process(child.popen.pid).net_connections("all")
            if connection.status == psutil.CONN_LISTEN or connection.family == socket.AF_UNIX
        ]

        assert listening == [(socket.AF_INET, "127.0.0.1")] * 2


class TestTwoRunsAtOnce:
    def test_do_not_meet(self, servers, home):
        other = testing.start_servers(where=home)
        try:
            postgres.ask(servers.database_url, "CREATE TABLE only_here ()")

            assert postgres.ask(other.database_url, "SELECT to_regclass('only_here')") == ""
            assert len({servers.database_url, other.database_url}) == 2
            assert len({servers.redis_url, other.redis_url}) == 2
        finally:
            other.stop()

        assert not answers(other.database_url)
        assert postgres.ask(servers.database_url, "SELECT 1") == "1"


class TestTheEndOfTheProcess:
    @pytest.mark.promise
    def test_by_sigkill_ends_the_servers_and_deletes_their_files(self, tmp_path):
        holder = python(HOLD, str(tmp_path / ".local"))
        _, database_url, redis_url = line_with(holder, "urls").split()
        folder = line_with(holder, "folder").split()[1]
        guard_pid = int(line_with(holder, "guard").split()[1])
        assert answers(database_url)
        assert answers(redis_url)

        holder.kill()
        holder.communicate()

        seconds = wait_for(lambda: not is_running(guard_pid), seconds=60)
        assert seconds < promised(5)
        assert not answers(database_url)
        assert not answers(redis_url)
        assert not os.path.exists(folder)  # noqa: PTH110

    def test_in_the_ordinary_way_ends_them_as_well(self, tmp_path):
        holder = python(HOLD, str(tmp_path / ".local"), "and leave")
        _, database_url, redis_url = line_with(holder, "urls").split()
        folder = line_with(holder, "folder").split()[1]
        holder.communicate(timeout=60)

        assert holder.returncode == 0
        assert not answers(database_url)
        assert not answers(redis_url)
        assert not os.path.exists(folder)  # noqa: PTH110

    def test_of_a_fork_changes_nothing(self, servers):
        child = os.fork()
        if child == 0:
            servers.stop()
            os._exit(0)
        os.waitpid(child, 0)

        assert postgres.ask(servers.database_url, "SELECT 1") == "1"


class TestLeftovers:
    def test_of_a_machine_that_crashed_are_deleted_and_a_run_in_progress_is_not(self, home):
        old = home.scratch / "old"
        old.mkdir()
        (old / "big").write_text("data")
        used = home.scratch / "used"
        used.mkdir()
        lock = take_lock(used / "lock")
        for folder in (old, used):
            os.utime(folder, (0, 0))

        testing.remove_leftovers(home.scratch)

        assert not old.exists()
        assert used.exists()
        lock.close()
        (used / "lock").unlink()
        used.rmdir()


class TestGivenServers:
    def test_are_used_as_they_are(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://somewhere/else")
        monkeypatch.setenv("TEST_REDIS_URL", "redis://somewhere")

        found = testing.start_servers(where=Home(tmp_path))

        assert found.env == {
            "DATABASE_URL": "postgresql://somewhere/else",
            "REDIS_URL": "redis://somewhere",
        }
        assert list(tmp_path.iterdir()) == []

    def test_come_together_or_not_at_all(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://somewhere/else")
        monkeypatch.delenv("TEST_REDIS_URL", raising=False)

        with pytest.raises(LocalError, match="Set both TEST_DATABASE_URL and TEST_REDIS_URL"):
            testing.start_servers(where=Home(tmp_path))


class TestGuard:
    def test_takes_no_stranger_for_the_process_that_once_had_its_id(self):
        stranger = guard.Started(os.getpid(), 1.0, signal.SIGKILL, guard.Wave.PROGRAMS)

        guard.end_all([stranger])

        assert stranger.leader() is None
