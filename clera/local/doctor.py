"""Checks, by looking and by trying, that this machine can run Clera, and says what to do."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from clera.local import control, environment, home, install, ports, postgres, redis, testing
from clera.local.errors import LocalError
from clera.local.home import CHECKOUT, Home
from clera.local.terminal import Terminal

GIB = 2**30
NEEDED_DISK = 1 * GIB
NEEDED_MEMORY = 2 * GIB
PORTS = {"PORT": 8000, "SANDBOX_PORT": 8900}
GREEN, RED = "\x1b[32m", "\x1b[31m"


@dataclass
class Problem(Exception):
    """Something is wrong, and this is what to do about it."""

    what: str
    to_do: str


@dataclass(frozen=True)
class Examination:
    """The checks; each answers what is fine, or raises the problem."""

    where: Home

    def python_is_supported(self) -> str:
        """Compare the interpreter with what the lock files are made for."""
        version = ".".join(str(part) for part in sys.version_info[:3])
        if not install.OLDEST <= sys.version_info[:2] <= install.NEWEST:
            raise Problem(version, "make clean-venv, then make install PYTHON=python3.13")
        return f"{version} at {sys.executable}"

    def packages_are_installed(self) -> str:
        """Compare what is installed with the lock file."""
        if not install.is_current(CHECKOUT):
            raise Problem("the packages are not those of requirements-dev.txt", "make install")
        return "as in requirements-dev.txt"

    def settings_file_is_readable(self) -> str:
        """Read `.env`, which may be missing."""
        count = len(environment.read_file(CHECKOUT / ".env"))
        return f"{count} variables" if count else "none; the defaults need none"

    def disk_has_room(self) -> str:
        """Look at the disk that holds the data."""
        folder = home.shared_folder() if home.is_root() else self.where.local
        free = shutil.disk_usage(folder).free
        if free < NEEDED_DISK:
            raise Problem(f"{free / GIB:.1f} GiB free at {folder}", "free at least 1 GiB")
        return f"{free / GIB:.0f} GiB free at {folder}"

    def memory_suffices(self) -> str:
        """Look at the memory that nobody uses."""
        free = psutil.virtual_memory().available
        if free < NEEDED_MEMORY and control.runner(self.where) is None:
            raise Problem(
                f"{free / GIB:.1f} GiB available", "end other programs; about 2 GiB is needed"
            )
        return f"{free / GIB:.1f} GiB available"

    def ports_are_free(self) -> str:
        """Look at the ports that do not move by themselves."""
        if control.runner(self.where) is not None:
            return "in use by the Clera that runs here"
        env = environment.load(CHECKOUT, os.environ)
        for variable, default in PORTS.items():
            try:
                ports.need_free(environment.number(env, variable, default), variable=variable)
            except LocalError as problem:
                raise Problem(str(problem), f"set {variable} in .env") from problem
        return "free"

    def user_can_serve(self) -> str:
        """Find out whom PostgreSQL will run as, and whether they reach its files."""
        user = home.server_user()
        if user is None:
            return "yourself"
        return f"root; PostgreSQL runs as {user.name} in {home.shared_folder()}"

    def redis_is_there(self) -> str:
        """Run the program that would serve."""
        program = redis.find_program()
        version = ".".join(str(part) for part in redis.version_of(program))
        return f"{version} at {program}"

    def servers_work(self) -> str:
        """Start a PostgreSQL and a Redis of their own, ask each a question, and end them."""
        found = testing.start_servers(where=self.where)
        try:
            answer = postgres.ask(found.database_url, "SELECT current_setting('server_version')")
        finally:
            found.stop()
        return f"PostgreSQL {answer} and Redis started, answered and ended"

    @property
    def checks(self) -> dict[str, Callable[[], str]]:
        """All of them, by the name that people see."""
        return {
            "python": self.python_is_supported,
            "packages": self.packages_are_installed,
            ".env": self.settings_file_is_readable,
            "disk": self.disk_has_room,
            "memory": self.memory_suffices,
            "ports": self.ports_are_free,
            "user": self.user_can_serve,
            "redis": self.redis_is_there,
            "servers": self.servers_work,
        }


def examine(where: Home, terminal: Terminal) -> int:
    """Run every check, print one line each, and return how many found a problem."""
    where.make()
    problems = 0
    for name, check in Examination(where).checks.items():
        try:
            fine = check()
            terminal.write(f"{terminal.paint(GREEN, 'ok     ')} {name:<9} {fine}")
        except (Problem, LocalError, OSError) as problem:
            problems += 1
            what, to_do = _explained(problem)
            terminal.write(f"{terminal.paint(RED, 'problem')} {name:<9} {what}\n{'':18}-> {to_do}")
    return problems


def _explained(problem: Exception) -> tuple[str, str]:
    if isinstance(problem, Problem):
        return problem.what, problem.to_do
    return str(problem), "mend that and run `make doctor` again"
