"""Bodies over the limit end at the door, under the real ASGI protocol."""

import json

import pytest
from asgiref.testing import ApplicationCommunicator

from core.api.body_limit import LimitBody
from core.api.handler import OneThread

pytestmark = [
    pytest.mark.urls("core.tests.urls"),
    pytest.mark.asyncio,
]
LIMIT = 1000


@pytest.fixture(autouse=True)
def small_limit(settings):
    settings.API_MAX_BODY_BYTES = LIMIT


class Watched:
    """Passes everything on and counts the bytes that reach the application."""

    def __init__(self) -> None:
        self.seen = 0
        self._application = OneThread()

    async def __call__(self, scope, receive, send):
        async def count():
            message = await receive()
            self.seen += len(message.get("body", b""))
            return message

        await self._application(scope, count, send)


async def post(application, *chunks, length=None, chunked=False):
    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    if chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    scope = {
        "type": "http", "method": "POST", "path": "/echo", "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http", "root_path": "",
    }  # fmt: skip
    communicator = ApplicationCommunicator(LimitBody(application), scope)
    for index, chunk in enumerate(chunks, start=1):
        await communicator.send_input(
            {"type": "http.request", "body": chunk, "more_body": index < len(chunks)}
        )
    start = await communicator.receive_output(5)
    body = await communicator.receive_output(5)
    await communicator.wait(5)
    return start["status"], json.loads(body["body"])


class TestLimitBody:
    async def test_lets_a_body_at_the_limit_through_whole(self):
        application = Watched()
        body = json.dumps({"a": "x" * (LIMIT - 9)}).encode()
        status, answer = await post(application, body[:500], body[500:], length=LIMIT)
        assert (status, application.seen, len(answer["a"])) == (200, LIMIT, LIMIT - 9)

    async def test_refuses_a_declared_length_without_reading(self):
        application = Watched()
        status, answer = await post(application, b"{}", length=LIMIT + 1)
        assert (status, answer["code"], application.seen) == (413, "body_too_large", 0)

    @pytest.mark.parametrize("length", [None, 10])
    async def test_stops_a_body_that_grows_past_the_limit_whatever_it_declared(self, length):
        application = Watched()
        status, answer = await post(application, *[b"x" * 400] * 500, length=length)
        assert (status, answer["code"], application.seen) == (413, "body_too_large", 800)

    async def test_a_chunked_body_is_read_although_it_declares_no_length(self):
        status, answer = await post(Watched(), b'{"a":', b"1}", chunked=True)
        assert (status, answer) == (200, {"a": 1})

    async def test_a_chunked_body_past_the_limit_is_refused(self):
        application = Watched()
        status, answer = await post(application, *[b"x" * 400] * 500, chunked=True)
        assert (status, answer["code"], application.seen) == (413, "body_too_large", 0)

    async def test_lets_larger_bodies_through_to_the_routes_that_take_files(self, settings):
        settings.API_UPLOAD_PATHS = [r"/echo"]
        settings.API_MAX_UPLOAD_BYTES = 2 * LIMIT
        for size, reached in ((2 * LIMIT, 2 * LIMIT), (2 * LIMIT + 1, 0)):
            watched = Watched()
            await post(watched, b"{" + b" " * (size - 2) + b"}", length=size)
            assert watched.seen == reached

    async def test_a_path_that_only_begins_like_one_of_them_is_not_meant(self, settings):
        settings.API_UPLOAD_PATHS = [r"/ech"]
        settings.API_MAX_UPLOAD_BYTES = 2 * LIMIT
        watched = Watched()
        status, _ = await post(watched, b" " * (LIMIT + 1), length=LIMIT + 1)
        assert (status, watched.seen) == (413, 0)
