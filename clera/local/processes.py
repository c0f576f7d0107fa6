"""The processes that make up Clera, in one place; deployments run the same commands."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clera.local.children import Program
from clera.local.guard import Wave

IGNORED_PATHS = ".venv;venv;site-packages;__pycache__;.git"
PYTHON = sys.executable
CELERY = ("-m", "celery", "-A", "clera", "--quiet")
QUIET = ("--without-gossip", "--without-mingle")


@dataclass(frozen=True)
class Process:
    """One process of ours: arguments for Python, and variables only for it."""

    name: str
    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    wave: Wave = Wave.PROGRAMS

    def program(self, *, env: Mapping[str, str], cwd: Path) -> Program:
        """Describe it with the variables that all share."""
        command = (PYTHON, *self.arguments)
        return Program(self.name, command, {**env, **self.env}, cwd, wave=self.wave)


@dataclass(frozen=True)
class Plan:
    """What a run consists of, besides the servers."""

    processes: tuple[Process, ...]
    steps: tuple[Process, ...]
    seed: Process
    sandbox: Process | None
    web_port: int


def web(port: int, *, reload_folders: tuple[str, ...] = ()) -> Process:
    """HTTP and WebSocket."""
    arguments = ["-m", "uvicorn", "clera.asgi:application", "--host", "127.0.0.1"]
    arguments += ["--port", str(port), "--lifespan", "off", "--no-access-log"]
    # Django alone decides whom to believe about addresses: by TRUSTED_PROXIES.
    arguments += ["--ws", "clera.websockets:SocketProtocol", "--no-proxy-headers"]
    if reload_folders:
        arguments.append("--reload")
    for folder in reload_folders:
        arguments += ["--reload-dir", folder]
    return Process("web", tuple(arguments))


WORKERS = (
    Process(
        "worker", (*CELERY, "worker", "-Q", "money,default", "-c", "2", "-n", "worker@%h", *QUIET)
    ),
    Process(
        "agents",
        (*CELERY, "worker", "-Q", "agents", "-P", "threads", "-c", "8", "-n", "agents@%h", *QUIET),
        {"DATABASE_ROLE": "clera_agents"},
    ),
    Process("streams", (*CELERY, "worker", "-Q", "streams", "-c", "7", "-n", "streams@%h", *QUIET)),
)

STEPS = (
    Process("migrate", ("manage.py", "migrate", "--verbosity", "0")),
    Process("prepare", ("manage.py", "setup_checkpoints")),
)
"""What prepares the database, one after the other, before any other process starts."""


def plan(*, web_port: int, sandbox_port: int | None, local: Path, reload: tuple[str, ...]) -> Plan:
    """Lay out a whole local run; no sandbox of ours if the vendors are elsewhere."""
    sandbox = None
    if sandbox_port is not None:
        arguments = ("--port", str(sandbox_port), "--data", str(local / "sandbox"))
        # It outlives the programs, so that nobody reports vendors lost while all of it ends.
        sandbox = Process("sandbox", ("-m", "sandbox", *arguments), wave=Wave.SERVERS)
    beat = (*CELERY, "beat", "-s", str(local / "beat-schedule"))
    return Plan(
        processes=(web(web_port, reload_folders=reload), *WORKERS, Process("beat", beat)),
        steps=STEPS,
        seed=Process("seed", ("manage.py", "seed_demo")),
        sandbox=sandbox,
        web_port=web_port,
    )


def reload_folders(checkout: Path, ignored: str) -> tuple[str, ...]:
    """List our packages, for `make dev` to watch, without the folders to ignore."""
    names = set(ignored.split(";"))
    packages = (path.parent for path in checkout.glob("*/__init__.py"))
    return tuple(sorted(str(path) for path in packages if path.name not in names))
