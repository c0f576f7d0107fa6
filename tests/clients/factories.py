"""Clients in both languages, a server that dies and returns, and a network that misbehaves."""

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from clera_live import LiveClient, Timing
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).parent / "javascript" / "driver.mjs"
LANGUAGES = ("python", "javascript")
SLOW_DOWN = 2  # what starting several processes on a busy machine may cost


class Follower:
    """A client at work; keeps all it says, with when it said so."""

    def __init__(self):
        self.said = []
        self._news = threading.Condition()

    def hear(self, kind, what, **more):
        with self._news:
            self.said.append((time.monotonic(), kind, what, more))
            self._news.notify_all()

    def wait_for(self, kind, fits=lambda what: True, *, after=0.0, within=30.0):
        """Return what was said first that is of a kind and fits, and came after a moment."""

        def find():
            found = (w for at, k, w, _ in self.said if k == kind and at >= after and fits(w))
            return next(([what] for what in found), None)

        with self._news:
            found = self._news.wait_for(find, within * SLOW_DOWN)
        assert found, self.said[-5:]
        return found[0]

    def all(self, kind, *, after=0.0):
        with self._news:
            return [what for at, k, what, _ in self.said if k == kind and at >= after]

    def codes(self):
        with self._news:
            return [more["code"] for _, kind, _, more in self.said if kind == "state"]

    @property
    def values(self):
        return self.all("value")

    @property
    def states(self):
        return self.all("state")


class PythonFollower(Follower):
    """The Python client in a thread of its own."""

    def __init__(self, url, token_file, *, timing, **options):
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._run(self._start(url, token_file, timing, options))

    async def _start(self, url, token_file, timing, options):
        async def token():
            self.hear("token", None)
            return token_file.read_text()

        names = {f"{name}_seconds": seconds for name, seconds in timing.items()}
        self.client = LiveClient(
            url,
            token=token,
            on_value=lambda value: self.hear("value", value),
            on_aggregate=lambda value: self.hear("aggregate", value),
            on_state=lambda state, problem: self.hear("state", state, code=problem.get("code")),
            on_problem=lambda problem: self.hear("problem", problem),
            timing=Timing(**names),
            **options,
        )
        self.client.start()

    def order(self, what, account_ids):
        self._run(getattr(self.client, what)(account_ids))

    def stop(self):
        """Stop it, and see that no task of it is left."""
        leftover = self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=60)
        assert not self._thread.is_alive()
        self._loop.close()
        assert leftover == set()

    async def _stop(self):
        await self.client.stop()
        await asyncio.sleep(0.05)
        return asyncio.all_tasks() - {asyncio.current_task()}

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)


class JavaScriptFollower(Follower):
    """The JavaScript client under Node."""

    def __init__(self, url, token_file, *, timing, **options):
        super().__init__()
        timing = {_camel(name): seconds for name, seconds in timing.items()}
        options = {_camel(name): what for name, what in options.items()}
        said = {"url": url, "token_file": str(token_file), "timing": timing, **options}
        self._process = subprocess.Popen(
            [*node(), str(DRIVER), json.dumps(said)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"NODE_NO_WARNINGS": "1"},
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.hear(**json.loads(line, parse_float=Decimal))

    def order(self, what, account_ids):
        self._process.stdin.write(json.dumps([what, account_ids]) + "\n")
        self._process.stdin.flush()

    def stop(self):
        """Stop it, and see that it ends by itself: nothing keeps Node alive."""
        try:
            with suppress(BrokenPipeError):
                self.order("stop", None)
            assert self._process.wait(timeout=60) == 0
        finally:
            self._process.kill()
            self._process.wait()
            self._thread.join(timeout=60)
            self._process.stdin.close()
            self._process.stdout.close()


def _camel(name):
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def node():
    """Find Node and how to have a WebSocket in it, or skip the test."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no Node here, which runs the JavaScript client")
    version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout
    major = int(version.removeprefix("v").split(".")[0])
    if major < 20:
        pytest.skip(f"Node {version.strip()} has no WebSocket; the tests need 20 or later")
    return [program] if major >= 22 else [program, "--experimental-websocket"]


@contextmanager
def following(language, url, token_file, *, timing=None, **options):
    """Have a client in some language follow values for as long as the block runs."""
    kind = PythonFollower if language == "python" else JavaScriptFollower
    follower = kind(url, token_file, timing={"first_pause": 0.2} | (timing or {}), **options)
    try:
        yield follower
    finally:
        follower.stop()


@contextmanager
def both(url, token_file, **options):
    """Have a client in each language follow the same values."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(following(language, url, token_file, **options))
            for language in LANGUAGES
        ]


class Web:
    """A web process at one address, which is killed and started again."""

    def __init__(self, issuer):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        database = urlsplit(os.environ["DATABASE_URL"])
        self._env = os.environ | {
            "DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
            "DJANGO_SETTINGS_MODULE": "clera.settings.local",
            "SUPABASE_URL": issuer.url,
            "RATE_LIMITS": "sockets=10000/minute",
            "SOCKET_DRAIN_SPREAD_SECONDS": "1",
            "LOG_LEVEL": "warning",
        }
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "clera.asgi:application", "--lifespan", "off"),
                *("--ws", "clera.websockets:SocketProtocol", "--port", str(self.port)),
                *("--log-level", "warning", "--timeout-graceful-shutdown", "3"),
            ],
            cwd=ROOT,
            env=self._env,
            stdout=subprocess.DEVNULL,
        )

    def wait_until_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return time.monotonic()
            time.sleep(0.05)
        raise RuntimeError("The web process did not start.")

    def end(self, number=signal.SIGKILL):
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def web(issuer):
    running = Web(issuer)
    running.start()
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.end()


class Relay:
    """A network between a client and a server: it refuses sockets, freezes, or is cut."""

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.refuses_sockets = self.is_frozen = False
        self.sockets = self.requests = 0
        self._open = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def thaw(self):
        """Work again; what was said meanwhile is lost, and the connections with it."""
        self.is_frozen = False
        self.cut()

    def cut(self):
        """End every connection."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        with suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=60)
        self._listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client):
        with client, suppress(OSError):
            head = client.recv(65_536)
            if not self._lets_pass(head):
                return
            with socket.create_connection(self._target) as server:
                self._open += [client, server]
                server.sendall(head)
                self._pump(client, server)

    def _lets_pass(self, sent):
        """Count what a client begins; it may come on a connection that was used before."""
        is_socket = b"upgrade: websocket" in sent.lower()
        self.sockets += is_socket
        self.requests += sent.startswith(b"GET /api/")
        return not (is_socket and self.refuses_sockets)

    def _pump(self, client, server):
        while True:
            for each in select.select([client, server], [], [], 0.1)[0]:
                data = each.recv(65_536)
                if not data or (each is client and not self._lets_pass(data)):
                    return
                if not self.is_frozen:
                    (server if each is client else client).sendall(data)


@contextmanager
def relay(port):
    running = Relay(port)
    try:
        yield running
    finally:
        running.close()


def read(url, account_id, token):
    """Read the value over HTTP, as the clients do when they poll."""
    answer = httpx.get(
        f"{url}/api/portfolio/value",
        params={"accountId": str(account_id)},
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content, parse_float=Decimal)


def order_of(value):
    turn, started = value["epoch"].split(".")
    return int(turn), int(started), value["seq"]
