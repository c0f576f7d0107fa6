"""What the data socket sends: the moving prices of every symbol that somebody reads."""

import asyncio
import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sandbox import ticker
from sandbox.assets import TEST_SYMBOL, Asset, class_of
from sandbox.prices import Quote
from sandbox.stream_session import Connection, StreamFaults, StreamSettings
from sandbox.stream_wire import Message, Wire
from sandbox.world import World

_CHANNEL_OF = {"t": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars"}
# Whoever reads one of these has its symbols priced.
_DATA_CHANNELS = tuple(_CHANNEL_OF.values())
_CHANNEL_OF |= {"s": "statuses", "l": "lulds", "c": "corrections", "x": "cancelErrors"}
_ANY_CHANNEL = ""
_SPOILED_PRICES = (0, -1, 1e9, None)
_MINUTE = 60
_ONE_MINUTE = timedelta(minutes=1)
_LATE_EVERY = 5  # of so many minutes one is sent once more, as after a trade that came late


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
        self._bands = ticker.Bands()
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
        """Admit a connection below the limit of the key; coins have a limit of their own."""
        is_for_coins = connection.feed_name == ticker.COIN_FEED
        alike = [c for c in self._connections if (c.feed_name == ticker.COIN_FEED) == is_for_coins]
        if len(alike) >= self.settings.connection_limit:
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
            self._bands = ticker.Bands()

    # What a test may ask for

    def change(self, wanted: dict[str, Any]) -> None:
        """
        Take over settings and faults; `disconnect` and `inject` happen once, now.

        An injected message of a kind that the vendor does not have goes to everybody.
        """
        for part in (self.settings, self.faults):
            names = {field.name for field in fields(part)}
            for name in names & wanted.keys():
                setattr(part, name, wanted[name])
        if wanted.get("inject"):
            self._send([_injected(message) for message in wanted["inject"]])
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
        if not asset.is_coin:  # coins have no bands, and their trades are never taken back
            pieces = self._band_pieces(asset, quote) + pieces
            pieces += self._second_thoughts(asset, traded)
        if before is None or (before.bid, before.ask) != (quote.bid, quote.ask):
            pieces.append(_piece("q", asset.symbol, ticker.best_prices(quote, asset)))
        return pieces

    def _band_pieces(self, asset: Asset, quote: Quote) -> list[_Piece]:
        """Tell a new band before the trade that would lie outside of the old one."""
        band = self._bands.moved(quote, asset) if self.settings.sends_bands else None
        return [] if band is None else [_piece("l", asset.symbol, band)]

    def _second_thoughts(self, asset: Asset, traded: ticker.Fields) -> list[_Piece]:
        """Correct or take back a trade, in turns."""
        every = self.faults.correct_every
        if not every or self._trade_count % every:
            return []
        if self._trade_count // every % 2:
            return [_piece("c", asset.symbol, ticker.correction(traded))]
        return [_piece("x", asset.symbol, ticker.cancel(traded))]

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
        known = prices.bars(symbol, "1Min", start - _ONE_MINUTE, now)
        minutes = [bar for bar in known if bar.at >= start][-1:]
        late = [bar for bar in known if bar.at < start and bar.at.minute % _LATE_EVERY == 0]
        asset = self._world.catalogue.get(symbol)
        sessions = prices.sessions if asset is None else prices.sessions_of(asset)
        today = prices.daily_bar(symbol, sessions.started(now).date)
        pieces = [_piece("b", symbol, ticker.bar(bar)) for bar in minutes]
        pieces += [_piece("u", symbol, ticker.bar(bar)) for bar in late]
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


def _injected(message: dict[str, Any]) -> _Piece:
    """Take a message as it is, but for its time: JSON has no word for what msgpack sends."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        message = message | {"t": datetime.fromisoformat(message["t"])}
    channel = _CHANNEL_OF.get(message.get("T", ""), _ANY_CHANNEL)
    return _Piece(channel, message.get("S", ""), message)


def _is_on(feed_name: str, symbol: str) -> bool:
    """Say whether a feed carries a symbol: coins and the test symbol have feeds of their own."""
    if feed_name == ticker.COIN_FEED or class_of(symbol) == "crypto":
        return feed_name == ticker.COIN_FEED and class_of(symbol) == "crypto"
    return (symbol == TEST_SYMBOL) == (feed_name == "test")
