import asyncio
from datetime import timedelta

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
                await asyncio.wait_for(client.socket.wait_closed(), 5)
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
