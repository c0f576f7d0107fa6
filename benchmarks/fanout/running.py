"""The processes of a run: started, fed and ended."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def uvicorn(arguments: list[str]) -> Iterator[tuple[psutil.Process, int]]:
    """Run one web process on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - its only argument
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", *arguments, "--lifespan", "off"]
        command += ["--fd", str(listener.fileno()), "--log-level", "warning", "--no-access-log"]
        with child(command, pass_fds=(listener.fileno(),)) as process:
            yield psutil.Process(process.pid), port


@contextlib.contextmanager
def child(
    command: list[str], *, cwd: Path | str = ROOT, pass_fds: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        pass_fds=pass_fds,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if command[0] == "node" else subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def install(folder: Path, *packages: str) -> bool:
    """Try to fetch packages of Node into a folder."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", *packages]
    try:
        done = subprocess.run(command, cwd=folder, timeout=60, check=False, capture_output=True)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


async def feed(pipe: IO[bytes] | None, data: bytes) -> None:
    """Write without blocking our own reading."""
    assert pipe is not None
    await asyncio.get_running_loop().run_in_executor(None, _write, pipe, data)


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(data)
    pipe.flush()
