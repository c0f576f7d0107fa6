"""The gate and the hub under a server that has no handle of ours."""

import asyncio

import pytest

from clera import asgi, websockets
from clera.websockets import framed, without_secrets
from core.sockets.connection import WaitingSocket
from core.threads import in_database
from tests.live.factories import PlainSocket

pytestmark = pytest.mark.django_db(transaction=True)


def test_values_are_served_over_plain_asgi_too(account, token, publisher):
    async def converse():
        socket = PlainSocket(f"/ws/portfolio/{account.pk}")
        await socket.open()
        await socket.say(type="auth", token=token)
        first = await socket.next()
        await in_database(publisher.trade, "AAPL", 101)
        second = await socket.next()
        await socket.say(type="heartbeat", timestamp=1)
        third = await socket.next()
        await socket.leave()
        return first, second, third

    first, second, third = asyncio.run(converse())

    assert (first["type"], first["total_value"]) == ("snapshot", "$1300.00")
    assert (second["type"], second["total_value"]) == ("update", "$1303.00")
    assert third["type"] == "heartbeat_ack"


def test_a_refusal_closes_with_its_code_over_plain_asgi(account, issuer):
    async def converse():
        socket = PlainSocket(f"/ws/portfolio/{account.pk}", query="token=x")
        await socket.open()
        told = await socket.next()
        return told["error"], await socket.told()

    error, closed = asyncio.run(converse())

    assert (error, closed["type"], closed["code"]) == ("unauthenticated", "websocket.close", 4001)


def test_a_socket_that_waits_takes_one_message_at_a_time():
    async def run():
        sent, may_go_on = [], asyncio.Event()

        async def send(message):
            await may_go_on.wait()
            sent.append(message["type"])

        async def receive():
            await asyncio.Event().wait()

        socket = WaitingSocket(receive, send)
        taken = [socket.try_send(b"one"), socket.try_send(b"two")]
        was_writable = socket.is_writable()
        may_go_on.set()
        await asyncio.sleep(0.01)
        taken.append(socket.try_send(b"three"))
        await asyncio.sleep(0.01)
        socket.end(4408)
        socket.end(4401)
        last = await socket.receive()
        return taken, was_writable, sent, last, socket.is_writable()

    taken, was_writable, sent, last, is_writable = asyncio.run(run())

    assert taken == [True, False, True]
    assert (was_writable, is_writable) == (False, False)
    assert sent == ["websocket.send", "websocket.send", "websocket.close"]
    assert last == {"type": "websocket.disconnect", "code": 4408}


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_is_what_the_library_would_write(length):
    from websockets.frames import Frame, Opcode

    text = b"x" * length

    assert framed(text) == Frame(Opcode.TEXT, text).serialize(mask=False)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"", b""),
        (b"a=1&token=secret&b=", b"a=1&token=hidden&b="),
        (b"token=a&token=b", b"token=hidden&token=hidden"),
        (b"api_key=k", b"api_key=hidden"),
    ],
)
def test_credentials_in_a_query_are_hidden(query, shown):
    assert without_secrets(query) == shown


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("", True),
        ("https://clera.example", True),
        ("http://clera.example", True),
        ("https://app.example", True),
        ("https://evil.example", False),
        ("https://clera.example.evil.example", False),
        ("null", False),
        ("file://clera.example", False),
        ("https://clera.example:8443", False),
        ("https://clera.example.", False),
        ("https://user@clera.example", False),
        ("https://[", False),
    ],
)
def test_which_pages_may_open_sockets(origin, is_allowed, settings):
    settings.ALLOWED_ORIGINS = ["https://app.example"]

    assert asgi.is_allowed(origin, host="clera.example") is is_allowed


def test_without_a_host_no_page_is_ours(settings):
    assert not asgi.is_allowed("https://", host="")


def test_the_extension_has_one_name_on_both_sides():
    from core.sockets import connection

    assert websockets.EXTENSION == connection._EXTENSION
