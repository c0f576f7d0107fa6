import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgpack
import pytest
import websockets
from alpaca.data.live import StockDataStream

from sandbox.tests.conftest import Server
from sandbox.tests.sockets import AUTH, connected, faults, wait_for_no_connection

CHANNELS = (
    *("trades", "quotes", "bars", "updatedBars", "dailyBars"),
    *("statuses", "lulds", "corrections", "cancelErrors", "imbalances"),
)


@pytest.fixture
def server(sandbox_server: Server) -> Server:
    wait_for_no_connection(sandbox_server)
    return sandbox_server


def subscription(**channels: list[str]) -> dict[str, Any]:
    return {"T": "subscription", **{name: channels.get(name, []) for name in CHANNELS}}


class TestVendorsClient:
    def test_reads_trades_quotes_and_bars(self, serve: Callable[..., Server]):
        server = serve(speed=600)  # a minute is over in a tenth of a second
        seen: dict[str, list[Any]] = {"trade": [], "quote": [], "bar": []}
        enough = threading.Event()
        url = f"{server.url.replace('http', 'ws')}/alpaca/stream/v2/iex"
        stream = StockDataStream(*server.auth, url_override=url)

        def keep(kind: str) -> Callable[[Any], Any]:
            async def handler(data: Any) -> None:
                seen[kind].append(data)
                if all(seen.values()):
                    enough.set()

            return handler

        stream.subscribe_trades(keep("trade"), "AAPL", "MSFT")
        stream.subscribe_quotes(keep("quote"), "AAPL")
        stream.subscribe_bars(keep("bar"), "AAPL")
        thread = threading.Thread(target=stream.run, daemon=True)
        thread.start()
        assert enough.wait(60)
        stream.stop()
        thread.join(60)

        trade, quote, bar = (seen[kind][0] for kind in ("trade", "quote", "bar"))
        assert trade.symbol in {"AAPL", "MSFT"}
        assert trade.timestamp.tzinfo is not None
        assert quote.bid_price < quote.ask_price
        assert bar.low <= bar.close <= bar.high


class TestConversation:
    @pytest.mark.parametrize("is_binary", [True, False])
    def test_subscribing_is_answered_with_the_whole_state(self, server: Server, is_binary: bool):
        async def talk() -> None:
            async with connected(server, is_binary=is_binary) as client:
                ask = {"action": "subscribe", "trades": ["MSFT", "AAPL"], "bars": ["*"]}
                assert await client.say(ask) == subscription(
                    trades=["AAPL", "MSFT"],
                    bars=["*"],
                    corrections=["AAPL", "MSFT"],
                    cancelErrors=["AAPL", "MSFT"],
                )

        asyncio.run(talk())

    def test_subscriptions_add_up_and_can_be_taken_back(self, server: Server):
        faults(server, stall=True)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "quotes": ["AAPL"]})
                both = await client.say({"action": "subscribe", "quotes": ["MSFT"]})
                left = await client.say({"action": "unsubscribe", "quotes": ["AAPL"]})
                assert both == subscription(quotes=["AAPL", "MSFT"])
                assert left == subscription(quotes=["MSFT"])

        asyncio.run(talk())

    def test_reads_a_message_sent_in_fragments(self, server: Server):
        async def talk() -> None:
            async with connected(server) as client:
                packed = msgpack.packb({"action": "subscribe", "bars": ["AAPL"]})
                await client.socket.send([packed[:7], packed[7:]])
                assert await client.receive() == [subscription(bars=["AAPL"])]

        asyncio.run(talk())

    @pytest.mark.parametrize(
        ("message", "code", "text"),
        [
            ({"action": "dance"}, 410, "invalid action"),
            ({"action": "subscribe", "trades": "AAPL"}, 400, "invalid syntax"),
            ({"action": "subscribe", "nothing": ["AAPL"]}, 400, "invalid syntax"),
            (["no", "object"], 400, "invalid syntax"),
            (AUTH, 403, "already authenticated"),
        ],
    )
    def test_a_wrong_message_gets_its_error_and_the_talk_goes_on(
        self, server: Server, message: Any, code: int, text: str
    ):
        async def talk() -> None:
            async with connected(server) as client:
                assert await client.say(message) == {"T": "error", "code": code, "msg": text}
                assert (await client.say({"action": "subscribe", "bars": ["SPY"]}))["bars"] == [
                    "SPY"
                ]

        asyncio.run(talk())

    def test_bytes_that_are_no_msgpack_are_invalid_syntax(self, server: Server):
        async def talk() -> None:
            async with connected(server) as client:
                await client.socket.send(b"\xc1")
                assert (await client.receive())[0]["code"] == 400

        asyncio.run(talk())

    def test_nothing_can_be_subscribed_before_authentication(self, server: Server):
        async def talk() -> None:
            async with connected(server, auth=None) as client:
                refused = await client.say({"action": "subscribe", "trades": ["AAPL"]})
                assert refused["code"] == 401
                assert (await client.say(AUTH))["msg"] == "authenticated"

        asyncio.run(talk())

    @pytest.mark.parametrize(
        ("settings", "auth", "code"),
        [
            ({}, AUTH | {"secret": "wrong"}, 402),
            ({"connection_limit": 0}, AUTH, 406),
            ({"refuse_auth": 409}, AUTH, 409),
        ],
    )
    def test_a_refused_authentication_ends_the_connection(
        self, server: Server, settings: dict[str, Any], auth: dict[str, str], code: int
    ):
        if settings:
            faults(server, **settings)

        async def talk() -> None:
            async with connected(server, auth=None) as client:
                assert (await client.say(auth))["code"] == code
                with pytest.raises(websockets.ConnectionClosed):
                    await client.receive()

        asyncio.run(talk())
        assert faults(server)["connections"] == 0

    def test_who_does_not_authenticate_in_time_is_put_off(self, server: Server):
        faults(server, auth_timeout_seconds=0.05)

        async def talk() -> None:
            async with connected(server, auth=None) as client:
                assert (await client.receive())[0]["code"] == 404
                with pytest.raises(websockets.ConnectionClosed):
                    await client.receive()

        asyncio.run(talk())

    def test_a_second_connection_of_the_key_is_refused_until_the_first_has_gone(
        self, server: Server
    ):
        async def talk() -> None:
            async with connected(server), connected(server, auth=None) as second:
                assert (await second.say(AUTH))["code"] == 406
            await asyncio.to_thread(wait_for_no_connection, server)
            async with connected(server):
                pass

        asyncio.run(talk())

    def test_the_limit_of_connections_can_be_raised(self, server: Server):
        faults(server, connection_limit=2)

        async def talk() -> None:
            async with connected(server), connected(server):
                assert (await asyncio.to_thread(faults, server))["connections"] == 2

        asyncio.run(talk())

    def test_more_symbols_than_allowed_change_nothing(self, server: Server):
        faults(server, symbol_limit=2, stall=True)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                refused = await client.say({"action": "subscribe", "quotes": ["MSFT", "SPY"]})
                assert refused["code"] == 405
                state = await client.say({"action": "subscribe", "quotes": ["MSFT"]})
                assert (state["trades"], state["quotes"]) == (["AAPL"], ["MSFT"])

        asyncio.run(talk())


class TestPrices:
    def test_each_tick_is_what_the_price_book_says(self, server: Server):
        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL"]})
                trade = await client.until("t", "AAPL")
                quote = await client.until("q", "AAPL")
                assert isinstance(trade["t"], datetime)
                for message, fields in ((trade, ("p",)), (quote, ("bp", "ap"))):
                    known = server.world.prices.quote("AAPL", message["t"])
                    assert known is not None
                    expected = {"p": known.last, "bp": known.bid, "ap": known.ask}
                    assert [message[f] for f in fields] == [float(expected[f]) for f in fields]

        asyncio.run(talk())

    def test_move_several_times_a_second(self, server: Server):
        faults(server, tick_seconds=0.02)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["SPY"]})
                trades = [await client.until("t", "SPY") for _ in range(10)]
                assert len({trade["p"] for trade in trades}) > 3
                assert [t["i"] for t in trades] == sorted({t["i"] for t in trades})

        asyncio.run(talk())

    def test_a_price_set_by_hand_arrives_at_once(self, server: Server):
        faults(server, tick_seconds=30)  # so that only the injected price can be the cause

        async def talk() -> None:
            delays = []
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                for price in range(70, 80):
                    began = time.monotonic()
                    server.world.prices.set_price("AAPL", Decimal(price))
                    assert (await client.until("t", "AAPL"))["p"] == price
                    delays.append(time.monotonic() - began)
            assert min(delays) < 0.05  # a busy machine may delay some of them

        asyncio.run(talk())
        server.control("prices", {"AAPL": None})

    @pytest.mark.parametrize(("symbol", "codes"), [("AAPL", ["H", "T"]), ("KO", ["2", "3"])])
    def test_a_halt_and_its_end_are_told(self, server: Server, symbol: str, codes: list[str]):
        async def talk() -> list[dict[str, Any]]:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "statuses": ["*"]})
                for is_halted in (True, True, False):
                    wanted = {symbol: {"halted": is_halted}}
                    await asyncio.to_thread(server.control, "assets", wanted)
                return [await client.until("s"), await client.until("s")]

        told = asyncio.run(talk())

        assert [(each["S"], each["sc"]) for each in told] == [(symbol, code) for code in codes]

    def test_a_band_moves_in_steps_before_the_trade_that_leaves_it(self, server: Server):
        server.control("prices", {"AAPL": "100"})
        faults(server, tick_seconds=30, sends_bands=True)

        async def talk() -> list[tuple[float, ...]]:
            told = []
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"], "lulds": ["AAPL"]})
                for price in ("100", "100.5", "120"):
                    server.world.prices.set_price("AAPL", Decimal(price))
                    told += await client.receive()
            return [(m["d"], m["u"]) if m["T"] == "l" else (m["p"],) for m in told]

        told = asyncio.run(talk())
        server.control("prices", {"AAPL": None})

        assert told == [(95, 105), (100,), (100.5,), (114, 126), (120,)]

    def test_some_bars_are_sent_once_more(self, serve: Callable[..., Server]):
        server = serve(speed=600)
        faults(server, tick_seconds=0.05)

        async def talk() -> dict[str, list[dict[str, Any]]]:
            told: dict[str, list[dict[str, Any]]] = {"b": [], "u": []}
            async with connected(server) as client:
                wish = {"action": "subscribe", "bars": ["SPY"], "updatedBars": ["SPY"]}
                await client.send(wish)
                while not told["u"]:
                    for message in await client.receive():
                        told.setdefault(message["T"], []).append(message)
            return told

        told = asyncio.run(talk())

        assert told["u"][0]["t"].minute % 5 == 0
        assert told["u"][0]["l"] <= told["u"][0]["c"] <= told["u"][0]["h"]

    def test_a_star_stands_for_every_symbol(self, server: Server):
        faults(server, tick_seconds=0.05)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["*"]})
                symbols = {m["S"] for _ in range(8) for m in await client.receive()}
                assert len(symbols) > 200
                assert not symbols & {"FAKEPACA", "TWTR"}

        asyncio.run(talk())

    def test_the_test_feed_carries_its_own_symbol_only(self, server: Server):
        faults(server, tick_seconds=0.05)

        async def talk() -> None:
            async with connected(server, "test") as client:
                await client.say({"action": "subscribe", "trades": ["AAPL", "FAKEPACA"]})
                assert {m["S"] for _ in range(3) for m in await client.receive()} == {"FAKEPACA"}

        asyncio.run(talk())

    def test_json_readers_get_numbers_and_rfc_3339(self, server: Server):
        async def talk() -> None:
            async with connected(server, is_binary=False) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                trade = await client.until("t")
                assert isinstance(trade["p"], float)
                assert datetime.fromisoformat(trade["t"]).tzinfo == UTC

        asyncio.run(talk())

    def test_an_unknown_feed_is_closed(self, server: Server):
        async def talk() -> None:
            url = f"{server.url.replace('http', 'ws')}/alpaca/stream/v2/nofeed"
            async with websockets.connect(url) as socket:
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await asyncio.wait_for(socket.recv(), 60)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4404

        asyncio.run(talk())
