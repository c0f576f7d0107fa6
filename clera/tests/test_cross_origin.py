"""A page of an origin that we know may ask from a browser, and a page of any other may not."""

import pytest
from asgiref.testing import ApplicationCommunicator

from clera.asgi import application

pytestmark = pytest.mark.asyncio
OURS = "https://app.example"


@pytest.fixture(autouse=True)
def known(settings):
    settings.CORS_ALLOWED_ORIGINS = [OURS]


async def ask(method, path, **headers):
    lines = [(name.replace("_", "-").encode(), said.encode()) for name, said in headers.items()]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), *lines], "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output(60)
    await communicator.receive_output(60)
    await communicator.wait(60)
    return start["status"], {n.decode().lower(): v.decode() for n, v in start["headers"]}


class TestBeforehand:
    async def test_a_known_page_is_told_what_it_may_send(self):
        status, said = await ask(
            "OPTIONS", "/api/portfolio/value",
            origin=OURS, access_control_request_method="GET",
        )  # fmt: skip

        assert status == 200
        assert said["access-control-allow-origin"] == OURS
        assert {"GET", "POST"} <= set(said["access-control-allow-methods"].split(", "))
        assert {"authorization", "idempotency-key"} <= set(
            said["access-control-allow-headers"].split(", ")
        )
        assert said["vary"] == "origin"

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "http://app.example", f"{OURS}.evil.example"]
    )
    async def test_a_strange_one_is_told_nothing(self, origin):
        _, said = await ask(
            "OPTIONS", "/api/portfolio/value",
            origin=origin, access_control_request_method="GET",
        )  # fmt: skip

        assert not [name for name in said if name.startswith("access-control")]


class TestAnswers:
    async def test_are_readable_for_a_known_page_and_without_its_cookies(self):
        status, said = await ask("GET", "/health", origin=OURS)

        assert (status, said["access-control-allow-origin"]) == (200, OURS)
        assert "retry-after" in said["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in said

    async def test_that_refuse_are_readable_too(self):
        status, said = await ask("GET", "/api/portfolio/value", origin=OURS)

        assert (status, said["access-control-allow-origin"]) == (401, OURS)

    @pytest.mark.parametrize("more", [{}, {"origin": "https://evil.example"}])
    async def test_are_unmarked_for_everybody_else(self, more):
        status, said = await ask("GET", "/health", **more)

        assert status == 200
        assert not [name for name in said if name.startswith("access-control")]
