"""More processes of a running Clera, and who watches them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress

import httpx
import psutil
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from clera.local import processes
from market import frames
from tests.e2e.running import ROOT, free_port

SHOWN = ("raw_value", "raw_return", "raw_return_percent")
START_SECONDS = 60


def published(clera):
    """The variables by which a process finds the servers of this Clera."""
    lines = (clera.folder / "run.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


class Beside:
    """One more process, as a deployment would start it on another machine."""

    def __init__(self, clera, arguments):
        env = os.environ | published(clera) | {"CLERA_LOCAL_DIR": str(clera.folder)}
        env |= {
            "DJANGO_SETTINGS_MODULE": "clera.settings.local",
            "RATE_LIMITS": "sockets=6000/minute",
            "LOG_LEVEL": "warning",
        }
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self):
        """Have it vanish with all its children, as a machine does."""
        kill_group(self.process.pid)
        self.process.wait()

    def stop(self):
        """Ask it to end, and see that it does."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


class Web(Beside):
    def __init__(self, clera):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(clera, (*processes.web(self.port).arguments, "--log-level", "warning"))

    def wait_until_ready(self):
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            assert self.process.poll() is None, "the web process ended"
            with suppress(httpx.TransportError):
                httpx.get(f"{self.url}/health", trust_env=False)
                return
            time.sleep(0.1)
        raise AssertionError("the web process did not start")


class Streams(Beside):
    """A worker that waits for the lease of the prices to run out."""

    def __init__(self, clera):
        [streams] = [one for one in processes.WORKERS if one.name == "streams"]
        name = f"beside{free_port()}@%h"  # two of one name would answer for each other
        arguments = [name if a == "streams@%h" else a for a in streams.arguments]
        super().__init__(clera, arguments)


def kill_group(pid):
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def leader_of(clera):
    """Name the group of the worker that publishes prices, by listening to what Redis is asked."""

    def is_publishing(told):
        return told["command"].startswith("EVALSHA") and frames.CHANNEL in told["command"]

    url = published(clera)["REDIS_URL"]
    with redis.Redis.from_url(url, socket_timeout=30) as asked, asked.monitor() as monitor:
        return _group_of(int(next(filter(is_publishing, monitor.listen()))["client_port"]))


def _group_of(port):
    """Name the group of the worker for streams that has this port, if one has."""
    for found in psutil.net_connections("tcp"):
        if found.pid and found.laddr and found.laddr.port == port:
            group = os.getpgid(found.pid)
            return group if "streams" in psutil.Process(group).cmdline() else None
    return None


class Watcher:
    """A socket that a thread reads; it keeps every message with its time."""

    def __init__(self, url, path, token, **said):
        self._stack = ExitStack()
        address = url.replace("http", "ws") + path
        self.socket = self._stack.enter_context(connect(address, proxy=None))
        self.socket.send(json.dumps({"type": "auth", "token": token, **said}))
        self.messages = []
        self.closed = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with suppress(ConnectionClosed):
            for text in self.socket:
                self.messages.append((time.monotonic(), json.loads(text)))
        self.closed.set()

    def values(self, *, after=0.0, epoch=None):
        """List what it was shown, each with its time."""
        return [
            (at, message)
            for at, message in list(self.messages)
            if at >= after and SHOWN[0] in message and epoch in {None, message["epoch"]}
        ]

    def shown(self, **which):
        """Tell what it showed at each frame."""
        return {
            (message["epoch"], message["seq"]): tuple(message[name] for name in SHOWN)
            for _, message in self.values(**which)
        }

    def close(self):
        self._stack.close()
