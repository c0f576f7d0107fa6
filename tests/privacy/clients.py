"""Clients that remember all they were answered, and a web process of their own."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.running import ROOT, Running, free_port


class Answers(list[tuple[str, bytes]]):
    """Everything that was answered, and the clients that asked."""

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[httpx.Client] = []

    def close(self) -> None:
        for client in self.clients:
            client.close()


def published(clera: Running) -> dict[str, str]:
    """Read where the servers of a running Clera are."""
    lines = (clera.folder / "run.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def data_of_postgres(clera: Running) -> Path:
    """Find the folder in which the PostgreSQL of a running Clera keeps its files."""
    for child in psutil.Process(clera.process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command = child.cmdline()
            if "-D" in command and Path(command[0]).name == "postgres":
                return Path(command[command.index("-D") + 1])
    raise AssertionError("no PostgreSQL among the children")


def environment(clera: Running, **more: str) -> dict[str, str]:
    """Return the variables of another process of the same Clera."""
    known = {"CLERA_LOCAL_DIR": str(clera.folder), "DJANGO_SETTINGS_MODULE": "clera.settings.local"}
    return os.environ | published(clera) | known | more


def manage(clera: Running, *arguments: str) -> str:
    """Run a command and return what it printed."""
    told = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(clera, LOG_LEVEL="error"),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return told.stdout.strip()


@contextmanager
def web(clera: Running, log: Path, **more: str):
    """Serve from one more web process, which writes down all that a level of logging knows."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    more = {"PLAID_WEBHOOK_URL": f"{url}/webhook/plaid", **more}
    command = [sys.executable, "-m", "uvicorn", "clera.asgi:application", "--lifespan", "off"]
    command += ["--no-access-log", "--ws", "clera.websockets:SocketProtocol"]
    command += ["--no-proxy-headers", "--port", str(port)]
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(clera, **more), stdout=printed, stderr=printed
        )
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + 90
    while time.monotonic() < ends and process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(f"{url}/health", trust_env=False)
            return
        time.sleep(0.1)
    raise AssertionError("the web process did not start")


class Client:
    """Asks as one credential does, and keeps what it was answered, with the headers."""

    def __init__(self, url: str, answers: Answers, **headers: str) -> None:
        self._url = url
        self._answers = answers
        self._http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)
        answers.clients.append(self._http)

    def ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        answer = self._http.request(method, path, **parts)
        shown = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "*", path.partition("?")[0])
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        where = f"answer {method} {shown} {answer.status_code}"
        self._answers.append((where, head.encode() + b"\n\n" + answer.content))
        return answer

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.ask("POST", path, json=body, headers=headers)

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def until(self, path: str, is_done: Any, seconds: float = 90) -> Any:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            answer = self.get(path).json()
            if is_done(answer):
                return answer
            time.sleep(0.25)
        raise AssertionError(f"{path} never became so: {answer}")


class Listener:
    """A socket that keeps all it is told."""

    def __init__(self, url: str, path: str, answers: Answers, *, first: Any = None) -> None:
        self._stack = ExitStack()
        address = url.replace("http", "ws") + path
        self._socket = self._stack.enter_context(connect(address, proxy=None))
        self._where = f"socket {re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}', '*', urlsplit(path).path)}"
        self._answers = answers
        if first is not None:
            self._socket.send(first if isinstance(first, str) else json.dumps(first))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                self._answers.append((self._where, str(text).encode()))

    def say(self, text: str) -> None:
        with suppress(ConnectionClosed):
            self._socket.send(text)

    def close(self) -> None:
        self._stack.close()
        self._thread.join(5)
        reason = f"{self._socket.close_code} {self._socket.close_reason}"
        self._answers.append((self._where, reason.encode()))


def say_raw(url: str, text: bytes) -> bytes:
    """Send bytes that are no proper request."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as raw:
        raw.sendall(text)
        with suppress(TimeoutError):
            return raw.recv(65536)
    return b""
