import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest
import websockets

from sandbox.tests.conftest import Server
from sandbox.tests.sockets import connected, faults, wait_for_no_connection


@pytest.fixture
def server(sandbox_server: Server) -> Server:
    wait_for_no_connection(sandbox_server)
    return sandbox_server


class TestFaults:
    def test_a_disconnect_ends_the_connection_and_a_new_one_works(self, server: Server):
        async def talk() -> None:
            async with connected(server) as client:
                await asyncio.to_thread(faults, server, disconnect=True)
                await asyncio.wait_for(client.socket.wait_closed(), 60)
                assert client.socket.close_code == 1000
            await asyncio.to_thread(wait_for_no_connection, server)
            async with connected(server):
                pass

        asyncio.run(talk())

    def test_a_stalled_socket_is_mute_until_the_fault_is_taken_away(self, server: Server):
        faults(server, stall=True, tick_seconds=0.02)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.socket.recv(), 0.15)
                await asyncio.to_thread(faults, server, stall=False)
                assert (await client.until("t"))["S"] == "AAPL"

        asyncio.run(talk())

    def test_every_nth_trade_can_be_spoiled(self, server: Server):
        faults(server, bad_tick_every=2, tick_seconds=0.02)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                prices = [(await client.until("t"))["p"] for _ in range(8)]
                spoiled = [p for p in prices if p is None or not 0 < p < 1e6]
                assert len(spoiled) == 4

        asyncio.run(talk())

    def test_old_timestamps_and_duplicates_can_be_asked_for(self, server: Server):
        faults(server, lag_seconds=3600, duplicate=True)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                first, second = await client.receive(), await client.receive()
                assert first == second
                assert server.world.clock.now() - first[0]["t"] > timedelta(minutes=59)

        asyncio.run(talk())

    def test_any_message_can_be_injected(self, server: Server):
        faults(server, tick_seconds=30)
        halted = {"T": "t", "S": "AAPL", "p": 0}

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                await asyncio.to_thread(faults, server, inject=[halted])
                assert await client.receive() == [halted]

        asyncio.run(talk())

    def test_an_injected_time_is_sent_as_one_and_an_unknown_kind_to_everybody(self, server: Server):
        faults(server, stall=True)
        status = {"T": "s", "S": "AAPL", "sc": "H", "t": "2026-01-05T15:30:00Z"}

        async def talk() -> None:
            async with connected(server) as client:
                await asyncio.to_thread(faults, server, inject=[status, {"T": "?"}])
                assert await client.receive() == [{"T": "?"}]
                await client.say({"action": "subscribe", "statuses": ["*"]})
                await asyncio.to_thread(faults, server, inject=[status])
                (told,) = await client.receive()
                assert told["t"] == datetime(2026, 1, 5, 15, 30, tzinfo=UTC)

        asyncio.run(talk())

    def test_every_nth_trade_is_told_anew_or_taken_back(self, server: Server):
        faults(server, correct_every=2, tick_seconds=0.02)

        async def talk() -> None:
            async with connected(server) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                told = [message for _ in range(8) for message in await client.receive()]

            kinds = [message["T"] for message in told]
            assert {tuple(kinds[n : n + 2]) for n in range(len(kinds) - 1)} >= {
                ("t", "c"),
                ("t", "x"),
            }
            for trade, after in pairwise(told):
                if after["T"] == "c":
                    assert (after["oi"], after["op"]) == (trade["i"], trade["p"])
                if after["T"] == "x":
                    assert (after["i"], after["p"]) == (trade["i"], trade["p"])

        asyncio.run(talk())

    @pytest.mark.parametrize("is_binary", [True, False])
    def test_every_nth_frame_can_be_cut_in_half(self, server: Server, is_binary: bool):
        faults(server, garble_every=2, tick_seconds=0.02)

        async def talk() -> None:
            async with connected(server, is_binary=is_binary) as client:
                await client.say({"action": "subscribe", "trades": ["AAPL"]})
                assert (await client.receive())[0]["S"] == "AAPL"
                with pytest.raises(ValueError, match=r".+"):
                    await client.receive()
                assert (await client.receive())[0]["S"] == "AAPL"

        asyncio.run(talk())

    def test_a_channel_can_be_refused(self, server: Server):
        faults(server, refused_channels=["lulds"], stall=True)

        async def talk() -> None:
            async with connected(server) as client:
                refused = await client.say({"action": "subscribe", "lulds": ["AAPL"]})
                assert refused["code"] == 410
                state = await client.say({"action": "subscribe", "trades": ["AAPL"]})
                assert (state["trades"], state["lulds"]) == (["AAPL"], [])

        asyncio.run(talk())

    def test_a_reader_that_lags_too_far_is_put_off(self, server: Server):
        faults(server, tick_seconds=0.001, queue_limit=0)

        async def talk() -> None:
            async with connected(server) as client:
                await client.send({"action": "subscribe", "trades": ["AAPL"]})
                assert (await client.until("error"))["code"] == 407
                with pytest.raises(websockets.ConnectionClosed):
                    await client.receive()

        asyncio.run(talk())

    def test_an_unknown_wish_is_refused(self, server: Server):
        answer = httpx.post(f"{server.url}/alpaca/stream/_faults", json={"explode": True})

        assert answer.status_code == 400

    def test_a_reset_of_the_sandbox_ends_all_faults(self, server: Server):
        faults(server, stall=True, connection_limit=9)

        server.control("reset")

        state = faults(server)
        assert (state["stall"], state["connection_limit"]) == (False, 1)
