"""Runs one command with PostgreSQL and Redis at hand."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clera.local import control, environment, ports, servers, testing
from clera.local.children import Children
from clera.local.errors import LocalError
from clera.local.home import CHECKOUT, Home
from clera.local.postgres import Cluster
from clera.local.redis import Store


def execute(where: Home, command: Sequence[str], *, is_test: bool) -> int:
    """
    Run the command and return its exit code.

    It uses the servers of the Clera that runs here; if none runs, they are started on the same
    data for as long as the command takes. For tests they are fresh and forgetful.

    :raises LocalError: there is no such command, or a server does not start.
    """
    program = resolve(command)
    if is_test:
        found = testing.start_servers(where=where)
        try:
            return run(program, {**os.environ, **found.env})
        finally:
            found.stop()
    env = environment.load(CHECKOUT, os.environ)
    if control.runner(where) is not None:
        return run(program, {**environment.published(where), **env})
    if env.get("DATABASE_URL") and env.get("REDIS_URL"):
        return run(program, env)
    return _with_own_servers(where, program, env)


def _with_own_servers(where: Home, program: Sequence[str], env: Mapping[str, str]) -> int:
    lock = control.claim(where)
    children = Children(control.ledger(where), log=where.local / "servers.log", lock=lock)
    try:
        found = servers.start_both(
            children,
            Cluster(where.database),
            Store(where.local / "redis"),
            on_ports=(ports.any_free, ports.any_free),
        )
        return run(program, {**found, **env})
    finally:
        children.end()


def resolve(command: Sequence[str]) -> list[str]:
    """
    Find the program: a Python file, a tool of our environment, or any other on PATH.

    :raises LocalError: there is none of that name.
    """
    if not command:
        raise LocalError("Say what to run, as in: python -m clera.local exec -- manage.py shell")
    name, *rest = command
    if name.endswith(".py"):
        return [sys.executable, name, *rest]
    ours = Path(sys.executable).with_name(name)
    found = str(ours) if ours.exists() else shutil.which(name)
    if found is None:
        raise LocalError(f"There is no program called {name}.")
    return [found, *rest]


def run(program: Sequence[str], env: Mapping[str, str]) -> int:
    """Run in the foreground; Ctrl-C is the program's own affair, SIGTERM is passed on to it."""
    process = subprocess.Popen(program, env=dict(env))
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    terminate = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return _shell_code(process.wait())
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)


def _shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code
