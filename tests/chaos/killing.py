"""Starting forks of Clera beside a running one, and killing them without warning."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from clera.settings import rates
from tests.e2e.running import ROOT, Running, free_port

START_SECONDS = 60


class Herd:
    """The forks that are alive; a thread hears who was born."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._pids: list[int] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as told:
            for line in told:
                self._pids.append(json.loads(line)["pid"])

    def wait(self) -> None:
        """Wait until nobody can be born any more."""
        self._listener.join()

    def kill_one(self, rng: random.Random) -> bool:
        """Kill a random one that is alive; false when there is none at the moment."""
        for pid in tuple(self._pids):  # the listener may add one meanwhile
            if not _is_alive(pid):
                self._pids.remove(pid)
        if not self._pids:
            return False
        os.kill(rng.choice(self._pids), signal.SIGKILL)
        return True


def _is_alive(pid: int) -> bool:
    """Say whether a process runs; one that nobody has waited for yet is dead already."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def herd(clera: Running, *, webs: int, workers: int) -> Iterator[tuple[Herd, list[str]]]:
    """Run forks of Clera on the database, the Redis and the sandbox of a running one."""
    ports = [free_port() for _ in range(webs)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.forks", str(workers), *map(str, ports)],
        cwd=ROOT,
        env=_environment(clera),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    living = Herd(process)
    try:
        for url in urls:
            _wait_for(url)
        yield living, urls
    finally:
        process.terminate()
        process.wait(timeout=60)
        living.wait()


def _environment(clera: Running) -> dict[str, str]:
    lines = (clera.folder / "run.env").read_text().splitlines()
    published = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        **os.environ,
        **published,
        "CLERA_LOCAL_DIR": str(clera.folder),
        "DJANGO_SETTINGS_MODULE": "clera.settings.local",
        "INTENT_LEASE_SECONDS": "6",
        "VENDOR_TOTAL_SECONDS": "3",
        "RATE_LIMITS": ",".join(f"{name}=999999/minute" for name in rates.DEFAULTS),
        "ORDER_QUOTE_SECONDS": "3600",
        "LOG_LEVEL": "error",
    }


def _wait_for(url: str) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            httpx.get(f"{url}/health", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("The forks did not start.")


def post_until_answered(
    client: httpx.Client, urls: list[str], path: str, *, rng: random.Random, **request: Any
) -> httpx.Response:
    """
    Send a request again, as a careful client does, until somebody has answered it for good.

    The servers die while they work: a lost connection, a 5xx and "still in progress" all mean
    that the same request, under the same key, has to be asked again.
    """
    ends, last = time.monotonic() + START_SECONDS, "nothing but lost connections"
    while time.monotonic() < ends:
        try:
            answer = client.post(f"{rng.choice(urls)}{path}", **request)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        is_in_progress = answer.status_code == httpx.codes.CONFLICT
        if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and not is_in_progress:
            return answer
        last = answer.text
        time.sleep(0.2)
    raise AssertionError(f"Nobody has answered for good; the last answer: {last}")
