"""Servers for one test run: its own, forgetful, and gone with the process that asked for them."""

import atexit
import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from clera.local import home, ports, servers
from clera.local.children import Children
from clera.local.errors import LocalError
from clera.local.home import CHECKOUT, Home
from clera.local.postgres import fresh_copy
from clera.local.redis import Store

GIVEN = ("TEST_DATABASE_URL", "TEST_REDIS_URL")
MAKING_SECONDS = 60


@dataclass
class Servers:
    """Where the servers of this test run are."""

    database_url: str
    redis_url: str
    _children: Children | None = field(default=None, repr=False)
    _folder: Path | None = field(default=None, repr=False)
    _pid: int = field(default_factory=os.getpid, repr=False)

    @property
    def env(self) -> dict[str, str]:
        """The variables by which Clera finds them."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}

    def stop(self) -> None:
        """End the servers and delete their files; harmless when repeated."""
        if self._children is None or os.getpid() != self._pid:  # a fork is not the owner
            return
        children, self._children = self._children, None
        children.end()
        if self._folder is not None:
            shutil.rmtree(self._folder)


def start_servers(*, where: Home | None = None) -> Servers:
    """
    Start PostgreSQL and Redis for tests, in about a second.

    They end when this process does, however it ends. `TEST_DATABASE_URL` and `TEST_REDIS_URL`,
    given together, are used instead.

    :raises LocalError: only one of them is given, or a server does not start.
    """
    database_url, redis_url = (os.environ.get(name, "") for name in GIVEN)
    if database_url and redis_url:
        return Servers(database_url, redis_url)
    if database_url or redis_url:
        raise LocalError(f"Set both {' and '.join(GIVEN)}, or neither.")
    own = where or Home(CHECKOUT / ".local")
    own.make()
    remove_leftovers(own.scratch)
    folder = Path(tempfile.mkdtemp(dir=own.scratch))
    folder.chmod(0o755 if home.is_root() else 0o700)
    lock = home.take_lock(folder / "lock")
    children = Children(folder / "started", log=folder / "servers.log", lock=lock, folder=folder)
    found = Servers("", "", children, folder)
    atexit.register(found.stop)
    try:
        env = servers.start_both(
            children,
            fresh_copy(folder, scratch=own.scratch),
            Store(folder / "redis", is_durable=False),
            on_ports=(ports.any_free, ports.any_free),
        )
    except LocalError as problem:
        said = (folder / "servers.log").read_text(errors="replace").strip()
        found.stop()
        raise LocalError(f"{said[-2000:]}\n{problem}") from problem
    found.database_url, found.redis_url = env["DATABASE_URL"], env["REDIS_URL"]
    return found


def remove_leftovers(scratch: Path) -> None:
    """Delete the folders of test runs that a crash of the machine has cut short."""
    for folder in scratch.glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):  # its own run is deleting it right now
            is_new = time.time() - folder.stat().st_mtime < MAKING_SECONDS
            lock = None if is_new else home.take_lock(folder / "lock")
            if lock is not None:
                shutil.rmtree(folder)
                lock.close()
