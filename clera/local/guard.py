"""
Ends what a program started, also when that program was killed and cannot do it itself.

The program imports this file for an ordinary stop, and runs it as a script beside itself for the
other case, so both follow the same rules. As a script it imports nothing of Clera.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path

import psutil

MARKER = "CLERA_RUN_ID"
"""The variable that marks everything one run has started, and what that has started in turn."""


class Wave(IntEnum):
    """Programs end first, then the servers that they use."""

    PROGRAMS = 0
    SERVERS = 1


GRACE_SECONDS = {Wave.PROGRAMS: 3.4, Wave.SERVERS: 1.1}
POLL_SECONDS = 0.05
SAME_PROCESS_SECONDS = 1.0

Wait = Callable[[float], bool]
"""Waits that many seconds; answers whether to go on being patient."""


def wait_quietly(seconds: float) -> bool:
    """Let time pass."""
    select.select([], [], [], seconds)
    return True


@dataclass(frozen=True)
class Started:
    """One process that we started, leader of a process group of its own."""

    pid: int
    created: float
    stop_signal: int
    wave: int

    def leader(self) -> psutil.Process | None:
        """Return the process, unless its id belongs to a stranger by now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) < SAME_PROCESS_SECONDS:
                return process
        return None

    def ask_to_stop(self) -> None:
        """Send the signal on which this process ends in good order."""
        leader = self.leader()
        if leader is not None and is_alive(leader):
            with contextlib.suppress(psutil.NoSuchProcess):
                leader.send_signal(self.stop_signal)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether the process still runs; one that only waits to be collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family(started: Iterable[Started]) -> set[psutil.Process]:
    """Find the processes, the rest of their groups, and all their descendants."""
    groups = {one.pid for one in started if one.leader() is not None}
    children: dict[int, list[psutil.Process]] = {}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            children.setdefault(process.ppid(), []).append(process)
            if os.getpgid(process.pid) in groups:
                found.append(process)
    seen: set[psutil.Process] = set()
    while found:
        process = found.pop()
        if process not in seen:
            seen.add(process)
            found.extend(children.get(process.pid, []))
    return seen


def marked(run_id: str) -> set[psutil.Process]:
    """Find the processes whose environment says that this run started them."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARKER) == run_id:
                found.add(process)
    return found


def end_all(started: Sequence[Started], *, run_id: str = "", wait: Wait = wait_quietly) -> None:
    """Ask everything to stop, programs before servers, and kill what has not after its grace."""
    servers = [one for one in started if one.wave == Wave.SERVERS]
    programs = [one for one in started if one.wave == Wave.PROGRAMS]
    strays = marked(run_id) - family(servers) if run_id else set()
    _end_wave(programs, strays, GRACE_SECONDS[Wave.PROGRAMS], wait)
    _end_wave(servers, set(), GRACE_SECONDS[Wave.SERVERS], wait)


def _end_wave(
    started: Sequence[Started], strays: set[psutil.Process], grace: float, wait: Wait
) -> None:
    """Wait for those whom we started; what one of them has left behind gets no second grace."""
    targets = strays | family(started)
    leaders = {leader for one in started if (leader := one.leader()) is not None}
    for one in started:
        one.ask_to_stop()
    deadline = time.monotonic() + grace
    while any(is_alive(one) for one in leaders) and time.monotonic() < deadline:
        if not wait(POLL_SECONDS):
            break
    for process in targets | family(started):
        if is_alive(process):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@dataclass(frozen=True)
class Ledger:
    """
    The file that lists what one run has started, from its first process to its orderly end.

    As long as it exists, somebody has to end what it lists: the run, or its guard, or, if both
    were killed, the next run.
    """

    path: Path

    def open(self, *, run_id: str) -> None:
        """Begin the list."""
        self.path.write_text(json.dumps(run_id) + "\n")

    def add(self, started: Started) -> None:
        """Note one more process."""
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(started)) + "\n")

    def close(self) -> None:
        """Note that nothing is left to end."""
        self.path.unlink(missing_ok=True)

    def settle(self) -> None:
        """End everything on the list, if there is one."""
        if not self.path.exists():
            return
        lines = self.path.read_text().splitlines(keepends=True)
        run_id, *started = [json.loads(line) for line in lines if line.endswith("\n")] or [""]
        end_all([Started(**fields) for fields in started], run_id=run_id)
        self.close()


def wait_for_end_of(parent: int, pipe: int) -> None:
    """Return when the parent lets go of the pipe, or is gone while a fork of it holds on."""
    while os.getppid() == parent:
        ready, _, _ = select.select([pipe], [], [], 0.5)
        if ready:
            return


def main(parent: str, ledger: str, folder: str = "") -> None:
    """Watch over the parent; act only if it ends without having closed its ledger."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wait_for_end_of(int(parent), sys.stdin.fileno())
    if not Path(ledger).exists():
        return
    Ledger(Path(ledger)).settle()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
