"""Knowing whether Clera runs in this checkout, and ending it from another terminal."""

import json
import os
import signal
import time
from pathlib import Path
from typing import IO

import psutil

from clera.local import guard, home
from clera.local.errors import LocalError
from clera.local.home import Home

ENDING_SECONDS = 10.0
"""A run ends within five; its guard, if the run was killed, needs as long again."""


def ledger(where: Home) -> Path:
    """Name the file that lists what the run in this checkout has started."""
    return where.local / "run.started"


def claim(where: Home) -> IO[str]:
    """
    Make this process the one that runs Clera here, until the answer is closed.

    :raises LocalError: another one does.
    """
    where.make()
    deadline = time.monotonic() + ENDING_SECONDS
    while (lock := home.take_lock(where.local / "run.lock")) is None:
        running = runner(where)
        if running is not None:
            raise LocalError(
                f"Clera already runs here (process {running.pid}); `make stop` ends it."
            )
        if time.monotonic() > deadline:
            raise LocalError("Another command uses the local servers; try again when it has ended.")
        guard.wait_quietly(0.1)  # the guard of a killed run is still tidying up
    guard.Ledger(ledger(where)).settle()  # the guard was killed as well
    return lock


def sign(where: Home) -> None:
    """Write down which process runs Clera here."""
    created = psutil.Process().create_time()
    text = json.dumps({"pid": os.getpid(), "created": created})
    home.write_private(where.local / "run.pid", text)


def runner(where: Home) -> psutil.Process | None:
    """Return the process that runs Clera here, if one does."""
    path = where.local / "run.pid"
    if not path.exists():
        return None
    told = json.loads(path.read_text())
    started = guard.Started(told["pid"], told["created"], signal.SIGTERM, guard.Wave.PROGRAMS)
    found = started.leader()
    return found if found is not None and guard.is_alive(found) else None


def stop(where: Home) -> str:
    """
    End the running Clera and say what happened.

    :raises LocalError: it does not end.
    """
    running = runner(where)
    if running is None:
        return "Clera does not run here."
    running.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + ENDING_SECONDS
    while (lock := home.take_lock(where.local / "run.lock")) is None:
        if time.monotonic() > deadline:
            raise LocalError(f"Process {running.pid} does not end; end it with kill -9.")
        guard.wait_quietly(0.05)
    lock.close()
    return "Clera has stopped."


def reset(where: Home, *, is_forced: bool) -> str:
    """
    Delete all local data, after asking.

    :raises LocalError: Clera runs, or there is nobody to ask.
    """
    if not where.local.exists():
        return "There is no local data."
    if not is_forced:
        try:
            answer = input("Delete the local database, Redis and sandbox data? [y/N] ")
        except EOFError:
            raise LocalError("Nobody is there to ask; use `make reset FORCE=1`.") from None
        if answer.strip().lower() not in {"y", "yes"}:
            return "Nothing was deleted."
    with claim(where):
        where.forget()
    return "All local data is deleted; the next `make run` starts afresh."
