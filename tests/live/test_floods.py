"""Clients that say more than anybody could want, or what makes no sense."""

import asyncio
import json
import time

import pytest
import uvicorn
from uvicorn.server import ServerState

from clera.websockets import SocketProtocol
from tests.live.factories import (
    client,
    deaf_client,
    handshake,
    is_cut,
    signed_in,
    wait_until_cut,
)

pytestmark = pytest.mark.django_db(transaction=True)
# Frames of a client, masked with nothing; each is ten bytes of a continuation, a ping or a pong.
CONTINUATION, PING, PONG = 0x00, 0x89, 0x8A


def small_frame(kind):
    return bytes([kind, 0x84, 0, 0, 0, 0]) + b"word"


def text_frame(**frame):
    text = json.dumps(frame).encode()
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


@pytest.mark.parametrize("kind", [CONTINUATION, PING, PONG])
def test_a_flood_of_small_frames_is_cut_and_others_do_not_notice(
    port, account, token, publisher, kind
):
    with deaf_client(port, account.pk, token) as raw, signed_in(port, account.pk, token) as good:
        good.next()
        if kind == CONTINUATION:
            raw.sendall(bytes([0x01, 0x80, 0, 0, 0, 0]))  # the beginning of a text
        raw.sendall(small_frame(kind) * 100)
        time.sleep(0.2)
        assert not is_cut(raw)
        raw.sendall(small_frame(kind) * 100)
        deadline = time.monotonic() + 60
        while not is_cut(raw):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        publisher.trade("AAPL", 101)
        assert good.next(kind="update")["total_value"] == "$1303.00"


def test_who_asks_and_asks_is_answered_at_leisure(port, account, token, publisher):
    count = 500
    with deaf_client(port, account.pk, token) as raw:
        raw.settimeout(60)
        raw.sendall(text_frame(type="heartbeat") * count)
        answered = b""
        while b"heartbeat_ack" not in answered:
            answered += raw.recv(65_536)
            assert answered
        raw.settimeout(0.5)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            try:
                answered += raw.recv(65_536)
            except TimeoutError:
                break

    assert answered.count(b"heartbeat_ack") <= count / 10


def test_messages_that_nobody_could_answer_are_cut(port, account, token, publisher):
    frame = text_frame(type="heartbeat")
    with deaf_client(port, account.pk, token) as raw:
        raw.sendall(frame * 5_000)
        wait_until_cut(raw)


class Wire:
    """The server's end of a connection, on which everything comes at once."""

    def __init__(self):
        self.written = b""
        self.is_cut = False
        self.is_accepted = asyncio.Event()

    def get_extra_info(self, *_):
        return None

    def set_write_buffer_limits(self, **_):
        pass

    def write(self, data):
        self.written += data
        self.is_accepted.set()

    def abort(self):
        self.is_cut = True

    def close(self):
        pass

    def is_closing(self):
        return self.is_cut


def test_a_flood_at_once_is_cut_before_all_of_it_is_read():
    async def idle(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    async def run():
        config, wire = uvicorn.Config(idle, ws=SocketProtocol, lifespan="off"), Wire()
        config.load()
        server = SocketProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        server.connection_made(wire)
        server.data_received(handshake("/"))
        async with asyncio.timeout(60):
            await wire.is_accepted.wait()
        server.data_received(small_frame(PING) * 20_000)
        server.connection_lost(None)
        await asyncio.gather(*server.tasks)
        return wire

    wire = asyncio.run(run())

    assert wire.is_cut
    assert wire.written.count(b"\x8a\x04word") < 1_000


@pytest.mark.parametrize("said", [[], {}, [[]], {"a": 1}])
class TestNonsense:
    def test_of_a_detail_is_refused(self, port, account, token, publisher, said):
        for account_id in (account.pk, ""):
            with signed_in(port, account_id, token, said={"detail": said}) as values:
                assert values.close_code() == 4400

    def test_of_a_type_is_refused(self, port, account, token, publisher, said):
        for account_id in (account.pk, ""):
            with signed_in(port, account_id, token) as values:
                values.next(kind="snapshot")
                values.send(type=said)
                assert values.close_code() == 4400
            with client(port, account_id) as values:
                values.send(type=said, token=token)
                assert values.close_code() == 4401
