"""One connection of the data socket: what it may say, and what it is subscribed to."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from sandbox import ticker
from sandbox.stream_wire import BadFrame, Frame, Message, Wire
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.stream_feed import Feed

CHANNELS = (
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
    "corrections",
    "cancelErrors",
    "imbalances",
)
# A trade may be corrected or cancelled later: who reads trades gets these too.
_COME_WITH_TRADES = ("corrections", "cancelErrors")
_ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    408: "v2 not enabled",
    409: "insufficient subscription",
    410: "invalid action",
    500: "internal error",
}
_NORMAL_CLOSE = 1000


@dataclass(kw_only=True)
class StreamSettings:
    """Limits and rhythm; real seconds."""

    tick_seconds: float = 0.25
    auth_timeout_seconds: float = 10.0
    connection_limit: int = 1
    symbol_limit: int | None = None
    queue_limit: int = 1000  # frames a reader may lag behind
    sends_bands: bool = False  # limit up and limit down; else a price set by hand may lie outside


@dataclass(kw_only=True)
class StreamFaults:
    """What goes wrong with the socket until it is switched off again."""

    stall: bool = False  # connected, and mute
    refuse_auth: int | None = None  # answer every authentication with this error
    duplicate: bool = False  # send each data frame twice
    bad_tick_every: int = 0  # spoil every n-th trade
    correct_every: int = 0  # every n-th trade is told anew, or taken back, right after
    garble_every: int = 0  # cut every n-th data frame of a connection in half
    refused_channels: Sequence[str] = ()  # answer a wish for one of these with error 410
    lag_seconds: float = 0.0  # data carries timestamps this old


class Closing(Exception):
    """The conversation is over; its last error has been queued."""


class Connection:
    """Reads what a client asks and queues what it shall get."""

    def __init__(
        self, world: World, feed: "Feed", websocket: WebSocket, wire: Wire, name: str
    ) -> None:
        self.wire = wire
        self.feed_name = name
        self.is_authenticated = False
        self.channels: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
        self._world, self._feed, self._websocket = world, feed, websocket
        self._queue: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._is_closing = False
        self._frame_count = 0

    def wants(self, channel: str, symbol: str) -> bool:
        """Say whether a message of this kind goes to the client; one of no kind goes to all."""
        if channel not in self.channels:
            return True
        subscribed = self.channels[channel]
        return symbol in subscribed or "*" in subscribed

    # In

    async def talk(self) -> None:
        """Lead the conversation until either side ends it."""
        self.say({"T": "success", "msg": "connected"})
        try:
            try:
                async with asyncio.timeout(self._feed.settings.auth_timeout_seconds):
                    while not self.is_authenticated:
                        self._take(await self._receive())
            except TimeoutError:
                self._refuse(404)
            while True:
                self._take(await self._receive())
        except Closing:
            return

    async def _receive(self) -> Frame:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", _NORMAL_CLOSE))
        frame: Frame | None = message.get("bytes")
        return message["text"] if frame is None else frame

    def _take(self, frame: Frame) -> None:
        try:
            asked = self.wire.read(frame)
        except BadFrame:
            return self.say_error(400)
        action = asked.get("action")
        if action == "auth":
            return self._authenticate(asked)
        if action not in {"subscribe", "unsubscribe"}:
            return self.say_error(410)
        if not self.is_authenticated:
            return self.say_error(401)
        return self._subscribe(asked, is_adding=action == "subscribe")

    def _authenticate(self, asked: dict[str, Any]) -> None:
        if self.is_authenticated:
            return self.say_error(403)
        forced = self._feed.faults.refuse_auth
        if forced is not None:
            self._refuse(forced)
        if not ticker.holds_key(self._world, asked.get("key"), asked.get("secret")):
            self._refuse(402)
        if not self._feed.add(self):
            self._refuse(406)
        self.is_authenticated = True
        return self.say({"T": "success", "msg": "authenticated"})

    def _subscribe(self, asked: dict[str, Any], *, is_adding: bool) -> None:
        changed = {channel: set(now) for channel, now in self.channels.items()}
        for channel in asked.keys() - {"action"}:
            symbols = asked[channel]
            if channel not in changed or not _are_symbols(symbols):
                return self.say_error(400)
            if channel in self._feed.faults.refused_channels:
                return self.say_error(410)
            along = _COME_WITH_TRADES if channel == "trades" else ()
            for name in (channel, *along):
                if is_adding:
                    changed[name] |= set(symbols)
                else:
                    changed[name] -= set(symbols)
        limit = self._feed.settings.symbol_limit
        if limit is not None and len(changed["trades"] | changed["quotes"]) > limit:
            return self.say_error(405)
        self.channels = changed
        state = {channel: sorted(symbols) for channel, symbols in changed.items()}
        return self.say({"T": "subscription"} | state)

    # Out

    def say(self, message: Message) -> None:
        """Queue a control message: an array of one."""
        self._queue.put_nowait(self.wire.frame([self.wire.pack(message)]))

    def say_error(self, code: int) -> None:
        """Queue one of the vendor's errors."""
        self.say({"T": "error", "code": code, "msg": _ERRORS.get(code, "error")})

    def queue(self, packed: Iterable[bytes]) -> None:
        """Queue data; a reader too far behind gets error 407 and is put off."""
        if self._is_closing:
            return
        if self._queue.qsize() >= self._feed.settings.queue_limit:
            self.say_error(407)
            self.close()
            self._feed.remove(self)
            return
        frame = self.wire.frame(list(packed))
        self._frame_count += 1
        every = self._feed.faults.garble_every
        if every and self._frame_count % every == 0:
            frame = frame[: len(frame) // 2]
        self._queue.put_nowait(frame)

    def close(self) -> None:
        """End the connection once everything queued has been sent."""
        if not self._is_closing:
            self._is_closing = True
            self._queue.put_nowait(None)

    async def send_queued(self) -> None:
        """Send what is queued until the end is reached."""
        while (frame := await self._queue.get()) is not None:
            if isinstance(frame, bytes):
                await self._websocket.send_bytes(frame)
            else:
                await self._websocket.send_text(frame)
        if self._websocket.client_state is WebSocketState.CONNECTED:
            await self._websocket.close(_NORMAL_CLOSE)

    def _refuse(self, code: int) -> None:
        self.say_error(code)
        self.close()
        raise Closing


def _are_symbols(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)
