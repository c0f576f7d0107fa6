"""A real server on a free port, for the real clients to talk to."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox import app
from sandbox.world import Settings, World


@dataclass(frozen=True, kw_only=True)
class Server:
    """A sandbox that listens, and its control plane."""

    url: str
    world: World
    http: httpx.Client

    @property
    def broker_url(self) -> str:
        return f"{self.url}/alpaca/broker"

    @property
    def auth(self) -> tuple[str, str]:
        return self.world.settings.broker_key, self.world.settings.broker_secret

    def control(self, path: str, body: Any = None, *, method: str = "POST") -> Any:
        answer = self.http.request(method, f"{self.url}/_control/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def effects(self, **wanted: str) -> list[dict[str, Any]]:
        answer = self.http.get(f"{self.url}/_control/effects", params=wanted)
        effects: list[dict[str, Any]] = answer.json()["effects"]
        return effects

    def fault(self, **wanted: Any) -> None:
        self.control("faults", wanted)


@contextlib.contextmanager
def running(world: World) -> Iterator[Server]:
    """Serve a world from a thread until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app.build(world), log_level="warning", timeout_graceful_shutdown=1, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(timeout=60) as http:
            _wait_until_it_answers(http, url, thread)
            yield Server(url=url, world=world, http=http)
    finally:
        server.should_exit = True
        thread.join(timeout=60)
        listener.close()


def _wait_until_it_answers(http: httpx.Client, url: str, thread: threading.Thread) -> None:
    for _ in range(1200):
        if not thread.is_alive():
            raise RuntimeError("the sandbox stopped while starting")
        with contextlib.suppress(httpx.TransportError):
            http.get(f"{url}/_control/health", timeout=1)
            return
        thread.join(timeout=0.05)
    raise RuntimeError("the sandbox did not answer within a minute")


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    with running(World.create(Settings(speed=20, heartbeat_seconds=0.2))) as server:
        yield server


@pytest.fixture
def sandbox_server(shared_server: Server) -> Server:
    """The one server of this test run, with nothing in it."""
    shared_server.control("reset")
    return shared_server


@pytest.fixture(scope="session")
def shared_still_server() -> Iterator[Server]:
    with running(World.create(Settings(speed=0, heartbeat_seconds=0.2))) as server:
        yield server


@pytest.fixture
def still_server(shared_still_server: Server) -> Server:
    """A server whose time moves only when the test says so."""
    shared_still_server.control("reset")
    return shared_still_server


@pytest.fixture(scope="session")
def shared_exchange() -> Iterator[Server]:
    """A market with hours; its time moves only when the test says so."""
    with running(World.create(Settings(speed=0, market="real", heartbeat_seconds=0.2))) as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start further servers with settings of their own."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(World.create(Settings(**settings))))
