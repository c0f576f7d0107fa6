"""Runs all of Clera in one terminal, until Ctrl-C."""

import http
import http.client
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from clera.local import control, environment, home, ports, processes, ready, schema, servers
from clera.local.children import Child, Children, Program
from clera.local.errors import LocalError
from clera.local.home import CHECKOUT, Home
from clera.local.postgres import Cluster
from clera.local.processes import Plan
from clera.local.redis import Store
from clera.local.terminal import Terminal

READY_SECONDS = 120.0
DEATHS = 5
FIRST_PAUSE_SECONDS = 0.25
DEATHS_SECONDS = 30.0
TICK_SECONDS = 0.2


class StopRequested(Exception):
    """Ctrl-C, `make stop`, or the terminal has gone."""


@dataclass
class Requests:
    """How often we were asked to stop; the second time means at once."""

    count: int = 0

    def add(self, *_: int | FrameType | None) -> None:
        """Note one request."""
        self.count += 1


@contextmanager
def listening(requests: Requests) -> Iterator[None]:
    """Turn the signals that end a program into requests."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, requests.add) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Stack:
    """One run: starts everything in order, keeps it running, and knows when it is ready."""

    where: Home
    plan: Plan
    env: dict[str, str]
    children: Children
    terminal: Terminal
    requests: Requests
    deaths: dict[str, deque[float]] = field(default_factory=dict)
    due: list[tuple[float, Program]] = field(default_factory=list)
    once: set[str] = field(default_factory=set)
    cluster: Cluster | None = None

    def pump(self, seconds: float) -> None:
        """
        Pass on output.

        :raises StopRequested: somebody wants the run to end.
        """
        self.children.pump(seconds)
        if self.requests.count:
            raise StopRequested

    def tick(self) -> None:
        """Pass on output, notice deaths and restart what is due."""
        self.pump(TICK_SECONDS)
        for child in self.children.ended():
            self._bury(child)
        now = time.monotonic()
        for at, program in list(self.due):
            if at <= now:
                self.due.remove((at, program))
                self._restart(program)

    def _bury(self, child: Child) -> None:
        code = self.children.collect(child)
        if child.name in self.once:
            self.once.remove(child.name)
            if code != 0:
                raise LocalError(f"{child.name} failed; what it printed is above.")
            return
        now = time.monotonic()
        recent = self.deaths.setdefault(child.name, deque(maxlen=DEATHS))
        recent.append(now)
        if len(recent) == DEATHS and now - recent[0] < DEATHS_SECONDS:
            raise LocalError(f"{child.name} died {DEATHS} times; what it printed is above.")
        repeats = sum(now - at < DEATHS_SECONDS for at in recent) - 1
        pause = FIRST_PAUSE_SECONDS * 2**repeats
        self.terminal.say(f"{child.name} died ({_cause(code)}); starting it again in {pause:g} s.")
        self.due.append((now + pause, child.program))

    def _restart(self, program: Program) -> None:
        if program.name == "postgres" and self.cluster is not None:
            self.cluster.prepare()
        self.children.start(program)

    def run_once(self, process: processes.Process) -> None:
        """Start a process that is meant to end by itself."""
        self.once.add(process.name)
        self.start(process)

    def start(self, process: processes.Process) -> None:
        """Start one of our own processes."""
        self.children.start(process.program(env=self.env, cwd=CHECKOUT))

    def start_servers(self) -> None:
        """Start what the environment does not name already."""
        waiting: list[tuple[str, servers.Server, Callable[[int], str]]] = []
        if not self.env.get("REDIS_URL"):
            store = Store(self.where.local / "redis")
            port = _chooser(self.env, "CLERA_REDIS_PORT", 63799)
            server = servers.launch_redis(self.children, store, port)
            waiting.append(("REDIS_URL", server, store.url))
        if not self.env.get("DATABASE_URL"):
            self.cluster = Cluster(self.where.database)
            if not self.cluster.data.exists():
                self.terminal.say("creating the database")
            port = _chooser(self.env, "CLERA_PG_PORT", 54329)
            server = servers.launch_postgres(self.children, self.cluster, port)
            waiting.append(("DATABASE_URL", server, self.cluster.url))
        for name, server, url in waiting:
            self.env[name] = url(server.wait(self.pump))

    def start_all(self) -> None:
        """Bring everything up, in the order in which one needs the other."""
        if self.plan.sandbox is not None:
            self.start(self.plan.sandbox)
        self.start_servers()
        environment.publish(self.where, published_part(self.env))
        self._prepare_database()
        for process in self.plan.processes:
            self.start(process)
        self.run_once(self.plan.seed)
        self._wait_until_ready()

    def _prepare_database(self) -> None:
        url = self.env["DATABASE_URL"]
        if self.cluster is not None and schema.is_current(self.cluster, url, CHECKOUT):
            return
        for step in self.plan.steps:
            self.run_once(step)
            while self.once:
                self.tick()
        if self.cluster is not None:
            schema.note(self.cluster, url, CHECKOUT)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            self.tick()
            if not self.once:
                status, answer = ask_ready(self.plan.web_port)
                if status == http.HTTPStatus.OK:
                    return
        raise LocalError(f"Clera did not become ready: /api/ready says {answer}")


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _chooser(env: Mapping[str, str], variable: str, default: int) -> servers.NextPort:
    port = environment.number(env, variable, default)
    if not env.get(variable):
        return lambda: ports.next_free(port)
    ports.need_free(port, variable=variable)
    return lambda: port


def ask_ready(port: int) -> tuple[int, str]:
    """Ask the web process whether all it needs is there."""
    connection = http.client.HTTPConnection(ports.HOST, port, timeout=1)
    try:
        connection.request("GET", "/api/ready")
        answer = connection.getresponse()
        return answer.status, answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as problem:
        return 0, str(problem)
    finally:
        connection.close()


def published_part(env: Mapping[str, str]) -> dict[str, str]:
    """Choose what other terminals need to know."""
    names = ("DATABASE_URL", "REDIS_URL", "SANDBOX_URL", "CLERA_URL")
    return {name: env[name] for name in names if name in env}


def prepare(
    where: Home, given: Mapping[str, str], *, is_reloading: bool
) -> tuple[Plan, dict[str, str]]:
    """
    Decide on ports and variables before anything starts.

    :raises LocalError: a port is taken.
    """
    env = environment.load(CHECKOUT, given)
    web_port = environment.number(env, "PORT", 8000)
    ports.need_free(web_port, variable="PORT")
    sandbox_port = None
    if not env.get("SANDBOX_URL"):
        sandbox_port = environment.number(env, "SANDBOX_PORT", 8900)
        ports.need_free(sandbox_port, variable="SANDBOX_PORT")
        env["SANDBOX_URL"] = f"http://{ports.HOST}:{sandbox_port}"
    env["CLERA_URL"] = f"http://{ports.HOST}:{web_port}"
    env["CLERA_LOCAL_DIR"] = str(where.local)
    env["PYTHONUNBUFFERED"] = "1"
    if home.is_root():  # as in a container, where Celery's advice on users helps nobody
        env.setdefault("PYTHONWARNINGS", "ignore:You're running the worker")
    ignored = env.setdefault("WATCHFILES_IGNORE_PATHS", processes.IGNORED_PATHS)
    reload = processes.reload_folders(CHECKOUT, ignored) if is_reloading else ()
    plan = processes.plan(
        web_port=web_port, sandbox_port=sandbox_port, local=where.local, reload=reload
    )
    return plan, env


def run(where: Home, *, is_reloading: bool = False) -> int:
    """
    Run Clera until somebody ends it.

    :raises LocalError: it cannot start, or a process keeps dying.
    """
    lock = control.claim(where)
    plan, env = prepare(where, os.environ, is_reloading=is_reloading)
    return serve(where, plan, env, lock=lock)


def serve(where: Home, plan: Plan, env: dict[str, str], *, lock: IO[str]) -> int:
    """
    Run the plan until somebody ends it.

    :raises LocalError: it cannot start, or a process keeps dying.
    """
    began = time.monotonic()
    requests = Requests()
    terminal = Terminal(on_closed=requests.add)
    control.sign(where)
    children = Children(control.ledger(where), sink=terminal.line, lock=lock)
    stack = Stack(where, plan, env, children, terminal, requests)
    patience = 0
    with listening(requests):
        try:
            stack.start_all()
            terminal.write(ready.block(where, env, seconds=time.monotonic() - began))
            while True:
                stack.tick()
        except StopRequested:
            patience = 1
            terminal.say("stopping")
        except LocalError:
            if not requests.count:  # else it is Ctrl-C that has cut a step short
                raise
        finally:
            children.end(is_hurried=lambda: requests.count > patience)
            environment.withdraw(where)
            (where.local / "run.pid").unlink(missing_ok=True)
    terminal.say("stopped")
    return 0
