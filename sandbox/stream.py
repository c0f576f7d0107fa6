"""
The market-data socket: authentication, subscriptions, and prices as they move.

Every connection has a small queue of its own, so that a slow reader delays nobody else and is put
off with the vendor's error 407. One loop prices all wanted symbols once per interval and packs
each message once, however many connections read it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox import ticker
from sandbox.stream_feed import Feed
from sandbox.stream_session import Connection, StreamFaults, StreamSettings
from sandbox.stream_wire import Wire
from sandbox.world import World

_NOT_FOUND = 4404
_LAST_WORDS_SECONDS = 1.0


def routes(world: World) -> list[BaseRoute]:
    """List the paths under the stream host."""
    feed = Feed(world)
    world.parts["stream"] = feed
    world.reset_hooks.append(feed.reset)

    async def socket(websocket: WebSocket) -> None:
        await _serve(world, feed, websocket, ticker.FEEDS)

    async def coin_socket(websocket: WebSocket) -> None:
        await _serve(world, feed, websocket, (ticker.COIN_FEED,))

    return [
        WebSocketRoute("/v2/{name}", socket),
        WebSocketRoute("/v1beta3/crypto/{name}", coin_socket),
        Route("/_faults", _settings_endpoint(feed), methods=["GET", "POST", "DELETE"]),
    ]


async def _serve(world: World, feed: Feed, websocket: WebSocket, names: Sequence[str]) -> None:
    await websocket.accept()
    name = websocket.path_params["name"]
    if name not in names:
        await websocket.close(_NOT_FOUND)
        return
    wire = Wire.for_headers(websocket.headers)
    connection = Connection(world, feed, websocket, wire, name)
    sending = asyncio.create_task(connection.send_queued())
    try:
        with contextlib.suppress(WebSocketDisconnect):
            await connection.talk()
        feed.remove(connection)
        connection.close()
        await asyncio.wait([sending], timeout=_LAST_WORDS_SECONDS)
    finally:
        feed.remove(connection)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def _settings_endpoint(feed: Feed) -> Callable[[Request], Awaitable[Response]]:
    """Serve what a test may ask of the socket: faults, limits and the rhythm of prices."""

    async def endpoint(request: Request) -> Response:
        if request.method == "DELETE":
            feed.reset()
        if request.method == "POST":
            wanted = await request.json()
            unknown = wanted.keys() - _KNOWN
            if unknown:
                return JSONResponse({"message": f"unknown: {sorted(unknown)}"}, 400)
            feed.change(wanted)
        state = asdict(feed.settings) | asdict(feed.faults)
        return JSONResponse(state | {"connections": feed.connection_count, "sent": feed.sent})

    return endpoint


_KNOWN = {f.name for f in (*fields(StreamSettings), *fields(StreamFaults))} | {
    "disconnect",
    "inject",
}
