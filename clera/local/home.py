"""
Where the local servers keep their files.

PostgreSQL refuses to run as root. Root therefore runs it as an ordinary user that exists already,
and such a user cannot look into, say, /root. So for root the programs and the data of PostgreSQL
live in `/var/lib/clera-local` (not /var/tmp, which many systems empty of old files); `.local/id`
says which folder there belongs to this checkout. For everyone else all of it is in `.local`.
"""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from clera.local.errors import LocalError

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED_PARENTS = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - owner and mode are checked
SHARED_NAME = "clera-local"
OWNER_FILE = "belongs-to"


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user whom root runs PostgreSQL as."""

    name: str
    uid: int
    gid: int

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess` that drop every privilege."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def is_root() -> bool:
    """Tell whether we run as root."""
    return os.geteuid() == 0


def server_user() -> ServerUser | None:
    """
    Choose whom PostgreSQL runs as; None means as ourselves.

    :raises LocalError: we are root and the machine has no ordinary user.
    """
    if not is_root():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise LocalError("PostgreSQL does not run as root and this machine has no user `nobody`.")


def owner_of(folder: Path) -> ServerUser | None:
    """Return the user who owns the folder, for whoever served from it before serves again."""
    if not is_root():
        return None
    found = folder.stat()
    return ServerUser(str(found.st_uid), found.st_uid, found.st_gid)


def shared_folder() -> Path:
    """
    Return the folder that root keeps and every user may pass through.

    :raises LocalError: no such folder can be made.
    """
    for parent in SHARED_PARENTS:
        folder = parent / SHARED_NAME
        with contextlib.suppress(OSError):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)
            if is_trusted(folder):
                return folder
    tried = " or ".join(str(parent / SHARED_NAME) for parent in SHARED_PARENTS)
    raise LocalError(f"Root needs {tried}, owned by root with mode 0755, for PostgreSQL's files.")


def is_trusted(folder: Path) -> bool:
    """Tell whether only root can change the folder and everyone can pass through it."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        return False
    return all(one.stat().st_mode & 0o001 for one in (folder, *folder.parents))


@dataclass(frozen=True)
class Home:
    """The files of one checkout's servers; `local` is its `.local` folder."""

    local: Path

    def make(self) -> None:
        """Create `.local`, which only its owner may look into."""
        self.local.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def state_id(self) -> str:
        """The name of this checkout among root's, chosen once and lost with `.local`."""
        path = self.local / "id"
        if not path.exists():
            write_private(path, secrets.token_hex(8))
        return path.read_text().strip()

    @property
    def database(self) -> Path:
        """The folder that holds PostgreSQL's data, and beside it its password."""
        if is_root():
            return self._among_roots(shared_folder())
        return _subfolder(self.local, "postgres")

    def _among_roots(self, shared: Path) -> Path:
        folder = shared / self.state_id
        if not folder.exists():
            remove_orphans(shared)
            write_private(_subfolder(shared, self.state_id) / OWNER_FILE, str(self.local))
        return folder

    @property
    def scratch(self) -> Path:
        """The folder under which every test run gets one of its own."""
        return _subfolder(shared_folder() if is_root() else self.local, "test")

    def forget(self) -> None:
        """Delete everything that the local servers have kept."""
        if is_root() and (self.local / "id").exists():
            shutil.rmtree(self.database)
        shutil.rmtree(self.local)


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(exist_ok=True)
    path.chmod(0o755 if is_root() else 0o700)
    return path


def remove_orphans(shared: Path) -> None:
    """Delete the data of checkouts that have lost their `.local`, and with it the way to it."""
    for note in shared.glob(f"*/{OWNER_FILE}"):
        local = Path(note.read_text())
        named = local / "id"
        is_lost = not named.exists() or named.read_text().strip() != note.parent.name
        # A checkout that is not there at all may be on a disk that is not mounted now.
        if is_lost and (local.parent.exists() or local.is_relative_to(tempfile.gettempdir())):
            shutil.rmtree(note.parent)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def take_lock(path: Path) -> IO[str] | None:
    """Take the lock file for as long as the answer stays open; None if another process has it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Do one thing at a time, however many processes want to."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
