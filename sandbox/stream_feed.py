"""What the data socket sends: the moving prices of every symbol that somebody reads."""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sandbox import ticker
from sandbox.assets import TEST_SYMBOL, Asset
from sandbox.prices import Quote
from sandbox.stream_session import Connection, StreamFaults, StreamSettings
from sandbox.stream_wire import Message, Wire
from sandbox.world import World

_CHANNEL_OF = {"t": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars"}
# Whoever reads one of these has its symbols priced.
_DATA_CHANNELS = tuple(_CHANNEL_OF.values())
_CHANNEL_OF["s"] = "statuses"
_SPOILED_PRICES = (0, -1, 1e9, None)
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class _Piece:
    """One message, packed at most once for each notation."""

    channel: str
    symbol: str
    message: Message

    def packed(self, wire: Wire, cache: dict[tuple[int, bool], bytes]) -> bytes:
        key = id(self), wire.is_binary
        if key not in cache:
            cache[key] = wire.pack(self.message)
        return cache[key]


class Feed:
    """All authenticated connections, and the loop that feeds them."""

    def __init__(self, world: World) -> None:
        self.settings = StreamSettings()
        self.faults = StreamFaults()
        self.sent = 0
        self._world = world
        self._connections: list[Connection] = []
        self._last: dict[str, Quote] = {}
        self._minute = 0
        self._trade_count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Task[None] | None = None
        world.prices.watch(self._price_was_set)
        world.catalogue.halt_watchers.append(self._halt_was_set)

    @property
    def connection_count(self) -> int:
        """How many authenticated connections there are."""
        return len(self._connections)

    # Connections

    def add(self, connection: Connection) -> bool:
        """Admit a connection unless the limit of the key is reached."""
        if len(self._connections) >= self.settings.connection_limit:
            return False
        self._connections.append(connection)
        if self._ticking is None:
            self._loop = asyncio.get_running_loop()
            self._minute = self._current_minute()
            self._ticking = asyncio.create_task(self._tick_forever())
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection; without any, nothing is priced."""
        if connection in self._connections:
            self._connections.remove(connection)
        if not self._connections and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
            self._last.clear()

    # What a test may ask for

    def change(self, wanted: dict[str, Any]) -> None:
        """Take over settings and faults; `disconnect` and `inject` happen once, now."""
        for part in (self.settings, self.faults):
            names = {field.name for field in fields(part)}
            for name in names & wanted.keys():
                setattr(part, name, wanted[name])
        if wanted.get("inject"):
            self._send([_Piece(_CHANNEL_OF[m["T"]], m["S"], m) for m in wanted["inject"]])
        if wanted.get("disconnect"):
            self.disconnect_all()

    def disconnect_all(self) -> None:
        """Drop every connection, as a failing network would."""
        for connection in tuple(self._connections):
            connection.close()

    def reset(self) -> None:
        """Go back to the usual settings, with nothing going wrong."""
        self.settings = StreamSettings()
        self.faults = StreamFaults()

    # Prices

    def _price_was_set(self, symbol: str) -> None:
        # The control plane may call from any thread; the frames belong to the loop's.
        if self._loop is not None and self._ticking is not None:
            self._loop.call_soon_threadsafe(self._tick, [symbol])

    def _halt_was_set(self, asset: Asset) -> None:
        if self._loop is not None and self._ticking is not None and not self.faults.stall:
            told = ticker.status(asset, self._world.clock.now())
            self._loop.call_soon_threadsafe(self._send, [_piece("s", asset.symbol, told)])

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.tick_seconds)
            self._tick(self._wanted())
            self._send_finished_minute()

    def _tick(self, symbols: Iterable[str]) -> None:
        if self.faults.stall:
            return
        pieces: list[_Piece] = []
        for symbol in symbols:
            asset, quote = self._world.catalogue.get(symbol), self._world.prices.quote(symbol)
            if asset is None or quote is None:
                continue
            before, self._last[symbol] = self._last.get(symbol), quote
            if before is None or before.at != quote.at:
                pieces += self._pieces(asset, quote, before)
        self._send(pieces)

    def _pieces(self, asset: Asset, quote: Quote, before: Quote | None) -> list[_Piece]:
        if self.faults.lag_seconds:
            quote = replace(quote, at=quote.at - timedelta(seconds=self.faults.lag_seconds))
        traded = ticker.trade(quote, asset)
        self._trade_count += 1
        every = self.faults.bad_tick_every
        if every and self._trade_count % every == 0:
            traded["p"] = _SPOILED_PRICES[self._trade_count // every % len(_SPOILED_PRICES)]
        pieces = [_piece("t", asset.symbol, traded)]
        if before is None or (before.bid, before.ask) != (quote.bid, quote.ask):
            pieces.append(_piece("q", asset.symbol, ticker.best_prices(quote, asset)))
        return pieces

    def _send_finished_minute(self) -> None:
        minute = self._current_minute()
        if minute == self._minute or self.faults.stall:
            return
        finished, self._minute = self._minute, minute
        start = self._world.clock.now() - timedelta(minutes=minute - finished + 1)
        pieces: list[_Piece] = []
        for symbol in self._wanted(("bars", "updatedBars", "dailyBars")):
            pieces += self._bar_pieces(symbol, start)
        self._send(pieces)

    def _bar_pieces(self, symbol: str, start: datetime) -> list[_Piece]:
        prices, now = self._world.prices, self._world.clock.now()
        minutes = prices.bars(symbol, "1Min", start, now)[-1:]
        today = prices.daily_bar(symbol, prices.sessions.started(now).date)
        pieces = [_piece("b", symbol, ticker.bar(bar)) for bar in minutes]
        return [*pieces, *([_piece("d", symbol, ticker.bar(today))] if today else [])]

    def _current_minute(self) -> int:
        return math.floor(self._world.clock.now().timestamp() / _MINUTE)

    def _wanted(self, channels: tuple[str, ...] = _DATA_CHANNELS) -> set[str]:
        wanted: set[str] = set()
        for connection in self._connections:
            for channel in channels:
                wanted |= connection.channels[channel]
        if "*" in wanted:
            wanted |= {a.symbol for a in self._world.catalogue.all() if a.status == "active"}
        return wanted - {"*"}

    # Sending

    def _send(self, pieces: list[_Piece]) -> None:
        packed: dict[tuple[int, bool], bytes] = {}
        for connection in tuple(self._connections):
            chosen = [
                piece.packed(connection.wire, packed)
                for piece in pieces
                if connection.wants(piece.channel, piece.symbol)
                and _is_on(connection.feed_name, piece.symbol)
            ]
            if chosen:
                self.sent += len(chosen)
                for _ in range(1 + self.faults.duplicate):
                    connection.queue(chosen)


def _piece(kind: str, symbol: str, message: ticker.Fields) -> _Piece:
    return _Piece(_CHANNEL_OF[kind], symbol, {"T": kind, "S": symbol} | message)


def _is_on(feed_name: str, symbol: str) -> bool:
    """Say whether a feed carries a symbol: the test feed has one of its own."""
    return (symbol == TEST_SYMBOL) == (feed_name == "test")
