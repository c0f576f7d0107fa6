"""Publishers, servers and clients for the tests of live values."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from clera.asgi import application
from clera.local.redis import find_program
from clera.websockets import SocketProtocol
from core.auth import SYSTEM, acting_as
from core.ids import new_id
from core.leases import Lease
from market import selectors as market
from market.desk import Desk
from market.facts import Trade, is_coin
from market.nanos import nanoseconds
from market.tests.factories import snapshot
from market.ticking import Ticker
from trading.models import Execution, Position
from trading.tests.day_records import new_order

# The owner of every account that these tests make, unless they say otherwise.
OWNER = "alice-sub"
ROOT = Path(__file__).resolve().parents[2]


class Publisher:
    """What the price leader does, one step at a time."""

    def __init__(self, *, fence=1):
        self.desk = Desk()
        self.desk.heard()
        self._ticker = Ticker(self.desk, Lease("prices", new_id(), fence))
        self._ticking = threading.Lock()

    def follow(self, symbol, price, *, close="99"):
        """Begin with a symbol, which a socket sends from now on."""
        now = self.desk.vendor_now()
        feed = self.desk.coins if is_coin(symbol) else self.desk.stocks
        feed.covered |= {symbol}
        self.desk.book.add(symbol, market.get_instrument(symbol=symbol).number)
        self.desk.book.seed(snapshot(symbol, price, at=now, close=close), now_ns=nanoseconds(now))

    def trade(self, symbol, price):
        """Take a trade in and publish it."""
        now_ns = self.desk.vendor_now_ns()
        with self.desk.lock:
            self.desk.book.offer([Trade(symbol, float(price), now_ns)], now_ns=now_ns)
        self.desk.heard()
        self.tick()

    def tick(self):
        """Publish what is due."""
        with self._ticking:
            self._ticker.tick()

    @contextmanager
    def alive(self):
        """Tick in the background, as the leader does."""
        done = threading.Event()

        def run():
            while not done.wait(0.1):
                self.desk.heard()
                self.tick()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield self
        finally:
            done.set()
            thread.join()


@contextmanager
def serving(application, **options):
    """Serve an application as `web` does and tell its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    # As asyncio does for listeners of its own; else each second packet waits 40 ms for the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        application,
        ws=SocketProtocol,
        lifespan="off",
        loop="asyncio",  # uvloop sometimes cannot close its loop outside the main thread
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=60)
        listener.close()
        assert not thread.is_alive()


@contextmanager
def web_process(issuer):
    """A web process of its own, as it is deployed, on the database and Redis of these tests."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    database = urlsplit(os.environ["DATABASE_URL"])
    env = os.environ | {
        "DATABASE_URL": database._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "DJANGO_SETTINGS_MODULE": "clera.settings.local",
        "SUPABASE_URL": issuer.url,
        "RATE_LIMITS": "sockets=10000/minute",
        "LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "clera.asgi:application", "--lifespan", "off"),
            *("--ws", "clera.websockets:SocketProtocol", "--port", str(port)),
            *("--log-level", "warning"),
        ],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield WebProcess(process, port)
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class WebProcess:
    process: "subprocess.Popen[bytes]"
    port: int

    def wait_until_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("The web process did not start.")


@contextmanager
def own_redis():
    """A Redis that a test may kill and start again, at the same address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    redis = OwnRedis(port)
    try:
        yield redis
    finally:
        redis.kill()


class OwnRedis:
    def __init__(self, port):
        self.url = f"redis://127.0.0.1:{port}/0"
        self._port = port
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [find_program(), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise RuntimeError("Redis did not start.")

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Client:
    """A customer's end of a socket."""

    def __init__(self, connection):
        self.connection = connection

    def send(self, **frame):
        self.connection.send(json.dumps(frame))

    def next(self, *, within=60.0, kind=None, until=None):
        """Return the next message of a kind, or the first that satisfies `until`."""
        deadline = time.monotonic() + within
        while True:
            text = self.connection.recv(timeout=max(deadline - time.monotonic(), 0.001))
            message = json.loads(text, parse_float=Decimal)
            if kind is None and message["type"] == "heartbeat":
                continue  # whenever it likes
            if (kind is None or message["type"] == kind) and (until is None or until(message)):
                return message

    def close_code(self, *, within=60.0):
        """Wait until the server closes, and tell with which code."""
        deadline = time.monotonic() + within
        try:
            while True:
                self.connection.recv(timeout=max(deadline - time.monotonic(), 0.001))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@contextmanager
def client(port, account_id, *, kind="portfolio", query="", **options):
    """Open a socket of some kind for an account, or for several when none is in its address."""
    path = f"{kind}/{account_id}" if account_id else kind
    url = f"ws://127.0.0.1:{port}/ws/{path}{query}"
    options = {"legacy": False, "proxy": None, "ping_interval": None, "close_timeout": 1} | options
    with connect(url, **options) as connection:
        yield Client(connection)


@contextmanager
def signed_in(port, account_id, token, *, said=(), **options):
    """Open a socket and say who we are in its first frame, with what else belongs there."""
    with client(port, account_id, **options) as opened:
        opened.send(type="auth", token=token, **dict(said))
        yield opened


def handshake(path):
    """Write what a client says first."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: x\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


@contextmanager
def deaf_client(port, account_id, token, *, kind="portfolio", more=""):
    """Open a socket and never read from it again."""
    path = f"{kind}/{account_id}" if account_id else kind
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.connect(("127.0.0.1", port))
        raw.sendall(handshake(f"/ws/{path}?token={token}{more}"))
        assert raw.recv(12) == b"HTTP/1.1 101"
        yield raw


class PlainSocket:
    """
    A client's end under a server that has no handle of ours.

    Not the one of Channels: under it, threads of ours keep their database connections.
    """

    def __init__(self, path, *, query=""):
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [],
            "subprotocols": [],
        }
        self._server = ApplicationCommunicator(application, scope)

    async def open(self):
        await self._server.send_input({"type": "websocket.connect"})
        assert (await self.told())["type"] == "websocket.accept"

    async def say(self, **frame):
        await self._server.send_input({"type": "websocket.receive", "text": json.dumps(frame)})

    async def next(self):
        return json.loads((await self.told())["text"])

    async def told(self):
        return await self._server.receive_output(timeout=60)

    async def leave(self):
        await self._server.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._server.wait()


def is_cut(raw):
    """Look whether the server has cut the connection, without reading from it."""
    poller = select.poll()
    poller.register(raw, select.POLLHUP | select.POLLERR | select.POLLRDHUP)
    return bool(poller.poll(0))


def wait_until_cut(raw):
    """Wait for a cut that is to come soon."""
    deadline = time.monotonic() + 30
    while not is_cut(raw):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def buy(account, symbol, quantity, price):
    """Book a purchase as a fill would: the position, and the execution of today."""
    with acting_as(SYSTEM):
        position, _ = Position.objects.get_or_create(
            account_id=account.pk,
            symbol=symbol,
            defaults={
                "user_id": account.user_id,
                "quantity": 0,
                "available_quantity": 0,
                "average_entry_price": Decimal(price),
                "cost_basis": 0,
            },
        )
        position.quantity += Decimal(quantity)
        position.save()
        order = new_order(account, symbol)
        Execution.objects.create(
            user_id=account.user_id,
            order=order,
            account_id=account.pk,
            execution_id=str(new_id()),
            symbol=symbol,
            side="BUY",
            quantity=Decimal(quantity),
            price=Decimal(price),
            at=datetime.now(UTC),
        )
