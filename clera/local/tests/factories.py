"""What the tests of the local servers build: homes, small programs, and other Pythons to kill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from clera.local.home import CHECKOUT

FOREVER = "import time\nwhile True: time.sleep(60)"


def plain_env(**more: str) -> dict[str, str]:
    """The environment of a new terminal, which knows nothing of the servers of this test run."""
    told = {"DATABASE_URL", "REDIS_URL", "SANDBOX_URL", "DJANGO_SETTINGS_MODULE", "PORT"}
    return {name: value for name, value in os.environ.items() if name not in told} | more


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python of its own, as a terminal would, and give its output line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=CHECKOUT,
        env=plain_env(PYTHONUNBUFFERED="1"),
        start_new_session=True,
    )


def line_with(process: subprocess.Popen[str], text: str) -> str:
    """Read until a line holds the text."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError("".join(seen))


def wait_for(condition: Callable[[], bool], *, seconds: float) -> float:
    """Return how long it took, at most that long."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came true"
        time.sleep(0.02)
    return time.monotonic() - began


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pids_in(folder: Path) -> list[int]:
    """Read the ids that programs have written down, as `touch` would, one file for each."""
    return [int(path.name) for path in folder.iterdir()]
