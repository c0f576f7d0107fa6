"""The processes that one parent started: their output, their deaths, and their orderly end."""

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from clera.local import guard
from clera.local.guard import Started, Wave
from clera.local.home import ServerUser

Sink = Callable[[str, str], None]
"""Receives the name of a process and one line that it printed."""


@dataclass(frozen=True)
class Program:
    """What to start, and how to end it."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    user: ServerUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    wave: Wave = Wave.PROGRAMS
    stdin: str = ""


@dataclass
class Child:
    """One running program."""

    program: Program
    popen: subprocess.Popen[bytes]
    started: Started
    unfinished: bytes = b""

    @property
    def name(self) -> str:
        """The short name that people see."""
        return self.program.name

    def has_ended(self) -> bool:
        """Tell whether it is dead, and leave it uncollected so that its id stays its own."""
        leader = self.started.leader()
        return leader is None or not guard.is_alive(leader)


@dataclass
class Children:
    """
    Starts processes and ends them, with a guard beside us in case that we are killed.

    Output goes line by line to `sink`, or unread into the file `log`. The guard reads `ledger`,
    keeps `lock` taken, and deletes `folder`, when it is the one that has to end everything.
    """

    ledger: Path
    sink: Sink | None = None
    log: Path | None = None
    lock: IO[str] | None = None
    folder: Path | None = None
    run_id: str = field(default_factory=lambda: secrets.token_hex(8))
    running: dict[str, Child] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _guard: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        guard.Ledger(self.ledger).open(run_id=self.run_id)
        arguments = [
            str(os.getpid()),
            str(self.ledger),
            *([str(self.folder)] if self.folder else []),
        ]
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__, *arguments],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=() if self.lock is None else (self.lock.fileno(),),
        )

    def start(self, program: Program) -> Child:
        """Start the program in a session of its own, so that only we decide when it ends."""
        with contextlib.ExitStack() as stack:
            popen = subprocess.Popen(
                program.command,
                env={**program.env, guard.MARKER: self.run_id},
                cwd=program.cwd,
                stdin=subprocess.PIPE if program.stdin else subprocess.DEVNULL,
                stdout=self._output(stack),
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **(program.user.popen if program.user else {}),
            )
        created = psutil.Process(popen.pid).create_time()
        started = Started(popen.pid, created, program.stop_signal, program.wave)
        guard.Ledger(self.ledger).add(started)
        child = Child(program, popen, started)
        self.running[program.name] = child
        if popen.stdin is not None:
            popen.stdin.write(program.stdin.encode())
            popen.stdin.close()
        if popen.stdout is not None:
            os.set_blocking(popen.stdout.fileno(), False)
            self._selector.register(popen.stdout, selectors.EVENT_READ, child)
        return child

    def _output(self, stack: contextlib.ExitStack) -> int | IO[bytes]:
        if self.log is not None:
            return stack.enter_context(self.log.open("ab"))
        return subprocess.DEVNULL if self.sink is None else subprocess.PIPE

    def pump(self, seconds: float) -> None:
        """Pass on what the processes print, for at most that long or until something came."""
        if not self._selector.get_map():
            guard.wait_quietly(seconds)
        for key, _ in self._selector.select(seconds):
            self._read(key.fileobj, key.data)  # type: ignore[arg-type]

    def _read(self, stream: IO[bytes], child: Child) -> None:
        try:
            chunk = os.read(stream.fileno(), 65536)
        except BlockingIOError:
            return
        lines = (child.unfinished + chunk).split(b"\n")
        child.unfinished = lines.pop() if chunk else b""
        if not chunk:
            self._selector.unregister(stream)
            stream.close()
        for line in lines:
            self._pass_on(child, line)

    def _pass_on(self, child: Child, line: bytes) -> None:
        if self.sink is not None and line.strip():
            self.sink(child.name, line.decode(errors="replace").rstrip())

    def collect(self, child: Child) -> int:
        """End what a dead process left behind, pass on its last words, return its exit code."""
        guard.end_all([child.started])
        return self._reap(child)

    def _reap(self, child: Child) -> int:
        stream = child.popen.stdout
        while stream is not None and not stream.closed and self._selector.select(0):
            self.pump(0)
        if stream is not None and not stream.closed:
            self._selector.unregister(stream)
            stream.close()
        self.running.pop(child.name, None)
        return child.popen.wait()

    def ended(self) -> list[Child]:
        """List the processes that have died since they were last collected."""
        return [child for child in self.running.values() if child.has_ended()]

    def end(self, *, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """End everything, programs first, within five seconds; at once when hurried."""

        def wait(seconds: float) -> bool:
            self.pump(seconds)
            return not is_hurried()

        children = list(self.running.values())
        guard.end_all([child.started for child in children], run_id=self.run_id, wait=wait)
        for child in children:
            self._reap(child)
        self.dismiss()

    def dismiss(self) -> None:
        """Tell the guard that nothing is left to do, and let go of the lock."""
        guard.Ledger(self.ledger).close()
        self._guard.communicate()
        self._selector.close()
        if self.lock is not None:
            self.lock.close()
