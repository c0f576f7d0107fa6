"""A reader of the data socket, and what tests may ask of it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgpack
import websockets
from websockets.asyncio.client import ClientConnection

from sandbox.tests.conftest import Server

MSGPACK = {"content-type": "application/msgpack"}
AUTH = {"action": "auth", "key": "CKSANDBOX", "secret": "sandbox-secret"}


class Client:
    """A plain reader of the socket, in one of its two notations."""

    def __init__(self, socket: ClientConnection, *, is_binary: bool) -> None:
        self.socket, self._is_binary = socket, is_binary

    async def send(self, message: Any) -> None:
        if self._is_binary:
            return await self.socket.send(msgpack.packb(message))
        return await self.socket.send(json.dumps(message))

    async def receive(self) -> list[dict[str, Any]]:
        frame = await asyncio.wait_for(self.socket.recv(), 60)
        if self._is_binary:
            assert isinstance(frame, bytes)
        read: list[dict[str, Any]]
        read = msgpack.unpackb(frame, timestamp=3) if self._is_binary else json.loads(frame)
        return read

    async def until(self, kind: str, symbol: str | None = None) -> dict[str, Any]:
        while True:
            for message in await self.receive():
                if message["T"] == kind and symbol in {None, message.get("S")}:
                    return message

    async def say(self, message: Any) -> dict[str, Any]:
        await self.send(message)
        (answer,) = await self.receive()
        return answer


@asynccontextmanager
async def connected(
    server: Server, feed: str = "iex", *, is_binary: bool = True, auth: Any = AUTH
) -> AsyncIterator[Client]:
    place = "v1beta3/crypto/us" if feed == "coins" else f"v2/{feed}"
    url = f"{server.url.replace('http', 'ws')}/alpaca/stream/{place}"
    headers = MSGPACK if is_binary else {}
    async with websockets.connect(url, additional_headers=headers) as socket:
        client = Client(socket, is_binary=is_binary)
        assert await client.receive() == [{"T": "success", "msg": "connected"}]
        if auth is not None:
            assert await client.say(auth) == {"T": "success", "msg": "authenticated"}
        yield client


def wait_for_no_connection(server: Server) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if faults(server)["connections"] == 0:
            return
        time.sleep(0.01)
    raise AssertionError("a connection is left over")


def faults(server: Server, **wanted: Any) -> dict[str, Any]:
    url = f"{server.url}/alpaca/stream/_faults"
    answer = httpx.request("POST" if wanted else "GET", url, json=wanted or None, timeout=60)
    answer.raise_for_status()
    state: dict[str, Any] = answer.json()
    return state
